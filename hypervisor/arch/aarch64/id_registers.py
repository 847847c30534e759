"""The identification registers of group 3, which HCR_EL2.TID3 traps: what guests at EL1 find in them.

A guest sees the features that it is given and nothing else: fields outside `PRIMARY_VIEW` and `SECONDARY_VIEW` read as
zero, so what a newer CPU adds stays hidden until somebody lets it through. Positions and meanings are those of the Arm
Architecture Reference Manual (DDI 0487), chapter D23.
"""

from __future__ import annotations

from compiler.language import Array, SystemRegister, bits, constant, u64
from hypervisor.arch.aarch64.registers import (
    ID_AA64ISAR0_EL1,
    ID_AA64ISAR1_EL1,
    ID_AA64ISAR2_EL1,
    ID_AA64MMFR1_EL1,
    ID_AA64MMFR2_EL1,
    ID_AA64PFR0_EL1,
    ID_AA64PFR1_EL1,
)


class ID_PFR0_EL1(SystemRegister):
    """Processor features of AArch32, 0."""


class ID_PFR1_EL1(SystemRegister):
    """Processor features of AArch32, 1."""


class ID_DFR0_EL1(SystemRegister):
    """Debug features of AArch32, 0."""


class ID_MMFR0_EL1(SystemRegister):
    """Memory model features of AArch32, 0."""


class ID_MMFR1_EL1(SystemRegister):
    """Memory model features of AArch32, 1."""


class ID_MMFR2_EL1(SystemRegister):
    """Memory model features of AArch32, 2."""


class ID_MMFR3_EL1(SystemRegister):
    """Memory model features of AArch32, 3."""


class ID_ISAR0_EL1(SystemRegister):
    """Instruction set features of AArch32, 0."""


class ID_ISAR1_EL1(SystemRegister):
    """Instruction set features of AArch32, 1."""


class ID_ISAR2_EL1(SystemRegister):
    """Instruction set features of AArch32, 2."""


class ID_ISAR3_EL1(SystemRegister):
    """Instruction set features of AArch32, 3."""


class ID_ISAR4_EL1(SystemRegister):
    """Instruction set features of AArch32, 4."""


class ID_ISAR5_EL1(SystemRegister):
    """Instruction set features of AArch32, 5."""


class ID_MMFR4_EL1(SystemRegister):
    """Memory model features of AArch32, 4."""


class ID_ISAR6_EL1(SystemRegister):
    """Instruction set features of AArch32, 6."""


class MVFR0_EL1(SystemRegister):
    """Vector features of AArch32, 0."""


class MVFR1_EL1(SystemRegister):
    """Vector features of AArch32, 1."""


class MVFR2_EL1(SystemRegister):
    """Vector features of AArch32, 2."""


class ID_PFR2_EL1(SystemRegister):
    """Processor features of AArch32, 2."""


class ID_DFR1_EL1(SystemRegister):
    """Debug features of AArch32, 1."""


class ID_MMFR5_EL1(SystemRegister):
    """Memory model features of AArch32, 5."""


class ID_AA64ZFR0_EL1(SystemRegister):
    """SVE features, 0."""


class ID_AA64SMFR0_EL1(SystemRegister):
    """SME features, 0."""


class ID_AA64DFR0_EL1(SystemRegister):
    """Debug features, 0."""

    PMUVer = bits(11, 8)


class ID_AA64MMFR0_EL1(SystemRegister):
    """Memory model features, 0."""

    FGT = bits(59, 56)


ALL = 0xFFFF_FFFF_FFFF_FFFF


def fields(*lowest_bits: int) -> int:
    """A mask of the four-bit fields that begin at these bits."""
    return sum(0xF << low for low in lowest_bits)


def number_of(medium: int, operation: int) -> int:
    """Index of a register by CRm and op2 of its encoding."""
    return (medium - FIRST_MEDIUM) * 8 + operation


FIRST_MEDIUM = 1
LAST_MEDIUM = 7
COUNT = 8 * (LAST_MEDIUM - FIRST_MEDIUM + 1)

PFR0, PFR1 = number_of(4, 0), number_of(4, 1)
ZFR0, SMFR0 = number_of(4, 4), number_of(4, 5)
DFR0 = number_of(5, 0)
ISAR0, ISAR1, ISAR2 = number_of(6, 0), number_of(6, 1), number_of(6, 2)
MMFR0, MMFR1, MMFR2 = number_of(7, 0), number_of(7, 1), number_of(7, 2)
DFR0_AARCH32 = number_of(1, 2)

_AARCH32 = {number_of(medium, operation): ALL for medium in (1, 2, 3) for operation in range(8)}

