"""Exceptions that the hypervisor gives to a guest at EL1, as the CPU would have taken them there.

The guest is the one whose exception this CPU serves: its EL1 registers are in the CPU, and ELR_EL2 and SPSR_EL2 say
where it was. Rules are those of DDI 0487, D1.3.
"""

from __future__ import annotations

from compiler.language import Bits, bit, bits, u64
from hypervisor.arch.aarch64.guest_registers import (
    ELR_EL1,
    ELR_EL12,
    ESR_EL1,
    ESR_EL12,
    FAR_EL1,
    FAR_EL12,
    SCTLR_EL12,
    SPSR_EL1,
    SPSR_EL12,
    VBAR_EL1,
    VBAR_EL12,
)
from hypervisor.arch.aarch64.registers import ELR_EL2, FAR_EL2, HCR_EL2, SCTLR_EL1, SPSR_EL2
from runtime.syndrome import AbortSyndrome, ExceptionClass


class ProcessorState(Bits, base=u64):
    """SPSR of an exception from AArch64; M[4] tells AArch32."""

    M = bits(3, 0)
    AARCH32 = bit(4)
    F = bit(6)
    I = bit(7)  # noqa: E741
    A = bit(8)
    D = bit(9)
    SSBS = bit(12)
    DIT = bit(24)
    PAN = bit(22)
    TCO = bit(25)
    FLAGS = bits(31, 28)


class SystemControl(Bits, base=u64):
    """Of SCTLR_EL1 what exceptions to EL1 look at."""

    SPAN = bit(23)
    DSSBS = bit(44)


class Syndrome(Bits, base=u64):
    """An ESR."""

    ISS = bits(24, 0)
    IL = bit(25)
    EC = bits(31, 26)


EL1_WITH_SP_EL0 = 0b0100
EL1_WITH_SP_EL1 = 0b0101
VECTOR_SP_EL0 = 0x000
VECTOR_SP_EL1 = 0x200
VECTOR_EL0 = 0x400
VECTOR_EL0_AARCH32 = 0x600
UNDEFINED = Syndrome.IL | Syndrome.EC(ExceptionClass.UNKNOWN.value)
EXTERNAL_ABORT = 0x10
EXTERNAL_ABORT_ON_WALK = 0x14
"""Fault status codes; that of a walk has the level in its low bits."""
LEVEL_MASK = 3


def inject_undefined() -> None:
    """The instruction at ELR_EL2 is undefined for the guest."""
    _enter(UNDEFINED)


def inject_abort(syndrome: u64) -> None:
    """The access that `syndrome` (ESR_EL2) tells of has no memory behind it: an external abort."""
    cause = AbortSyndrome(syndrome)
    status: u64 = EXTERNAL_ABORT
    if cause.STAGE_1_WALK:
        status = EXTERNAL_ABORT_ON_WALK | cause.STATUS & LEVEL_MASK
    is_fetch = ExceptionClass.INSTRUCTION_ABORT_BELOW.value == Syndrome(syndrome).EC
    kind = ExceptionClass.INSTRUCTION_ABORT_BELOW if is_fetch else ExceptionClass.DATA_ABORT_BELOW
    if _is_at_el1(ProcessorState(SPSR_EL2.read().raw)):
        kind = ExceptionClass.INSTRUCTION_ABORT if is_fetch else ExceptionClass.DATA_ABORT
    write = 0 if is_fetch else syndrome & AbortSyndrome.WRITE
    address = FAR_EL2.read().raw
    if HCR_EL2.read().E2H:
        FAR_EL12.write(address)
    else:
        FAR_EL1.write(address)
    _enter(Syndrome.make(EC=kind.value).raw | syndrome & Syndrome.IL | write | status)


def _is_at_el1(state: ProcessorState) -> bool:
    return not state.AARCH32 and (state.M == EL1_WITH_SP_EL0 or state.M == EL1_WITH_SP_EL1)


def _enter(syndrome: u64) -> None:
    """Take an exception to EL1: its registers tell of the guest's place, and the guest goes on at its vector."""
    state = SPSR_EL2.read().raw
    place = ELR_EL2.read().raw
    control: u64 = 0
    vectors: u64 = 0
    if HCR_EL2.read().E2H:
        ESR_EL12.write(syndrome)
        ELR_EL12.write(place)
        SPSR_EL12.write(state)
        control = SCTLR_EL12.read().raw
        vectors = VBAR_EL12.read().raw
    else:
        ESR_EL1.write(syndrome)
        ELR_EL1.write(place)
        SPSR_EL1.write(state)
        control = SCTLR_EL1.read().raw
        vectors = VBAR_EL1.read().raw
    ELR_EL2.write(vectors & ~0x7FF | _vector(ProcessorState(state)))
    SPSR_EL2.write(_state_at_vector(state, SystemControl(control)))


def _vector(old: ProcessorState) -> u64:
    """Offset of the vector of synchronous exceptions."""
    if old.AARCH32:
        return VECTOR_EL0_AARCH32
    if old.M == EL1_WITH_SP_EL1:
        return VECTOR_SP_EL1
    return VECTOR_SP_EL0 if old.M == EL1_WITH_SP_EL0 else VECTOR_EL0


def _state_at_vector(old: u64, control: SystemControl) -> u64:
    """PSTATE of a handler at EL1: interrupts masked, flags and DIT kept, PAN and SSBS as SCTLR_EL1 has them."""
    kept = ProcessorState.FLAGS.mask | ProcessorState.DIT | ProcessorState.PAN
    made = old & kept | ProcessorState.make(M=EL1_WITH_SP_EL1, D=1, A=1, I=1, F=1).raw
    if not control.SPAN:
        made |= ProcessorState.PAN
    if control.DSSBS:
        made |= ProcessorState.SSBS
    if HCR_EL2.read().ATA:
        made |= ProcessorState.TCO
    return made
