"""Exceptions of vCPUs, and the switch from one vCPU to the next.

While a vCPU runs, SP_EL2 is its `Vcpu`: the first instruction can store without a scratch register. x0 to x7 are the
message of a call: they go to the handler and come back from it in registers and are not stored. The handlers keep x19
to x28, so a call that ends in the same vCPU stores and loads x8 to x18 and the frame record only; the rest is saved
when the handler named a successor. Where HCR_EL2.API is set the key for return addresses changes too, and that needs a
barrier on the way in, the only one: exception entry and ERET synchronise (DDI 0487, D1.3.6).

EL1 registers stay in the CPU as long as nothing else needs them: `leave` saves those of the guest that owns them
before the vCPU that leaves can be claimed by another CPU, and `resume` loads those of a guest that does not own them.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import Ptr, address_of, assembly_block, linker_symbol, unreachable
from hypervisor import dispatch
from hypervisor.arch.aarch64 import exceptions
from hypervisor.arch.aarch64.context import Context
from hypervisor.arch.aarch64.el0_state import enter_el0_state, leave_el0_state
from hypervisor.arch.aarch64.el1_state import load_el1_state, save_el1_state
from hypervisor.arch.aarch64.guest_registers import APGAKeyHi_EL1, APGAKeyLo_EL1
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
from hypervisor.core.cpu import Cpu
from hypervisor.core.vcpu import Vcpu, VcpuState
from runtime.syndrome import ExceptionClass

EXCEPTION_CLASS_LSB = 26
INTERRUPT = 0x40
"""Stands for an interrupt where an exception class does for a synchronous exception."""
SERROR = 0x41
"""The same for an SError."""
RESUME_EL1 = linker_symbol("resume_el1")
TGE_BIT = 27
E2H_BIT = 34
API_BIT = 41


@assembly_block(
    """
    naked
    global serve_interrupt, serve_serror
    call dispatch.handle_call, exceptions.handle_exception, leave, HYPERVISOR_KEY
    in x0..x30, sp
    clobber caller_saved, x19..x30, sp, memory
    begin
        mrs     x8, ESR_EL2
        lsr     x8, x8, #{EXCEPTION_CLASS_LSB}
    1:  stp     x12, x13, [sp, #{Context.x[12]}]
        mov     x9, sp                              // the vCPU
        stp     x14, x15, [sp, #{Context.x[14]}]
        ldr     x10, [x9, #{Vcpu.cpu}]
        stp     x16, x17, [sp, #{Context.x[16]}]
        ldr     x11, [x10, #{Cpu.stack_top}]
        stp     x18, x19, [sp, #{Context.x[18]}]
        stp     x29, x30, [sp, #{Context.x[29]}]
        mov     sp, x11
        str     x9, [sp, #-16]!
        str     x9, [x10, #{Cpu.current}]
        mov     x29, xzr                            // backtraces end here
        mrs     x10, HCR_EL2
        cmp     x8, #{ExceptionClass.HVC.value}
        ccmp    x8, #{ExceptionClass.SVC.value}, #4, ne
        ccmp    x8, #{ExceptionClass.SMC.value}, #4, ne
        tbz     x10, #{API_BIT}, 2f
        mrs     x12, APIAKeyLo_EL1
        mrs     x13, APIAKeyHi_EL1
        adrp    x11, {HYPERVISOR_KEY}
        stp     x12, x13, [x9, #{Context.key_ia_low}]
        add     x11, x11, :lo12:{HYPERVISOR_KEY}
        ldp     x12, x13, [x11]
        msr     APIAKeyLo_EL1, x12
        msr     APIAKeyHi_EL1, x13
        isb                                         // the handlers sign with it
    2:  b.ne    5f                                  // not a call
        bl      {dispatch.handle_call}
    3:  ldr     x8, [sp], #16
        ldr     x9, [x8, #{Vcpu.successor}]
        cbnz    x9, 6f                              // another vCPU runs next

        ldr     x10, [x8, #{Context.configuration}]
        tbz     x10, #{API_BIT}, 4f
        ldp     x10, x11, [x8, #{Context.key_ia_low}]
        msr     APIAKeyLo_EL1, x10
        msr     APIAKeyHi_EL1, x11
    4:  mov     sp, x8
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

    serve_serror:
        mov     x8, #{SERROR}
        b       1b
    serve_interrupt:
        mov     x8, #{INTERRUPT}
        b       1b

    5:  stp     x0, x1, [x9, #{Context.x[0]}]
        stp     x2, x3, [x9, #{Context.x[2]}]
        stp     x4, x5, [x9, #{Context.x[4]}]
        stp     x6, x7, [x9, #{Context.x[6]}]
        stp     x20, x21, [x9, #{Context.x[20]}]
        stp     x22, x23, [x9, #{Context.x[22]}]
        stp     x24, x25, [x9, #{Context.x[24]}]
        stp     x26, x27, [x9, #{Context.x[26]}]
        str     x28, [x9, #{Context.x[28]}]
        mov     x0, x8
        bl      {exceptions.handle_exception}
        ldr     x8, [sp]                            // what was emulated may have changed any register
        ldr     x19, [x8, #{Context.x[19]}]
        ldp     x20, x21, [x8, #{Context.x[20]}]
        ldp     x22, x23, [x8, #{Context.x[22]}]
        ldp     x24, x25, [x8, #{Context.x[24]}]
        ldp     x26, x27, [x8, #{Context.x[26]}]
        ldr     x28, [x8, #{Context.x[28]}]
        b       3b

    6:  mrs     x10, SP_EL0
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
        ldr     x10, [x8, #{Context.configuration}]
        tbz     x10, #{API_BIT}, 7f
        mrs     x11, APGAKeyLo_EL1
        mrs     x12, APGAKeyHi_EL1
        stp     x11, x12, [x8, #{Context.key_ga_low}]
    7:  ldrb    w17, [x8, #{Vcpu.state_when_saved}]
        str     xzr, [x8, #{Vcpu.successor}]
        b       {leave}
    """,
    uses=(EXCEPTION_CLASS_LSB, HYPERVISOR_KEY, Context, Cpu, ExceptionClass, dispatch, exceptions),
)
def serve_exception() -> NoReturn:
    """What has no short path: call the handler, then go on with the same vCPU or its successor. x8 to x11 are saved."""
    unreachable()


@assembly_block(
    """
    naked
    call resume, RESUME_EL1, save_el1_state, enter_el0_state, leave_el0_state
    in x0..x7, x8 = source, x9 = target, x17
    clobber caller_saved, x19, x21..x24, x30, memory
    begin
        ldr     x21, [x8, #{Vcpu.cpu}]
        ldr     x10, [x9, #{Context.configuration}]
        str     x21, [x9, #{Vcpu.cpu}]
        ldr     x19, [x21, #{Cpu.el1_owner}]
        tbz     x10, #{E2H_BIT}, 4f
        tbz     x10, #{TGE_BIT}, 3f
        cmp     x19, x8                             // an EL0 partition is next and needs no EL1 register
        ccmp    w17, #{VcpuState.BLOCKED.value}, #4, eq
        b.ne    5f                                  // they are those of the vCPU that leaves, which may run elsewhere
    2:  add     x10, x8, #{Vcpu.state}
        stlrb   w17, [x10]                          // from here on another CPU may run it, if it waits
        b       {resume}

    3:  cmp     x19, x9                             // a guest at EL1 is next
        b.eq    2b
        cbz     x19, 2b
        mov     x22, x8
        mov     x23, x9
        mov     w24, w17
        add     x10, x19, #{Vcpu.el1}
        bl      {save_el1_state}
        add     x10, x22, #{Vcpu.state}
        stlrb   w24, [x10]
        b       {RESUME_EL1}

    5:  mov     x22, x8
        mov     x23, x9
        mov     w24, w17
        str     xzr, [x21, #{Cpu.el1_owner}]
        add     x10, x19, #{Vcpu.el1}
        bl      {save_el1_state}
        mov     x9, x23
        add     x10, x22, #{Vcpu.state}
        stlrb   w24, [x10]
        b       {resume}

    4:  ldr     x11, [x8, #{Context.configuration}] // without E2H
        mov     x22, x8
        mov     x23, x9
        mov     w24, w17
        add     x12, x19, #{Vcpu.el1}
        tbz     x11, #{TGE_BIT}, 6f
        tbnz    x10, #{TGE_BIT}, 2b                 // EL0 to EL0
        cbz     x19, 2b
        bl      {leave_el0_state}
        b       8f
    6:  tbz     x10, #{TGE_BIT}, 3b                 // EL1 to EL1
        cmp     w17, #{VcpuState.BLOCKED.value}
        b.eq    7f
        str     xzr, [x21, #{Cpu.el1_owner}]        // saved before EL0's values take the place of some
        mov     x10, x12
        bl      {save_el1_state}
    7:  add     x12, x19, #{Vcpu.el1}
        bl      {enter_el0_state}
    8:  mov     x8, x22
        mov     x9, x23
        mov     w17, w24
        ldr     x10, [x9, #{Context.configuration}]
        tbnz    x10, #{TGE_BIT}, 2b
        b       3b
    """,
    uses=(RESUME_EL1, Cpu, Vcpu, VcpuState, enter_el0_state, leave_el0_state, save_el1_state),
)
def leave(source: Vcpu, target: Vcpu) -> NoReturn:
    """Hand the CPU from `source`, whose registers are in its context, to `target`; w17 is what becomes of `source`."""
    unreachable()


@assembly_block(
    """
    naked
    global resume_el1
    call load_el1_state
    in x0..x7, x9 = vcpu, x21, x23
    clobber caller_saved, x19..x30, sp, memory
    begin
        ldp     x10, x11, [x9, #{Context.configuration}]
        msr     HCR_EL2, x10
        tbz     x10, #{TGE_BIT}, 4f
        tbz     x10, #{E2H_BIT}, 5f
        msr     TTBR0_EL2, x11
    1:  tbz     x10, #{API_BIT}, 2f
        ldp     x12, x13, [x9, #{Context.key_ia_low}]
        ldp     x14, x15, [x9, #{Context.key_ga_low}]
        msr     APIAKeyLo_EL1, x12
        msr     APIAKeyHi_EL1, x13
        msr     APGAKeyLo_EL1, x14
        msr     APGAKeyHi_EL1, x15
    2:  ldp     x10, x11, [x9, #{Context.program_counter}]
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

    4:  ldr     x21, [x9, #{Vcpu.cpu}]
        ldr     x13, [x21, #{Cpu.el1_owner}]
        mov     x23, x9
        cmp     x13, x9
        b.eq    1b                                  // its EL1 registers never left
    resume_el1:                                     // x23 runs next on the CPU x21, whose EL1 registers are nobody's
        ldr     x25, [x23, #{Context.configuration}]
        str     x23, [x21, #{Cpu.el1_owner}]
        msr     HCR_EL2, x25
        mov     x11, x25
        add     x10, x23, #{Vcpu.el1}
        bl      {load_el1_state}
        mov     x9, x23
        mov     x10, x25
        b       1b
    5:  msr     VTTBR_EL2, x11
        b       1b
    """,
    uses=(Cpu,),
)
def resume(vcpu: Vcpu) -> NoReturn:
    """Run a vCPU that this CPU owns; x0 to x7 are what it finds there. The twin shows the system registers."""
    context = vcpu.context
    configuration = HCR_EL2(context.configuration)
    HCR_EL2.write(context.configuration)
    if not configuration.TGE:
        cpu = Ptr[Cpu].at(vcpu.cpu).value
        owner = cpu.el1_owner
        if owner is None or owner.address != address_of(vcpu).address:
            cpu.el1_owner = address_of(vcpu)
            load_el1_state(vcpu.el1, context.configuration)
    elif configuration.E2H:
        TTBR0_EL2.write(context.translation)
    else:
        VTTBR_EL2.write(context.translation)
    if configuration.API:
        APIAKeyLo_EL1.write(context.key_ia_low)
        APIAKeyHi_EL1.write(context.key_ia_high)
        APGAKeyLo_EL1.write(context.key_ga_low)
        APGAKeyHi_EL1.write(context.key_ga_high)
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
