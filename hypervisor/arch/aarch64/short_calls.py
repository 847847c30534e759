"""The short paths: calls that the vectors answer, or pass on to another vCPU, without a stack and without the handlers.

`dispatch.handle_call` is the definition of every call. Each path here tests first that it does the same, changes
nothing before it is sure, and otherwise leaves to `serve_exception`, which calls the handler;
tests/emulated/test_short_calls.py runs both on the same states. No path signs or authenticates a pointer, so the
guest's key may stay in the CPU.

SP_EL2 is the vCPU. Until a path is sure it uses x8 to x11 only, which are saved first, and the flags. A trapped SMC is
stepped over here, for the handlers too.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import Array, assembly_block, constant, u64, unreachable
from hypervisor.arch.aarch64.context import Context
from hypervisor.arch.aarch64.switch import API_BIT, E2H_BIT, EXCEPTION_CLASS_LSB, TGE_BIT, leave, serve_exception
from hypervisor.core.cpu import Cpu
from hypervisor.core.partition import Partition
from hypervisor.core.vcpu import BY_ID, BY_ID_COUNT, RECEIVES_REQUESTS, SENDS_REQUESTS, Vcpu, VcpuState
from hypervisor.ffa.features import WITHOUT_PROPERTIES
from hypervisor.ffa.functions import SMC64_BIT, Function
from hypervisor.ffa.protocol import OWN_VERSION
from runtime.syndrome import ExceptionClass

SMC64_LSB = 30
BASE = 0x8400_0000
FIRST = 0x60
LAST = FIRST + 63
"""FF-A's numbers of functions start at BASE + FIRST; those that are known lie within a word's width."""
STANDARD_OWNER = 4
OWNER_LSB = 24
OWNER_WIDTH = 6
"""Position of the owner in a function ID; 0 is the architecture, 4 standard services (DEN0028, 6.1)."""
SENDS_LSB = SENDS_REQUESTS.bit_length() - 1
RECEIVES_LSB = RECEIVES_REQUESTS.bit_length() - 1


def _known(base: int) -> int:
    """A bit for each of them between `base` + FIRST and `base` + LAST."""
    numbers = [function.value - base - FIRST for function in WITHOUT_PROPERTIES]
    return sum(1 << number for number in numbers if 0 <= number <= LAST - FIRST)


KNOWN: Array[u64] = constant([_known(BASE), _known(BASE | SMC64_BIT)])
"""The functions of SMC32 and of SMC64 form that FFA_FEATURES reports to everybody, without properties."""


@assembly_block(
    """
    naked
    call serve_exception, leave, BY_ID, KNOWN
    in x0..x30, sp
    clobber x0..x30, sp, nzcv, memory
    begin
        stp     x8, x9, [sp, #{Context.x[8]}]
        stp     x10, x11, [sp, #{Context.x[10]}]
        mrs     x8, ESR_EL2
        mov     w9, #{BASE}
        lsr     w8, w8, #{EXCEPTION_CLASS_LSB}
        eor     x10, x0, x9                         // the function's number, if nothing is above
        cmp     w8, #{ExceptionClass.HVC.value}
        ccmp    w8, #{ExceptionClass.SVC.value}, #4, ne
        b.ne    other
    call:
        and     x11, x10, #{~SMC64_BIT}
        cmp     x11, #{Function.DIRECT_REQUEST.value - BASE}
        b.eq    request
        cmp     x11, #{Function.DIRECT_RESPONSE.value - BASE}
        b.eq    response
        cmp     x10, #{Function.ID_GET.value - BASE}
        b.eq    id_get
        cmp     x10, #{Function.VERSION.value - BASE}
        b.eq    version
        cmp     x10, #{Function.FEATURES.value - BASE}
        b.eq    features
        sub     x11, x11, #{FIRST}
        cmp     x11, #{LAST - FIRST}
        b.ls    slow                                // one of FF-A's
        cmp     w8, #{ExceptionClass.HVC.value}
        b.ne    slow                                // other calls may go to the firmware
        ubfx    w11, w0, #{OWNER_LSB}, #{OWNER_WIDTH}
        cbz     w11, slow                           // the architecture's, or the hypervisor's own
        cmp     w11, #{STANDARD_OWNER}
        b.eq    slow                                // PSCI, FF-A
        mov     x0, #-1                             // SMCCC's unknown function
        b       go_on

    other:
        cmp     w8, #{ExceptionClass.SMC.value}
        b.ne    slow
        mrs     x11, ELR_EL2                        // points at a trapped SMC, not behind it
        add     x11, x11, #4
        msr     ELR_EL2, x11
        b       call

    version:
        ldr     x8, [sp, #{Vcpu.attention}]
        ldr     x11, [sp, #{Vcpu.partition}]
        cbnz    x8, slow                            // the version may still change
        ldr     w8, [x11, #{Partition.version}]
        cmp     w1, w8
        b.ne    slow                                // another one was agreed on
        mov     w0, #{OWN_VERSION & 0xffff}
        movk    w0, #{OWN_VERSION >> 16}, lsl #16
        mov     x2, xzr
        b       answer

    features:
        eor     w10, w1, w9
        ldr     x11, [sp, #{Vcpu.attention}]
        and     w10, w10, #{~SMC64_BIT & 0xffffffff}
        sub     w10, w10, #{FIRST}
        cbnz    x11, slow                           // the first call makes the version final
        cmp     w10, #{LAST - FIRST}
        b.hi    slow                                // no function that is known
        adrp    x8, {KNOWN}
        add     x8, x8, :lo12:{KNOWN}
        ubfx    w9, w1, #{SMC64_LSB}, #1
        ldr     x8, [x8, x9, lsl #3]
        lsr     x8, x8, x10
        tbz     w8, #0, slow                        // not one that everybody has
        mov     x2, xzr
        b       succeed

    id_get:
        ldr     x8, [sp, #{Vcpu.attention}]
        cbnz    x8, slow                            // the first call makes the version final
        ldrh    w2, [sp, #{Vcpu.partition_id}]
    succeed:
        mov     w0, #{Function.SUCCESS.value & 0xffff}
        movk    w0, #{Function.SUCCESS.value >> 16}, lsl #16
    answer:
        mov     x1, xzr
        mov     x3, xzr
        mov     x4, xzr
        mov     x5, xzr
        mov     x6, xzr
        mov     x7, xzr
    go_on:
        ldp     x10, x11, [sp, #{Context.x[10]}]
        ldp     x8, x9, [sp, #{Context.x[8]}]
        eret
        dsb     nsh                                 // nothing beyond is executed speculatively
        isb

    slow:
        b       {serve_exception}

    request:
        cbnz    x2, slow                            // not a message of partitions
        ldrh    w8, [sp, #{Vcpu.partition_id}]
        and     x9, x1, #{BY_ID_COUNT - 1}          // an index that is in bounds, speculatively too
        cmp     x8, x1, lsr #16
        b.ne    slow                                // the sender is not the caller
        adrp    x10, {BY_ID}
        add     x10, x10, :lo12:{BY_ID}
        ldr     x9, [x10, x9, lsl #3]
        cbz     x9, slow                            // nobody with one vCPU has that ID
        ldrh    w8, [x9, #{Vcpu.partition_id}]
        ldr     x10, [sp, #{Vcpu.attention}]
        cmp     w8, w1, uxth
        b.ne    slow                                // not the one in the table
        ldr     x11, [x9, #{Vcpu.attention}]
        ldrb    w8, [sp, #{Vcpu.methods}]
        orr     x10, x10, x11
        ldrb    w11, [x9, #{Vcpu.methods}]
        cbnz    x10, slow                           // vectors to change, interrupts to take, the version to fix
        tbz     w8, #{SENDS_LSB}, slow
        tbz     w11, #{RECEIVES_LSB}, slow          // not by these two
        add     x10, x9, #{Vcpu.state}
    1:  ldaxrb  w8, [x10]
        cmp     w8, #{VcpuState.WAITING.value}
        b.ne    slow                                // busy or aborted; the caller itself runs
        mov     w11, #{VcpuState.RUNNING.value}
        stxrb   w8, w11, [x10]
        cbnz    w8, 1b
        // the receiver is this CPU's: from here on nothing fails
        mov     x8, sp
        stp     x16, x17, [sp, #{Context.x[16]}]
        ldp     x16, x17, [x9, #{Context.configuration}]
        str     x8, [x9, #{Vcpu.requester}]
        stp     x12, x13, [sp, #{Context.x[12]}]
        stp     x14, x15, [sp, #{Context.x[14]}]
        ldr     x15, [sp, #{Context.configuration}]
        mov     w14, #{VcpuState.BLOCKED.value}
        tbz     x15, #{API_BIT}, 2f
        tbnz    x15, #{TGE_BIT}, 2f                 // an EL0 partition cannot change its keys
        mrs     x10, APIAKeyLo_EL1
        mrs     x11, APIAKeyHi_EL1
        mrs     x12, APGAKeyLo_EL1
        mrs     x13, APGAKeyHi_EL1
        stp     x10, x11, [sp, #{Context.key_ia_low}]
        stp     x12, x13, [sp, #{Context.key_ga_low}]
    2:  tbz     x16, #{E2H_BIT}, pass
        tbz     x16, #{TGE_BIT}, pass               // EL1 registers to change
        ldr     x11, [sp, #{Vcpu.cpu}]
        strb    w14, [sp, #{Vcpu.state}]            // nobody can claim it so
        msr     HCR_EL2, x16
        str     x11, [x9, #{Vcpu.cpu}]
        msr     TTBR0_EL2, x17
        b       exchange

    response:
        cbnz    x2, slow                            // not a message of partitions
        ldrh    w8, [sp, #{Vcpu.partition_id}]
        ldr     x9, [sp, #{Vcpu.requester}]
        cmp     x8, x1, lsr #16
        b.ne    slow                                // the sender is not the caller
        cbz     x9, slow                            // no response is owed
        ldrh    w8, [x9, #{Vcpu.partition_id}]
        ldr     x10, [sp, #{Vcpu.attention}]
        cmp     w8, w1, uxth
        b.ne    slow                                // or not to this one
        ldr     x11, [x9, #{Vcpu.attention}]
        orr     x10, x10, x11
        cbnz    x10, slow                           // vectors to change, interrupts to take, another kind is owed
        mov     w8, #{VcpuState.RUNNING.value}
        str     xzr, [sp, #{Vcpu.requester}]
        strb    w8, [x9, #{Vcpu.state}]             // it was blocked, and this CPU answers it
        stp     x16, x17, [sp, #{Context.x[16]}]
        ldp     x16, x17, [x9, #{Context.configuration}]
        stp     x12, x13, [sp, #{Context.x[12]}]
        stp     x14, x15, [sp, #{Context.x[14]}]
        ldr     x15, [sp, #{Context.configuration}]
        mov     w14, #{VcpuState.WAITING.value}
        ldr     x8, [sp, #{Vcpu.cpu}]
        tbz     x15, #{TGE_BIT}, keys
        tbz     x15, #{E2H_BIT}, pass
        ldr     x10, [x8, #{Cpu.el1_owner}]
        tbnz    x16, #{TGE_BIT}, 3f
        cmp     x10, x9
        b.ne    pass                                // EL1 registers to change
        msr     HCR_EL2, x16
        b       exchange
    3:  str     x8, [x9, #{Vcpu.cpu}]
        msr     HCR_EL2, x16
        msr     TTBR0_EL2, x17

    exchange:                                       // x9 runs next, with HCR_EL2 x16; w14 becomes the caller's state
        mrs     x8, SP_EL0
        mrs     x10, ELR_EL2
        mrs     x11, SPSR_EL2
        mrs     x12, TPIDR_EL0
        mrs     x13, TPIDRRO_EL0
        stp     x18, x19, [sp, #{Context.x[18]}]
        stp     x20, x21, [sp, #{Context.x[20]}]
        stp     x22, x23, [sp, #{Context.x[22]}]
        stp     x24, x25, [sp, #{Context.x[24]}]
        stp     x26, x27, [sp, #{Context.x[26]}]
        stp     x28, x29, [sp, #{Context.x[28]}]
        stp     x30, x8, [sp, #{Context.x[30]}]
        stp     x10, x11, [sp, #{Context.program_counter}]
        stp     x12, x13, [sp, #{Context.thread_pointer}]
        add     x8, sp, #{Vcpu.state}
        ldp     x10, x11, [x9, #{Context.program_counter}]
        ldp     x12, x13, [x9, #{Context.thread_pointer}]
        mov     sp, x9
        stlrb   w14, [x8]                           // from here on another CPU may run the caller, if it waits
        tbz     x16, #{API_BIT}, 4f
        ldp     x14, x15, [x9, #{Context.key_ia_low}]
        ldp     x16, x17, [x9, #{Context.key_ga_low}]
        msr     APIAKeyLo_EL1, x14
        msr     APIAKeyHi_EL1, x15
        msr     APGAKeyLo_EL1, x16
        msr     APGAKeyHi_EL1, x17
    4:  msr     ELR_EL2, x10
        msr     SPSR_EL2, x11
        ldp     x30, x14, [x9, #{Context.x[30]}]
        msr     TPIDR_EL0, x12
        msr     TPIDRRO_EL0, x13
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
        tbnz    w0, #{SMC64_LSB}, 5f
        mov     w3, w3                              // SMC32 passes the low halves on
        mov     w4, w4
        mov     w5, w5
        mov     w6, w6
        mov     w7, w7
    5:  eret
        dsb     nsh                                 // nothing beyond is executed speculatively
        isb

    keys:
        tbz     x15, #{API_BIT}, pass
        mrs     x10, APIAKeyLo_EL1
        mrs     x11, APIAKeyHi_EL1
        mrs     x12, APGAKeyLo_EL1
        mrs     x13, APGAKeyHi_EL1
        stp     x10, x11, [sp, #{Context.key_ia_low}]
        stp     x12, x13, [sp, #{Context.key_ga_low}]
    pass:                                           // the same by `leave`
        mrs     x8, SP_EL0
        mrs     x10, ELR_EL2
        mrs     x11, SPSR_EL2
        mrs     x12, TPIDR_EL0
        mrs     x13, TPIDRRO_EL0
        mov     w17, w14
        stp     x18, x19, [sp, #{Context.x[18]}]
        stp     x20, x21, [sp, #{Context.x[20]}]
        stp     x22, x23, [sp, #{Context.x[22]}]
        stp     x24, x25, [sp, #{Context.x[24]}]
        stp     x26, x27, [sp, #{Context.x[26]}]
        stp     x28, x29, [sp, #{Context.x[28]}]
        stp     x30, x8, [sp, #{Context.x[30]}]
        stp     x10, x11, [sp, #{Context.program_counter}]
        stp     x12, x13, [sp, #{Context.thread_pointer}]
        mov     x8, sp
        tbnz    w0, #{SMC64_LSB}, 6f
        mov     w3, w3                              // SMC32 passes the low halves on
        mov     w4, w4
        mov     w5, w5
        mov     w6, w6
        mov     w7, w7
    6:  b       {leave}
    """,
    uses=(
        API_BIT,
        BASE,
        E2H_BIT,
        BY_ID,
        BY_ID_COUNT,
        EXCEPTION_CLASS_LSB,
        FIRST,
        KNOWN,
        LAST,
        OWNER_LSB,
        OWNER_WIDTH,
        OWN_VERSION,
        RECEIVES_LSB,
        SENDS_LSB,
        SMC64_LSB,
        STANDARD_OWNER,
        TGE_BIT,
        Context,
        Cpu,
        ExceptionClass,
        Function,
        Partition,
        Vcpu,
        VcpuState,
        leave,
        serve_exception,
    ),
)
def serve_synchronous() -> NoReturn:
    """A partition's synchronous exception. On the host there are none; handlers are called directly."""
    unreachable()
