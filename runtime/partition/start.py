"""The first instructions of a partition at EL0.

The loader has set the stack and zeroed data; the program exports `partition_main`. When that returns, the partition
waits for messages for ever and answers none.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import assembly_block, export, extern, unreachable
from hypervisor.ffa.functions import Function
from runtime.partition import supervisor_call

CONDUIT = (supervisor_call.ffa_call, supervisor_call.ffa_call_long)


@extern("partition_main")
def partition_main() -> None:
    """The partition's program."""
    unreachable()


@export("_start")
@assembly_block(
    """
    naked
    section ".text.start"
    call partition_main
    clobber caller_saved, x29, x30
    begin
        mov     x29, xzr                            // backtraces end here
        mov     x30, xzr
        bl      {partition_main}
    1:  mov     w0, #{Function.MSG_WAIT.value & 0xffff}
        movk    w0, #{Function.MSG_WAIT.value >> 16}, lsl #16
        mov     x1, xzr
        mov     x2, xzr
        mov     x3, xzr
        mov     x4, xzr
        mov     x5, xzr
        mov     x6, xzr
        mov     x7, xzr
        svc     #0
        b       1b
    """,
    uses=(Function,),
)
def start() -> NoReturn:
    """Where the partition is entered."""
    unreachable()
