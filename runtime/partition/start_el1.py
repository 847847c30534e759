"""The first instructions of every CPU of a guest at EL1.

The first one enters at the first byte of the image, the others at `cpu_start`, by PSCI CPU_ON with their index in x0;
all at EL1 with SP_EL1, interrupts masked and the MMU off. Each gets the identity map, the vectors, a stack, the vector
unit, and its index in TPIDR_EL1.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import Array, assembly_block, constant, export, extern, u64, unreachable
from runtime.partition import hypervisor_call, program
from runtime.partition.identity_map import TABLE, TCR
from runtime.partition.stacks import SLOT_SIZE, STACKS_START
from runtime.partition.vectors import guest_vectors

CONDUIT = (hypervisor_call.ffa_call, hypervisor_call.ffa_call_long)
MAIR = 0xFF
"""Attribute 0: normal memory, write-back, allocating."""
SCTLR = 0x30D0_0800 | 1 << 0 | 1 << 2 | 1 << 3 | 1 << 12 | 1 << 16 | 1 << 18
"""SCTLR_EL1: what is RES1, M, C, SA, I, nTWI and nTWE; no alignment check."""
NO_VECTOR_TRAP = 3 << 20
"""CPACR_EL1.FPEN."""
CONTROL: Array[u64] = constant([TCR, SCTLR])


@extern("cpu_main")
def cpu_main(_index: u64) -> NoReturn:
    """What another CPU than the first runs."""
    unreachable()


@export("_start")
@assembly_block(
    """
    naked
    section ".text.start"
    global cpu_start
    call set_up
    in x0
    clobber x20, x21
    begin
        mov     x20, x0
        mov     x21, xzr
        b       {set_up}
    cpu_start:
        mov     x20, x0
        mov     x21, x0
        b       {set_up}
    """
)
def start() -> NoReturn:
    """Where the guest is entered."""
    unreachable()


@assembly_block(
    """
    naked
    call program.begin_program, cpu_main, guest_vectors, CONTROL, TABLE, STACKS_START
    in x20, x21
    clobber x0..x3, x29, x30, sp
    begin
        msr     DAIFSet, #0xf
        adrp    x0, {TABLE}
        adrp    x3, {CONTROL}
        add     x3, x3, :lo12:{CONTROL}
        ldp     x1, x3, [x3]
        mov     x2, #{MAIR}
        msr     TTBR0_EL1, x0
        msr     TCR_EL1, x1
        msr     MAIR_EL1, x2
        isb
        tlbi    vmalle1
        ic      iallu
        dsb     nsh
        isb
        msr     SCTLR_EL1, x3
        isb
        adrp    x0, {guest_vectors}
        add     x0, x0, :lo12:{guest_vectors}
        mov     x1, #{NO_VECTOR_TRAP}
        msr     VBAR_EL1, x0
        msr     CPACR_EL1, x1
        msr     TPIDR_EL1, x21
        isb
        adrp    x0, {STACKS_START}
        add     x1, x21, #1
        mov     x2, #{SLOT_SIZE}
        madd    x0, x1, x2, x0                      // the slot's end
        mov     sp, x0
        mov     x0, x20
        mov     x29, xzr                            // backtraces end here
        mov     x30, xzr
        cbnz    x21, 2f
        b       {program.begin_program}
    2:  b       {cpu_main}
    """,
    uses=(MAIR, NO_VECTOR_TRAP, SLOT_SIZE, STACKS_START, TABLE, guest_vectors, program),
)
def set_up() -> NoReturn:
    """Goes on alike for all: x20 is what the program gets, x21 the CPU's index."""
    unreachable()
