"""The exception vectors of EL2 (DDI 0487, D1.3.1): 16 entries of 32 instructions.

Synchronous exceptions of a vCPU continue in `short_calls.py`, interrupts and SErrors that it lets come to EL2 in
`switch.py`; programs in AArch32 at a guest's EL0 are no different. Everything else ends in a panic: at EL2 interrupts
are masked, and the hypervisor itself must not fault. A panic switches to its own stack before it touches memory through
SP, so that it can report a stack overflow.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import assembly_block, export, linker_symbol, size_of, unreachable
from hypervisor.arch.aarch64.context import Context
from hypervisor.arch.aarch64.short_calls import serve_synchronous
from hypervisor.arch.aarch64.stacks import PANIC_FRAMES, PANIC_STACK_SLOT_SIZE, PANIC_STACKS_START
from runtime import panic
from runtime.panic_frame import PanicFrame

SERVE_INTERRUPT = linker_symbol("serve_interrupt")
SERVE_SERROR = linker_symbol("serve_serror")


@export("exception_vectors")
@assembly_block(
    """
    naked
    section ".vectors" align 2048
    global el2_sp0_sync, el2_sp0_irq, el2_sp0_fiq, el2_sp0_serror
    global el2_sync, el2_irq, el2_fiq, el2_serror
    global lower_sync, lower_irq, lower_fiq, lower_serror
    global lower32_sync, lower32_irq, lower32_fiq, lower32_serror
    call enter_panic, serve_synchronous, SERVE_INTERRUPT, SERVE_SERROR
    in x0, x8..x11, sp
    clobber x0, memory
    begin
    el2_sp0_sync:
        msr     TPIDRRO_EL0, x0
        mov     x0, #0
        b       {enter_panic}
    .balign 128
    el2_sp0_irq:
        msr     TPIDRRO_EL0, x0
        mov     x0, #1
        b       {enter_panic}
    .balign 128
    el2_sp0_fiq:
        msr     TPIDRRO_EL0, x0
        mov     x0, #2
        b       {enter_panic}
    .balign 128
    el2_sp0_serror:
        msr     TPIDRRO_EL0, x0
        mov     x0, #3
        b       {enter_panic}
    .balign 128
    el2_sync:
        msr     TPIDRRO_EL0, x0
        mov     x0, #4
        b       {enter_panic}
    .balign 128
    el2_irq:
        msr     TPIDRRO_EL0, x0
        mov     x0, #5
        b       {enter_panic}
    .balign 128
    el2_fiq:
        msr     TPIDRRO_EL0, x0
        mov     x0, #6
        b       {enter_panic}
    .balign 128
    el2_serror:
        msr     TPIDRRO_EL0, x0
        mov     x0, #7
        b       {enter_panic}
    .balign 128
    lower_sync:
        b       {serve_synchronous}
    .balign 128
    lower_irq:
        stp     x8, x9, [sp, #{Context.x[8]}]
        stp     x10, x11, [sp, #{Context.x[10]}]
        b       {SERVE_INTERRUPT}
    .balign 128
    lower_fiq:
        stp     x8, x9, [sp, #{Context.x[8]}]
        stp     x10, x11, [sp, #{Context.x[10]}]
        b       {SERVE_INTERRUPT}
    .balign 128
    lower_serror:
        stp     x8, x9, [sp, #{Context.x[8]}]
        stp     x10, x11, [sp, #{Context.x[10]}]
        b       {SERVE_SERROR}
    .balign 128
    lower32_sync:                                   // a guest at EL1 may run AArch32 programs at EL0
        b       {serve_synchronous}
    .balign 128
    lower32_irq:
        stp     x8, x9, [sp, #{Context.x[8]}]
        stp     x10, x11, [sp, #{Context.x[10]}]
        b       {SERVE_INTERRUPT}
    .balign 128
    lower32_fiq:
        stp     x8, x9, [sp, #{Context.x[8]}]
        stp     x10, x11, [sp, #{Context.x[10]}]
        b       {SERVE_INTERRUPT}
    .balign 128
    lower32_serror:
        stp     x8, x9, [sp, #{Context.x[8]}]
        stp     x10, x11, [sp, #{Context.x[10]}]
        b       {SERVE_SERROR}
    """,
    uses=(SERVE_INTERRUPT, SERVE_SERROR, Context, serve_synchronous),
)
def exception_vectors() -> NoReturn:
    """Entered by the CPU alone; on the host there are no exceptions."""
    unreachable()


@assembly_block(
    """
    naked
    call panic.report_exception, PANIC_FRAMES, PANIC_STACKS_START
    in x0..x30, sp
    clobber x0..x3, sp, memory
    begin
        msr     TPIDR_EL0, x1                       // no partition runs again: its registers are scratch
        msr     SP_EL0, x2
        mrs     x1, TPIDR_EL2
        mov     x2, #{size_of(PanicFrame)}
        mul     x1, x1, x2
        adrp    x2, {PANIC_FRAMES}
        add     x2, x2, :lo12:{PANIC_FRAMES}
        add     x1, x1, x2                          // this CPU's frame
        str     x0, [x1, #{PanicFrame.vector}]
        mrs     x0, TPIDRRO_EL0
        mrs     x2, TPIDR_EL0
        stp     x0, x2, [x1, #{PanicFrame.x[0]}]
        mrs     x2, SP_EL0
        stp     x2, x3, [x1, #{PanicFrame.x[2]}]
        stp     x4, x5, [x1, #{PanicFrame.x[4]}]
        stp     x6, x7, [x1, #{PanicFrame.x[6]}]
        stp     x8, x9, [x1, #{PanicFrame.x[8]}]
        stp     x10, x11, [x1, #{PanicFrame.x[10]}]
        stp     x12, x13, [x1, #{PanicFrame.x[12]}]
        stp     x14, x15, [x1, #{PanicFrame.x[14]}]
        stp     x16, x17, [x1, #{PanicFrame.x[16]}]
        stp     x18, x19, [x1, #{PanicFrame.x[18]}]
        stp     x20, x21, [x1, #{PanicFrame.x[20]}]
        stp     x22, x23, [x1, #{PanicFrame.x[22]}]
        stp     x24, x25, [x1, #{PanicFrame.x[24]}]
        stp     x26, x27, [x1, #{PanicFrame.x[26]}]
        stp     x28, x29, [x1, #{PanicFrame.x[28]}]
        mov     x2, sp
        stp     x30, x2, [x1, #{PanicFrame.x[30]}]
        mrs     x2, ELR_EL2
        mrs     x3, SPSR_EL2
        stp     x2, x3, [x1, #{PanicFrame.program_counter}]
        mrs     x2, ESR_EL2
        mrs     x3, FAR_EL2
        stp     x2, x3, [x1, #{PanicFrame.syndrome}]
        ldr     x2, [x1, #{PanicFrame.depth}]
        add     x2, x2, #1
        str     x2, [x1, #{PanicFrame.depth}]
        mrs     x2, TPIDR_EL2
        add     x2, x2, #1
        mov     x3, #{PANIC_STACK_SLOT_SIZE}
        mul     x2, x2, x3
        adrp    x3, {PANIC_STACKS_START}
        add     x3, x3, :lo12:{PANIC_STACKS_START}
        add     x2, x2, x3
        mov     sp, x2                              // top of this CPU's panic stack
        mov     x0, x1
        b       {panic.report_exception}
    """,
    uses=(PANIC_FRAMES, PANIC_STACKS_START, PANIC_STACK_SLOT_SIZE, PanicFrame, panic, size_of),
)
def enter_panic() -> NoReturn:
    """Store all registers in this CPU's PanicFrame and report; x0 is the vector's number, TPIDRRO_EL0 the old x0."""
    unreachable()
