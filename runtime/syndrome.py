"""The exception syndrome: what ESR_EL2 says (DDI 0487, D23.2.47), in numbers and in words."""

from __future__ import annotations

from compiler.language import Bits, EnumU8, bit, bits, cold, u8, u64


class ExceptionClass(EnumU8):
    """ESR_EL2.EC, those that can occur here."""

    UNKNOWN = 0x00
    WFX = 0x01
    VECTOR = 0x07
    BRANCH_TARGET = 0x0D
    ILLEGAL_STATE = 0x0E
    SVC = 0x15
    HVC = 0x16
    SMC = 0x17
    SYSTEM_REGISTER = 0x18
    SVE = 0x19
    POINTER_AUTHENTICATION = 0x1C
    INSTRUCTION_ABORT_BELOW = 0x20
    INSTRUCTION_ABORT = 0x21
    PC_ALIGNMENT = 0x22
    DATA_ABORT_BELOW = 0x24
    DATA_ABORT = 0x25
    SP_ALIGNMENT = 0x26
    SERROR = 0x2F
    BREAKPOINT = 0x3C


class AbortSyndrome(Bits, base=u64):
    """ISS of an instruction or data abort."""

    STATUS = bits(5, 0)
    WRITE = bit(6)
    STAGE_1_WALK = bit(7)


ALIGNMENT_FAULT = 0x21
TRANSLATION_FAULT = 0b000100
"""At level 0; the lowest two bits are the level."""


def class_of(syndrome: u64) -> ExceptionClass | None:
    """The exception class, or None for one that is not listed."""
    return ExceptionClass.decode(u8(syndrome >> 26 & 0x3F))


@cold
def describe_class(kind: ExceptionClass) -> str:
    """A class in words."""
    match kind:
        case ExceptionClass.UNKNOWN:
            return "instruction that is undefined or not allowed"
        case ExceptionClass.WFX:
            return "WFI or WFE"
        case ExceptionClass.VECTOR | ExceptionClass.SVE:
            return "use of the vector unit"
        case ExceptionClass.BRANCH_TARGET:
            return "branch to something that is no branch target"
        case ExceptionClass.ILLEGAL_STATE:
            return "illegal execution state"
        case ExceptionClass.SVC | ExceptionClass.HVC | ExceptionClass.SMC:
            return "unexpected call"
        case ExceptionClass.SYSTEM_REGISTER:
            return "access to a system register"
        case ExceptionClass.POINTER_AUTHENTICATION:
            return "pointer authentication failed"
        case ExceptionClass.INSTRUCTION_ABORT_BELOW | ExceptionClass.INSTRUCTION_ABORT:
            return "instruction fetch failed"
        case ExceptionClass.PC_ALIGNMENT:
            return "program counter is misaligned"
        case ExceptionClass.DATA_ABORT_BELOW | ExceptionClass.DATA_ABORT:
            return "data access failed"
        case ExceptionClass.SP_ALIGNMENT:
            return "stack pointer is misaligned"
        case ExceptionClass.SERROR:
            return "system error"
        case ExceptionClass.BREAKPOINT:
            return "a check of the program failed"


def is_translation_fault(syndrome: u64) -> bool:
    """Whether an abort met an invalid entry."""
    return AbortSyndrome(syndrome).STATUS & ~3 == TRANSLATION_FAULT


def is_abort(kind: ExceptionClass) -> bool:
    """Whether FAR_EL2 and the fault status mean something."""
    match kind:
        case (
            ExceptionClass.INSTRUCTION_ABORT_BELOW
            | ExceptionClass.INSTRUCTION_ABORT
            | ExceptionClass.DATA_ABORT_BELOW
            | ExceptionClass.DATA_ABORT
        ):
            return True
        case _:
            return False


def describe_abort(syndrome: u64) -> str:
    """Why an access failed: the fault status code without its level."""
    status = AbortSyndrome(syndrome).STATUS
    if status == ALIGNMENT_FAULT:
        return "misaligned"
    match status >> 2:
        case 0:
            return "address size"
        case 1:
            return "not mapped"
        case 2:
            return "access flag is clear"
        case 3:
            return "not permitted"
        case 4:
            return "external abort"
        case _:
            return "other fault"
