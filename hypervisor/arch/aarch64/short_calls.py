"""The short paths: calls that the vectors answer, or pass on to another vCPU, without a stack and without the handlers.

`dispatch.handle_call` is the definition of every call. Each path here tests first that it does the same, changes
nothing before it is sure, and otherwise leaves to `serve_exception`, which calls the handler;
tests/emulated/test_short_calls.py runs both on the same states. No path signs or authenticates a pointer, so the
partition's key may stay in the CPU.

SP_EL2 is the vCPU, with which its partition begins. Until a path is sure it uses x8 to x11 only, which are saved first,
and the flags.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import Array, assembly_block, constant, u64, unreachable
from hypervisor.arch.aarch64.context import Context
from hypervisor.arch.aarch64.switch import resume, serve_exception
from hypervisor.core.partition import BY_ID, BY_ID_COUNT, Partition
from hypervisor.core.vcpu import Vcpu, VcpuState
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import NO_VECTOR_STATE_BIT, SMC64_BIT, Function
from hypervisor.ffa.protocol import VERSION_1_2
from runtime.syndrome import ExceptionClass

EXCEPTION_CLASS_LSB = 26
SMC64_LSB = 30
BASE = 0x8400_0000
FIRST = 0x60
LAST = FIRST + 63
"""FF-A's numbers of functions start at BASE + FIRST; those that are known lie within a word's width."""


def _known(base: int) -> int:
    """A bit for each function between `base` + FIRST and `base` + LAST."""
    numbers = [function.value - base - FIRST for function in Function]
    return sum(1 << number for number in numbers if 0 <= number <= LAST - FIRST)


KNOWN: Array[u64] = constant([_known(BASE), _known(BASE | SMC64_BIT)])
"""The functions of SMC32 and of SMC64 form that handlers serve."""


@assembly_block(
    """
    naked
    call serve_exception, resume, BY_ID, KNOWN
    in x0..x30, sp
    clobber x0..x14, nzcv, memory
    begin
        stp     x8, x9, [sp, #{Context.x[8]}]
        stp     x10, x11, [sp, #{Context.x[10]}]
        mrs     x8, ESR_EL2
        mov     w9, #{BASE}
        lsr     w8, w8, #{EXCEPTION_CLASS_LSB}
        eor     w10, w0, w9
        cmp     w8, #{ExceptionClass.SVC.value}
        b.ne    slow                                // no call
        and     w11, w10, #{~SMC64_BIT & 0xffffffff}
        cmp     w11, #{Function.DIRECT_REQUEST.value - BASE}
        b.eq    request
        cmp     w11, #{Function.DIRECT_RESPONSE.value - BASE}
        b.eq    response
        cmp     w10, #{Function.ID_GET.value - BASE}
        b.eq    id_get
        cmp     w10, #{Function.VERSION.value - BASE}
        b.eq    version
        cmp     w10, #{Function.FEATURES.value - BASE}
        b.eq    features

        and     w11, w11, #{~NO_VECTOR_STATE_BIT & 0xffffffff}
        sub     w11, w11, #{FIRST}
        cmp     w11, #{LAST - FIRST}
        b.hi    unknown
        adrp    x8, {KNOWN}
        add     x8, x8, :lo12:{KNOWN}
        ubfx    w9, w0, #{SMC64_LSB}, #1
        ldr     x8, [x8, x9, lsl #3]
        lsr     x8, x8, x11
        tbnz    w8, #0, slow                        // a function without a short path, or with the hint
    unknown:
        ldp     x8, x9, [sp, #{Vcpu.counts.calls}]
        add     x8, x8, #1
        add     x9, x9, #1
        stp     x8, x9, [sp, #{Vcpu.counts.calls}]
        mov     w0, #{Function.ERROR.value & 0xffff}
        movk    w0, #{Function.ERROR.value >> 16}, lsl #16
        mov     w2, #{FfaError.NOT_SUPPORTED.value & 0xffffffff}
        b       answer

    version:
        mov     w10, #{VERSION_1_2 & 0xffff}
        movk    w10, #{VERSION_1_2 >> 16}, lsl #16
        ldr     w8, [sp, #{Vcpu.version}]
        ldrb    w9, [sp, #{Vcpu.version_is_final}]
        cmp     w1, w10
        b.ne    slow                                // another version than ours may be right too
        cbz     w9, 1f
        cmp     w8, w10
        b.ne    slow                                // another one was agreed on
    1:  ldr     x8, [sp, #{Vcpu.counts.calls}]
        str     w10, [sp, #{Vcpu.version}]
        add     x8, x8, #1
        mov     w0, w10
        str     x8, [sp, #{Vcpu.counts.calls}]
        mov     x2, xzr
        b       answer

    features:
        eor     w10, w1, w9
        and     w10, w10, #{~SMC64_BIT & 0xffffffff}
        sub     w10, w10, #{FIRST}
        cmp     w10, #{LAST - FIRST}
        b.hi    slow                                // no function that is known
        adrp    x8, {KNOWN}
        add     x8, x8, :lo12:{KNOWN}
        ubfx    w9, w1, #{SMC64_LSB}, #1
        ldr     x8, [x8, x9, lsl #3]
        lsr     x8, x8, x10
        tbz     w8, #0, slow                        // no function that is known
        mov     x2, xzr
        b       succeed

    id_get:
        ldrh    w2, [sp, #{Partition.id}]
    succeed:
        ldr     x8, [sp, #{Vcpu.counts.calls}]
        mov     w9, #1
        strb    w9, [sp, #{Vcpu.version_is_final}]
        add     x8, x8, #1
        mov     w0, #{Function.SUCCESS.value & 0xffff}
        str     x8, [sp, #{Vcpu.counts.calls}]
        movk    w0, #{Function.SUCCESS.value >> 16}, lsl #16
    answer:
        mov     x1, xzr
        mov     x3, xzr
        mov     x4, xzr
        mov     x5, xzr
        mov     x6, xzr
        mov     x7, xzr
        ldp     x10, x11, [sp, #{Context.x[10]}]
        ldp     x8, x9, [sp, #{Context.x[8]}]
        eret
        dsb     nsh                                 // nothing beyond is executed speculatively
        isb

    slow:
        b       {serve_exception}

    request:
        cbnz    w2, slow                            // not a message of partitions
        ldrh    w8, [sp, #{Partition.id}]
        and     x9, x1, #{BY_ID_COUNT - 1}          // an index that is in bounds, speculatively too
        cmp     w8, w1, lsr #16
        b.ne    slow                                // the sender is not the caller
        adrp    x10, {BY_ID}
        add     x10, x10, :lo12:{BY_ID}
        ldr     x9, [x10, x9, lsl #3]
        cbz     x9, slow                            // nobody has that ID
        ldrh    w8, [x9, #{Partition.id}]
        add     x10, x9, #{Vcpu.state}
        cmp     w8, w1, uxth
        b.ne    slow                                // not the one in the table
    1:  ldaxrb  w8, [x10]
        cmp     w8, #{VcpuState.WAITING.value}
        b.ne    slow                                // busy or aborted; the caller itself runs
        mov     w11, #{VcpuState.RUNNING.value}
        stxrb   w8, w11, [x10]
        cbnz    w8, 1b
        // the receiver is this CPU's: from here on nothing fails
        ldp     x10, x11, [sp, #{Vcpu.counts.requests}]
        mov     w8, #1
        strb    w8, [sp, #{Vcpu.version_is_final}]
        add     x10, x10, #1
        add     x11, x11, #1
        stp     x10, x11, [sp, #{Vcpu.counts.requests}]
        ldr     x8, [sp, #{Vcpu.hypervisor_stack}]
        mov     x10, sp
        mov     w11, #{VcpuState.BLOCKED.value}
        str     x8, [x9, #{Vcpu.hypervisor_stack}]
        str     x10, [x9, #{Vcpu.requester}]
        b       deliver

    response:
        cbnz    w2, slow                            // not a message of partitions
        ldrh    w8, [sp, #{Partition.id}]
        ldr     x9, [sp, #{Vcpu.requester}]
        cmp     w8, w1, lsr #16
        b.ne    slow                                // the sender is not the caller
        cbz     x9, slow                            // no response is owed
        ldrh    w8, [x9, #{Partition.id}]
        cmp     w8, w1, uxth
        b.ne    slow                                // or not to this one
        ldr     x10, [sp, #{Vcpu.counts.calls}]
        ldr     x11, [sp, #{Vcpu.counts.responses}]
        mov     w8, #1
        strb    w8, [sp, #{Vcpu.version_is_final}]
        add     x10, x10, #1
        add     x11, x11, #1
        str     x10, [sp, #{Vcpu.counts.calls}]
        str     x11, [sp, #{Vcpu.counts.responses}]
        str     xzr, [sp, #{Vcpu.requester}]
        mov     w8, #{VcpuState.RUNNING.value}
        mov     w11, #{VcpuState.WAITING.value}
        strb    w8, [x9, #{Vcpu.state}]             // it was blocked on this CPU

    deliver:                                        // x9 runs next; w11 is what the caller's state becomes
        stp     x12, x13, [sp, #{Context.x[12]}]
        mrs     x8, SP_EL0
        stp     x14, x15, [sp, #{Context.x[14]}]
        mrs     x10, ELR_EL2
        stp     x16, x17, [sp, #{Context.x[16]}]
        mrs     x12, SPSR_EL2
        stp     x18, x19, [sp, #{Context.x[18]}]
        mrs     x13, TPIDR_EL0
        stp     x20, x21, [sp, #{Context.x[20]}]
        mrs     x14, TPIDRRO_EL0
        stp     x22, x23, [sp, #{Context.x[22]}]
        stp     x24, x25, [sp, #{Context.x[24]}]
        stp     x26, x27, [sp, #{Context.x[26]}]
        stp     x28, x29, [sp, #{Context.x[28]}]
        stp     x30, x8, [sp, #{Context.x[30]}]
        stp     x10, x12, [sp, #{Context.program_counter}]
        stp     x13, x14, [sp, #{Context.thread_pointer}]
        add     x10, sp, #{Vcpu.state}
        stlrb   w11, [x10]                          // from here on another CPU may run it, if it waits
        tbnz    w0, #{SMC64_LSB}, 1f
        mov     w3, w3                              // SMC32 passes the low halves on
        mov     w4, w4
        mov     w5, w5
        mov     w6, w6
        mov     w7, w7
    1:  mov     w0, w0
        mov     w1, w1
        mov     x2, xzr
        b       {resume}
    """,
    uses=(
        BASE,
        BY_ID,
        BY_ID_COUNT,
        EXCEPTION_CLASS_LSB,
        FIRST,
        KNOWN,
        LAST,
        NO_VECTOR_STATE_BIT,
        SMC64_LSB,
        VERSION_1_2,
        Context,
        ExceptionClass,
        FfaError,
        Function,
        Partition,
        Vcpu,
        VcpuState,
        resume,
        serve_exception,
    ),
)
def serve_synchronous() -> NoReturn:
    """A partition's synchronous exception. On the host there are none; handlers are called directly."""
    unreachable()
