"""The FF-A functions that guests call or are answered with (DEN0077), and the paravirtual calls of VMs."""

from __future__ import annotations

from compiler.language import EnumU32


class Call(EnumU32):
    """Function identifiers; `_64` are the SMC64 forms."""

    ERROR = 0x8400_0060
    SUCCESS = 0x8400_0061
    SUCCESS_64 = 0xC400_0061
    INTERRUPT = 0x8400_0062
    VERSION = 0x8400_0063
    FEATURES = 0x8400_0064
    RX_RELEASE = 0x8400_0065
    RXTX_MAP_64 = 0xC400_0066
    RXTX_UNMAP = 0x8400_0067
    PARTITION_INFO_GET = 0x8400_0068
    ID_GET = 0x8400_0069
    MSG_WAIT = 0x8400_006B
    YIELD = 0x8400_006C
    RUN = 0x8400_006D
    DIRECT_REQUEST = 0x8400_006F
    DIRECT_REQUEST_64 = 0xC400_006F
    DIRECT_RESPONSE = 0x8400_0070
    DIRECT_RESPONSE_64 = 0xC400_0070
    NOTIFICATION_BIND = 0x8400_007F
    NOTIFICATION_UNBIND = 0x8400_0080
    NOTIFICATION_SET = 0x8400_0081
    NOTIFICATION_GET = 0x8400_0082
    NOTIFICATION_INFO_GET_64 = 0xC400_0083
    SPM_ID_GET = 0x8400_0085
    MSG_SEND2 = 0x8400_0086
    MEM_PERM_GET_64 = 0xC400_0088
    MEM_PERM_SET_64 = 0xC400_0089
    CONSOLE_LOG_64 = 0xC400_008A
    PARTITION_INFO_GET_REGS_64 = 0xC400_008B
    DIRECT_REQUEST_2 = 0xC400_008D
    DIRECT_RESPONSE_2 = 0xC400_008E


WAIT_FOR_INTERRUPT = 0xFF06
"""What FFA_RUN gives when the vCPU sleeps: w1 is the vCPU, w2 the nanoseconds until its timer, 0 where none runs."""


class Paravirtual(EnumU32):
    """Calls by which a VM controls its virtual interrupts."""

    INTERRUPT_ENABLE = 0xFF03
    INTERRUPT_GET = 0xFF04
