"""The conduit of guests at EL1: HVC with the function ID in w0 (DEN0077, conduits)."""

from __future__ import annotations

from compiler.language import Ptr, assembly_block, export, truncate, u32, u64
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import MessageRegisters
from runtime.partition.functions import Call
from runtime.partition.message import LongMessage


@export("ffa_call")
@assembly_block(
    """
    in x0 = x0, x1 = x1, x2 = x2, x3 = x3, x4 = x4, x5 = x5, x6 = x6, x7 = x7
    out x0, x1, x2, x3, x4, x5, x6, x7
    clobber x8..x17, memory
    begin
        hvc     #0
        ret
    """
)
def ffa_call(x0: u64, x1: u64, x2: u64, x3: u64, x4: u64, x5: u64, x6: u64, x7: u64) -> MessageRegisters:
    """A call with eight registers. The twin has no hypervisor beneath: nothing is supported."""
    return Call.ERROR.value, 0, truncate(u32, FfaError.NOT_SUPPORTED.value), 0, 0, 0, 0, 0


@export("ffa_call_long")
@assembly_block(
    """
    in x0 = message
    clobber x0..x17, memory
    begin
        str     x19, [sp, #-16]!
        mov     x19, x0
        ldp     x0, x1, [x19, #{LongMessage.x[0]}]
        ldp     x2, x3, [x19, #{LongMessage.x[2]}]
        ldp     x4, x5, [x19, #{LongMessage.x[4]}]
        ldp     x6, x7, [x19, #{LongMessage.x[6]}]
        ldp     x8, x9, [x19, #{LongMessage.x[8]}]
        ldp     x10, x11, [x19, #{LongMessage.x[10]}]
        ldp     x12, x13, [x19, #{LongMessage.x[12]}]
        ldp     x14, x15, [x19, #{LongMessage.x[14]}]
        ldp     x16, x17, [x19, #{LongMessage.x[16]}]
        hvc     #0
        stp     x0, x1, [x19, #{LongMessage.x[0]}]
        stp     x2, x3, [x19, #{LongMessage.x[2]}]
        stp     x4, x5, [x19, #{LongMessage.x[4]}]
        stp     x6, x7, [x19, #{LongMessage.x[6]}]
        stp     x8, x9, [x19, #{LongMessage.x[8]}]
        stp     x10, x11, [x19, #{LongMessage.x[10]}]
        stp     x12, x13, [x19, #{LongMessage.x[12]}]
        stp     x14, x15, [x19, #{LongMessage.x[14]}]
        stp     x16, x17, [x19, #{LongMessage.x[16]}]
        ldr     x19, [sp], #16
        ret
    """
)
def ffa_call_long(message: Ptr[LongMessage]) -> None:
    """A call with x0 to x17; the twin as above."""
    message.value.x[0] = Call.ERROR.value
    message.value.x[2] = truncate(u32, FfaError.NOT_SUPPORTED.value)
