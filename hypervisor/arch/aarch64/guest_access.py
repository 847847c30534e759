"""Registers of EL2 that decide what guests reach without the hypervisor; set once on every CPU.

The primary has the CPU as an operating system expects it: counters and physical timer, performance monitors, debug
registers, the interrupt controller's registers. Trace, profiling buffers and activity monitors trap for everybody.
`debug_traps_of` and `timer_access_of` are what differs between guests and is loaded with their EL1 registers.
"""

from __future__ import annotations

from compiler.language import SystemRegister, bit, bits, u64
from hypervisor.arch.aarch64 import features
from hypervisor.arch.aarch64.id_registers import ID_AA64DFR0_EL1, ID_AA64MMFR0_EL1
from hypervisor.arch.aarch64.registers import CNTHCTL_EL2, CNTHCTL_EL2_E2H0, ID_AA64MMFR1_EL1, MDCR_EL2
from hypervisor.core.partition import PartitionKind


class PMCR_EL0(SystemRegister):
    """Performance monitors' control."""

    N = bits(15, 11)


class ICC_SRE_EL2(SystemRegister):
    """Access to the interrupt controller's registers."""

    SRE = bit(0)
    DFB = bit(1)
    DIB = bit(2)
    ENABLE = bit(3)


class ICH_HCR_EL2(SystemRegister):
    """Virtual interrupts and traps of the interrupt controller."""


class ZCR_EL2(SystemRegister):
    """Vector length."""


class SMCR_EL2(SystemRegister):
    """Vector length in the streaming mode, where instructions that SVE alone has stay illegal (FA64 is zero)."""


class HSTR_EL2(SystemRegister):
    """Traps of AArch32."""


class HACR_EL2(SystemRegister):
    """Traps that the implementation defines."""


class HCRX_EL2(SystemRegister):
    """Extended hypervisor configuration: what it could allow is hidden from guests."""


class HFGRTR_EL2(SystemRegister):
    """Fine-grained traps of reads; the fields whose name begins with an n trap where they are zero."""

    nSMPRI_EL1 = bit(54)
    nTPIDR2_EL0 = bit(55)


class HFGWTR_EL2(SystemRegister):
    """Fine-grained traps of writes."""

    nSMPRI_EL1 = bit(54)
    nTPIDR2_EL0 = bit(55)


class HFGITR_EL2(SystemRegister):
    """Fine-grained traps of instructions."""


class HDFGRTR_EL2(SystemRegister):
    """Fine-grained traps of reads of debug registers."""


class HDFGWTR_EL2(SystemRegister):
    """Fine-grained traps of writes of debug registers."""


LENGTH_NOT_LIMITED = 0xF
"""LEN of ZCR_EL2 and SMCR_EL2."""


def open_to_guests() -> None:
    """Set what does not differ between guests, and the rest as the primary has it."""
    MDCR_EL2.write(debug_traps_of(PartitionKind.PRIMARY))
    CNTHCTL_EL2.write(timer_access_of(PartitionKind.PRIMARY))
    HSTR_EL2.write(0)
    HACR_EL2.write(0)
    if features.has_gic_registers():
        ICC_SRE_EL2.write(ICC_SRE_EL2.SRE | ICC_SRE_EL2.DFB | ICC_SRE_EL2.DIB | ICC_SRE_EL2.ENABLE)
        ICH_HCR_EL2.write(0)
    if features.has_scalable_vectors():
        ZCR_EL2.write(LENGTH_NOT_LIMITED)
    if features.has_matrices():
        SMCR_EL2.write(LENGTH_NOT_LIMITED)
    if ID_AA64MMFR1_EL1.read().HCX != 0:
        HCRX_EL2.write(0)
    if ID_AA64MMFR0_EL1.read().FGT != 0:
        HFGRTR_EL2.write(HFGRTR_EL2.nSMPRI_EL1 | HFGRTR_EL2.nTPIDR2_EL0)
        HFGWTR_EL2.write(HFGWTR_EL2.nSMPRI_EL1 | HFGWTR_EL2.nTPIDR2_EL0)
        HFGITR_EL2.write(0)
        HDFGRTR_EL2.write(0)
        HDFGWTR_EL2.write(0)


def debug_traps_of(kind: PartitionKind) -> u64:
    """MDCR_EL2 for a guest at EL1: the primary owns debug registers and counters, others have neither."""
    traps = MDCR_EL2.TPMS | MDCR_EL2.TTRF | MDCR_EL2.HPMN(counter_count())
    if kind != PartitionKind.PRIMARY:
        traps |= MDCR_EL2.TPM | MDCR_EL2.TPMCR | MDCR_EL2.TDA | MDCR_EL2.TDOSA | MDCR_EL2.TDRA
    return traps


def timer_access_of(kind: PartitionKind) -> u64:
    """CNTHCTL_EL2 for a guest at EL1: everybody reads the counters, the physical timer is the primary's."""
    is_primary = kind == PartitionKind.PRIMARY
    if features.in_host_mode():
        counters = CNTHCTL_EL2.EL0PCTEN | CNTHCTL_EL2.EL0VCTEN | CNTHCTL_EL2.EL1PCTEN
        return counters | CNTHCTL_EL2.EL1PTEN if is_primary else counters
    counters = CNTHCTL_EL2_E2H0.EL1PCTEN
    return counters | CNTHCTL_EL2_E2H0.EL1PCEN if is_primary else counters


def counter_count() -> u64:
    """Event counters of the performance monitors: all are the guest's."""
    match ID_AA64DFR0_EL1.read().PMUVer:
        case 0 | 0xF:  # none of the architecture's
            return 0
        case _:
            return PMCR_EL0.read().N
