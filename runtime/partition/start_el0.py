"""The first instructions of a guest at EL0.

Its whole memory starts out readable and executable (DEN0077, partitions at EL0): before there is a stack, constants are
made read-only and data writable. The page below the stack stays as it was, which no stack can grow into.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import assembly_block, export, linker_symbol, unreachable
from runtime.partition import program, supervisor_call
from runtime.partition.functions import Call

CONDUIT = (supervisor_call.ffa_call, supervisor_call.ffa_call_long)
RODATA_START = linker_symbol("__rodata_start")
DATA_START = linker_symbol("__data_start")
BSS_END = linker_symbol("__bss_end")
STACK_START = linker_symbol("__stack_start")
STACK_END = linker_symbol("__stacks_end")
READ_ONLY = 7
READ_WRITE = 5
"""Permissions of FFA_MEM_PERM_SET, neither executable."""
PAGE_BITS = 12


@export("_start")
@assembly_block(
    """
    naked
    section ".text.start"
    call program.begin_program, RODATA_START, DATA_START, BSS_END, STACK_START, STACK_END
    in x0
    clobber caller_saved, x19, x20, x29, x30, sp
    begin
        mov     x19, x0
        mov     w20, #{Call.MEM_PERM_SET_64.value & 0xffff}
        movk    w20, #{Call.MEM_PERM_SET_64.value >> 16}, lsl #16

        adrp    x1, {RODATA_START}
        adrp    x2, {DATA_START}
        sub     x2, x2, x1
        lsr     x2, x2, #{PAGE_BITS}
        mov     x3, #{READ_ONLY}
        mov     x4, xzr
        mov     x5, xzr
        mov     x6, xzr
        mov     x7, xzr
        mov     x0, x20
        svc     #0

        adrp    x1, {DATA_START}
        adrp    x2, {BSS_END}
        sub     x2, x2, x1
        lsr     x2, x2, #{PAGE_BITS}
        mov     x3, #{READ_WRITE}
        mov     x4, xzr
        mov     x5, xzr
        mov     x6, xzr
        mov     x7, xzr
        mov     x0, x20
        svc     #0

        adrp    x1, {STACK_START}
        adrp    x2, {STACK_END}
        sub     x2, x2, x1
        lsr     x2, x2, #{PAGE_BITS}
        mov     x3, #{READ_WRITE}
        mov     x4, xzr
        mov     x5, xzr
        mov     x6, xzr
        mov     x7, xzr
        mov     x0, x20
        svc     #0

        adrp    x0, {STACK_END}
        mov     sp, x0
        mov     x0, x19
        mov     x29, xzr                            // backtraces end here
        mov     x30, xzr
        b       {program.begin_program}
    """,
    uses=(Call, program),
)
def start() -> NoReturn:
    """Where the guest is entered, at the first byte of its image."""
    unreachable()
