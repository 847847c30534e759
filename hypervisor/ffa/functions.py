"""FF-A function IDs (DEN0077, and SMC Calling Convention DEN0028): those that are decoded or answered with."""

from __future__ import annotations

from compiler.language import EnumU32


class Function(EnumU32):
    """Function identifiers; `_64` are the SMC64 forms."""

    ERROR = 0x8400_0060
    SUCCESS = 0x8400_0061
    INTERRUPT = 0x8400_0062
    VERSION = 0x8400_0063
    FEATURES = 0x8400_0064
    ID_GET = 0x8400_0069
    MSG_WAIT = 0x8400_006B
    DIRECT_REQUEST = 0x8400_006F
    DIRECT_REQUEST_64 = 0xC400_006F
    DIRECT_RESPONSE = 0x8400_0070
    DIRECT_RESPONSE_64 = 0xC400_0070
    CONSOLE_LOG = 0x8400_008A
    CONSOLE_LOG_64 = 0xC400_008A


SMC64_BIT = 1 << 30
NO_VECTOR_STATE_BIT = 1 << 16
"""SMCCC's hint in a function ID that no SVE state is live: dropped before decoding."""
