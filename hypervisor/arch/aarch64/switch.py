"""Exceptions of partitions, and the switch from one vCPU to the next.

While a partition runs, SP_EL2 is its `Vcpu`: the first instruction can store without a scratch register. x0 to x7 are
the message of an FF-A call: they go to the handler and come back from it in registers and are not stored. The
handlers keep x19 to x28, so a call that ends in the same partition stores and loads x8 to x18 and the frame record
only; the rest is saved when the handler named a successor. Where HCR_EL2.API is set the key for return addresses
changes too, and that needs a barrier on the way in, the only one: exception entry and ERET synchronise (DDI 0487,
D1.3.6).
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import assembly_block, size_of, unreachable
from hypervisor.arch.aarch64 import exceptions
from hypervisor.arch.aarch64.context import Context
from hypervisor.arch.aarch64.pointer_keys import HYPERVISOR_KEY
from hypervisor.arch.aarch64.registers import (
    ELR_EL2,
    HCR_EL2,
    SP_EL0,
    SPSR_EL2,
    TPIDR_EL0,
    TPIDRRO_EL0,
    TTBR0_EL2,
    VTTBR_EL2,
    APIAKeyHi_EL1,
    APIAKeyLo_EL1,
)
from hypervisor.core.cpu import CPUS, Cpu
from hypervisor.core.vcpu import Vcpu
from hypervisor.ffa import dispatch
from runtime.syndrome import ExceptionClass

EXCEPTION_CLASS_LSB = 26
E2H_BIT = 34
API_BIT = 41


@assembly_block(
    """
    naked
    call dispatch.handle_call, exceptions.handle_exception, resume, CPUS, HYPERVISOR_KEY
    in x0..x30, sp
    clobber caller_saved, x29, x30, sp, memory
    begin
        stp     x12, x13, [sp, #{Context.x[12]}]
        mrs     x8, ESR_EL2
        stp     x14, x15, [sp, #{Context.x[14]}]
        mov     x9, sp                              // the vCPU
        stp     x16, x17, [sp, #{Context.x[16]}]
        lsr     x8, x8, #{EXCEPTION_CLASS_LSB}
        stp     x18, x19, [sp, #{Context.x[18]}]
        stp     x29, x30, [sp, #{Context.x[29]}]
        ldr     x10, [x9, #{Vcpu.hypervisor_stack}]
        cmp     x8, #{ExceptionClass.SVC.value}
        mov     sp, x10
        str     x9, [sp, #-16]!
        mrs     x10, TPIDR_EL2
        mov     x11, #{size_of(Cpu)}
        adrp    x12, {CPUS}
        add     x12, x12, :lo12:{CPUS}
        madd    x12, x10, x11, x12
        str     x9, [x12, #{Cpu.current}]
        mov     x29, xzr                            // backtraces end here
        mrs     x10, HCR_EL2
        tbz     x10, #{API_BIT}, 1f
        adrp    x11, {HYPERVISOR_KEY}
        add     x11, x11, :lo12:{HYPERVISOR_KEY}
        ldp     x12, x13, [x11]
        msr     APIAKeyLo_EL1, x12
        msr     APIAKeyHi_EL1, x13
        isb                                         // the handlers sign with it
    1:  b.ne    4f                                  // not a call
        bl      {dispatch.handle_call}
    2:  ldr     x8, [sp], #16
        ldr     x9, [x8, #{Vcpu.successor}]
        cbnz    x9, 5f                              // another vCPU runs next

        ldr     x10, [x8, #{Context.configuration}]
        tbz     x10, #{API_BIT}, 3f
        ldp     x10, x11, [x8, #{Context.key_low}]
        msr     APIAKeyLo_EL1, x10
        msr     APIAKeyHi_EL1, x11
    3:  mov     sp, x8
        ldp     x29, x30, [sp, #{Context.x[29]}]
        ldr     x18, [sp, #{Context.x[18]}]
        ldp     x16, x17, [sp, #{Context.x[16]}]
        ldp     x14, x15, [sp, #{Context.x[14]}]
        ldp     x12, x13, [sp, #{Context.x[12]}]
        ldp     x10, x11, [sp, #{Context.x[10]}]
        ldp     x8, x9, [sp, #{Context.x[8]}]
        eret
        dsb     nsh                                 // nothing beyond is executed speculatively
        isb

    4:  stp     x0, x1, [x9, #{Context.x[0]}]
        stp     x2, x3, [x9, #{Context.x[2]}]
        stp     x4, x5, [x9, #{Context.x[4]}]
        stp     x6, x7, [x9, #{Context.x[6]}]
        stp     x20, x21, [x9, #{Context.x[20]}]
        stp     x22, x23, [x9, #{Context.x[22]}]
        stp     x24, x25, [x9, #{Context.x[24]}]
        stp     x26, x27, [x9, #{Context.x[26]}]
        str     x28, [x9, #{Context.x[28]}]
        bl      {exceptions.handle_exception}
        b       2b

    5:  mrs     x10, SP_EL0
        mrs     x11, ELR_EL2
        mrs     x12, SPSR_EL2
        mrs     x13, TPIDR_EL0
        mrs     x14, TPIDRRO_EL0
        stp     x20, x21, [x8, #{Context.x[20]}]
        stp     x22, x23, [x8, #{Context.x[22]}]
        stp     x24, x25, [x8, #{Context.x[24]}]
        stp     x26, x27, [x8, #{Context.x[26]}]
        str     x28, [x8, #{Context.x[28]}]
        str     x10, [x8, #{Context.stack_pointer}]
        stp     x11, x12, [x8, #{Context.program_counter}]
        stp     x13, x14, [x8, #{Context.thread_pointer}]
        ldrb    w10, [x8, #{Vcpu.state_when_saved}]
        str     xzr, [x8, #{Vcpu.successor}]
        add     x8, x8, #{Vcpu.state}
        stlrb   w10, [x8]                           // from here on another CPU may run it
        b       {resume}
    """,
    uses=(CPUS, EXCEPTION_CLASS_LSB, HYPERVISOR_KEY, Context, Cpu, ExceptionClass, dispatch, exceptions, size_of),
)
def serve_exception() -> NoReturn:
    """What has no short path: call the handler, then go on with the same vCPU or its successor. x8 to x11 are saved."""
    unreachable()


@assembly_block(
    """
    naked
    in x0..x7, x9 = vcpu
    clobber x8..x30, sp
    begin
        ldp     x10, x11, [x9, #{Context.configuration}]
        msr     HCR_EL2, x10
        tbz     x10, #{E2H_BIT}, 1f
        msr     TTBR0_EL2, x11
    2:  tbz     x10, #{API_BIT}, 3f
        ldp     x12, x13, [x9, #{Context.key_low}]
        msr     APIAKeyLo_EL1, x12
        msr     APIAKeyHi_EL1, x13
    3:  ldp     x10, x11, [x9, #{Context.program_counter}]
        ldp     x12, x13, [x9, #{Context.thread_pointer}]
        msr     ELR_EL2, x10
        msr     SPSR_EL2, x11
        msr     TPIDR_EL0, x12
        msr     TPIDRRO_EL0, x13
        ldp     x30, x14, [x9, #{Context.x[30]}]
        mov     sp, x9
        msr     SP_EL0, x14
        ldp     x28, x29, [sp, #{Context.x[28]}]
        ldp     x26, x27, [sp, #{Context.x[26]}]
        ldp     x24, x25, [sp, #{Context.x[24]}]
        ldp     x22, x23, [sp, #{Context.x[22]}]
        ldp     x20, x21, [sp, #{Context.x[20]}]
        ldp     x18, x19, [sp, #{Context.x[18]}]
        ldp     x16, x17, [sp, #{Context.x[16]}]
        ldp     x14, x15, [sp, #{Context.x[14]}]
        ldp     x12, x13, [sp, #{Context.x[12]}]
        ldp     x10, x11, [sp, #{Context.x[10]}]
        ldp     x8, x9, [sp, #{Context.x[8]}]
        eret
        dsb     nsh
        isb
    1:  msr     VTTBR_EL2, x11
        b       2b
    """
)
def resume(vcpu: Vcpu) -> NoReturn:
    """Run a vCPU that this CPU owns; x0 to x7 are what it finds there. The twin shows the system registers."""
    context = vcpu.context
    HCR_EL2.write(context.configuration)
    if HCR_EL2(context.configuration).E2H:
        TTBR0_EL2.write(context.translation)
    else:
        VTTBR_EL2.write(context.translation)
    if HCR_EL2(context.configuration).API:
        APIAKeyLo_EL1.write(context.key_low)
        APIAKeyHi_EL1.write(context.key_high)
    ELR_EL2.write(context.program_counter)
    SPSR_EL2.write(context.processor_state)
    TPIDR_EL0.write(context.thread_pointer)
    TPIDRRO_EL0.write(context.thread_pointer_read_only)
    SP_EL0.write(context.stack_pointer)
    unreachable()


@assembly_block(
    """
    naked
    call resume
    in x0 = vcpu
    clobber x0..x7, x9
    begin
        mov     x9, x0
        ldp     x0, x1, [x9, #{Context.x[0]}]
        ldp     x2, x3, [x9, #{Context.x[2]}]
        ldp     x4, x5, [x9, #{Context.x[4]}]
        ldp     x6, x7, [x9, #{Context.x[6]}]
        b       {resume}
    """
)
def enter(vcpu: Vcpu) -> NoReturn:
    """Run a vCPU that this CPU owns, with the x0 to x7 of its context. The caller's stack is given up."""
    resume(vcpu)