PRIMARY_VIEW: dict[int, int] = _AARCH32 | {
    PFR0: ALL & ~fields(36, 40, 44, 52),  # no S-EL2, MPAM, AMU, RME
    PFR1: fields(0, 4, 8, 12, 24, 32, 40),  # BT, SSBS, MTE, RAS_frac, SME, CSV2_frac, MTE_frac
    ZFR0: ALL,
    SMFR0: ALL & ~(1 << 63),  # no FA64
    DFR0: fields(0, 8, 12, 20, 28, 36),  # breakpoints and counters; no trace, no profiling buffers
    ISAR0: ALL & ~fields(24),  # no TME
    ISAR1: ALL & ~fields(60),  # no LS64, which HCRX_EL2 would have to allow
    ISAR2: fields(0, 4, 8, 12, 20, 24, 28, 48, 52),  # no MOPS, SYSREG_128, SYSINSTR_128
    MMFR0: ALL & ~fields(56, 60),  # no FGT, ECV
    MMFR1: ALL & ~fields(16, 32, 40, 52, 56),  # no LORegions, TWED, HCX, TIDCP1, CMOW
    MMFR2: ALL & ~fields(24, 56),  # no nested virtualisation, EVT
}
"""What the primary sees; registers that are not listed read as zero."""

SECONDARY_VIEW: dict[int, int] = PRIMARY_VIEW | {
    DFR0_AARCH32: ALL & ~fields(24),  # no counters
    PFR0: PRIMARY_VIEW[PFR0] & ~fields(24, 28, 32),  # no GIC registers, RAS, SVE
    PFR1: fields(0, 4),  # no MTE, SME
    ZFR0: 0,
    SMFR0: 0,
    DFR0: PRIMARY_VIEW[DFR0] & ~fields(8),  # no counters
}
"""What the other guests at EL1 see: nothing whose state is not switched with them."""

_PRIMARY_MASKS: Array[u64] = constant([PRIMARY_VIEW.get(number, 0) for number in range(COUNT)])
_SECONDARY_MASKS: Array[u64] = constant([SECONDARY_VIEW.get(number, 0) for number in range(COUNT)])

CSV2_LSB = 56
CSV2_WITHOUT_NUMBERS = 1 << CSV2_LSB
"""Of CSV2: no software context numbers (SCXTNUM_ELx)."""


def value_for(is_primary: bool, number: u64) -> u64:
    """What a guest reads in register `number`, below COUNT."""
    if is_primary:
        return read(number) & _PRIMARY_MASKS[number]
    value = read(number) & _SECONDARY_MASKS[number]
    if number == PFR0 and value >> CSV2_LSB & 0xF > 1:
        return value & ~(0xF << CSV2_LSB) | CSV2_WITHOUT_NUMBERS
    return value


def read(number: u64) -> u64:
    """The CPU's own value; zero for encodings that have no register."""
    match number:
        case 0:
            return ID_PFR0_EL1.read().raw
        case 1:
            return ID_PFR1_EL1.read().raw
        case 2:
            return ID_DFR0_EL1.read().raw
        case 4:
            return ID_MMFR0_EL1.read().raw
        case 5:
            return ID_MMFR1_EL1.read().raw
        case 6:
            return ID_MMFR2_EL1.read().raw
        case 7:
            return ID_MMFR3_EL1.read().raw
        case 8:
            return ID_ISAR0_EL1.read().raw
        case 9:
            return ID_ISAR1_EL1.read().raw
        case 10:
            return ID_ISAR2_EL1.read().raw
        case 11:
            return ID_ISAR3_EL1.read().raw
        case 12:
            return ID_ISAR4_EL1.read().raw
        case 13:
            return ID_ISAR5_EL1.read().raw
        case 14:
            return ID_MMFR4_EL1.read().raw
        case 15:
            return ID_ISAR6_EL1.read().raw
        case 16:
            return MVFR0_EL1.read().raw
        case 17:
            return MVFR1_EL1.read().raw
        case 18:
            return MVFR2_EL1.read().raw
        case 20:
            return ID_PFR2_EL1.read().raw
        case 21:
            return ID_DFR1_EL1.read().raw
        case 22:
            return ID_MMFR5_EL1.read().raw
        case 24:
            return ID_AA64PFR0_EL1.read().raw
        case 25:
            return ID_AA64PFR1_EL1.read().raw
        case 28:
            return ID_AA64ZFR0_EL1.read().raw
        case 29:
            return ID_AA64SMFR0_EL1.read().raw
        case 32:
            return ID_AA64DFR0_EL1.read().raw
        case 40:
            return ID_AA64ISAR0_EL1.read().raw
        case 41:
            return ID_AA64ISAR1_EL1.read().raw
        case 42:
            return ID_AA64ISAR2_EL1.read().raw
        case 48:
            return ID_AA64MMFR0_EL1.read().raw
        case 49:
            return ID_AA64MMFR1_EL1.read().raw
        case 50:
            return ID_AA64MMFR2_EL1.read().raw
        case _:
            return 0
