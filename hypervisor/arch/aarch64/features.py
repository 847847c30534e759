"""What the CPU can do, read from its identification registers."""

from __future__ import annotations

from hypervisor.arch.aarch64.registers import (
    HCR_EL2,
    ID_AA64ISAR0_EL1,
    ID_AA64ISAR1_EL1,
    ID_AA64ISAR2_EL1,
    ID_AA64MMFR0_EL1,
    ID_AA64MMFR1_EL1,
    ID_AA64MMFR2_EL1,
    ID_AA64PFR0_EL1,
    ID_AA64PFR1_EL1,
)

SIXTEEN_BITS = 2
"""Of the fields ASIDBits and VMIDBits."""

MTE_WITH_MEMORY = 2
CSV2_WITH_NUMBERS = 2


def has_gic_registers() -> bool:
    """Whether the CPU is part of a GICv3 or later, reached by system registers."""
    return ID_AA64PFR0_EL1.read().GIC != 0


def in_host_mode() -> bool:
    """Whether HCR_EL2.E2H is set: start-up sets it where the CPU has FEAT_VHE."""
    return HCR_EL2.read().E2H


def has_pointer_authentication() -> bool:
    """FEAT_PAuth, with any algorithm."""
    isar1 = ID_AA64ISAR1_EL1.read()
    return isar1.APA != 0 or isar1.API != 0 or ID_AA64ISAR2_EL1.read().APA3 != 0


def has_branch_targets() -> bool:
    """FEAT_BTI."""
    return ID_AA64PFR1_EL1.read().BT != 0


def has_e0pd() -> bool:
    """FEAT_E0PD: EL0 accesses to the upper half fault without a walk."""
    return ID_AA64MMFR2_EL1.read().E0PD != 0


def has_wide_identifiers() -> bool:
    """Whether ASIDs and VMIDs have 16 bits."""
    return ID_AA64MMFR0_EL1.read().ASIDBits == SIXTEEN_BITS and ID_AA64MMFR1_EL1.read().VMIDBits == SIXTEEN_BITS


def has_memory_tags() -> bool:
    """FEAT_MTE2: tags in memory; FEAT_MTE alone has only instructions."""
    return ID_AA64PFR1_EL1.read().MTE >= MTE_WITH_MEMORY


def has_context_numbers() -> bool:
    """FEAT_CSV2_2 or FEAT_CSV2_1p2: SCXTNUM_ELx."""
    return ID_AA64PFR0_EL1.read().CSV2 >= CSV2_WITH_NUMBERS or ID_AA64PFR1_EL1.read().CSV2_frac >= CSV2_WITH_NUMBERS


def has_scalable_vectors() -> bool:
    """FEAT_SVE."""
    return ID_AA64PFR0_EL1.read().SVE != 0


def has_matrices() -> bool:
    """FEAT_SME."""
    return ID_AA64PFR1_EL1.read().SME != 0


def has_random_numbers() -> bool:
    """FEAT_RNG."""
    return ID_AA64ISAR0_EL1.read().RNDR != 0
