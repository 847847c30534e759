"""FF-A function IDs (DEN0077, and SMC Calling Convention DEN0028): those that are decoded or answered with."""

from __future__ import annotations

from compiler.language import EnumU32, u32


class Function(EnumU32):
    """Function identifiers; `_64` are the SMC64 forms."""

    ERROR = 0x8400_0060
    SUCCESS = 0x8400_0061
    SUCCESS_64 = 0xC400_0061
    INTERRUPT = 0x8400_0062
    VERSION = 0x8400_0063
    FEATURES = 0x8400_0064
    RX_RELEASE = 0x8400_0065
    RXTX_MAP = 0x8400_0066
    RXTX_MAP_64 = 0xC400_0066
    RXTX_UNMAP = 0x8400_0067
    PARTITION_INFO_GET = 0x8400_0068
    ID_GET = 0x8400_0069
    MSG_POLL = 0x8400_006A
    MSG_WAIT = 0x8400_006B
    YIELD = 0x8400_006C
    RUN = 0x8400_006D
    DIRECT_REQUEST = 0x8400_006F
    DIRECT_REQUEST_64 = 0xC400_006F
    DIRECT_RESPONSE = 0x8400_0070
    DIRECT_RESPONSE_64 = 0xC400_0070
    NOTIFICATION_BITMAP_CREATE = 0x8400_007D
    NOTIFICATION_BITMAP_DESTROY = 0x8400_007E
    NOTIFICATION_BIND = 0x8400_007F
    NOTIFICATION_UNBIND = 0x8400_0080
    NOTIFICATION_SET = 0x8400_0081
    NOTIFICATION_GET = 0x8400_0082
    NOTIFICATION_INFO_GET_64 = 0xC400_0083
    RX_ACQUIRE = 0x8400_0084
    SPM_ID_GET = 0x8400_0085
    MSG_SEND2 = 0x8400_0086
    MEM_PERM_GET = 0x8400_0088
    MEM_PERM_GET_64 = 0xC400_0088
    MEM_PERM_SET = 0x8400_0089
    MEM_PERM_SET_64 = 0xC400_0089
    CONSOLE_LOG = 0x8400_008A
    CONSOLE_LOG_64 = 0xC400_008A
    PARTITION_INFO_GET_REGS = 0xC400_008B
    DIRECT_REQUEST_2 = 0xC400_008D
    DIRECT_RESPONSE_2 = 0xC400_008E


SMC64_BIT = 1 << 30
NO_VECTOR_STATE_BIT = 1 << 16
"""SMCCC's hint in a function ID that no SVE state is live: dropped before decoding."""
FIRST_NUMBER = 0x60
LAST_NUMBER = 0x97
"""The range of FF-A's numbers in function IDs."""
NUMBER_BASE = 0x8400_0000


def is_ffa(function: u32) -> bool:
    """Whether a function ID is one of FF-A's, known or not."""
    number = function & ~SMC64_BIT
    return NUMBER_BASE + FIRST_NUMBER <= number <= NUMBER_BASE + LAST_NUMBER
