"""Sets up the system registers of a CPU, once it runs with the exact map; none of them changes afterwards.

What a vCPU needs of its own, HCR_EL2 and the translation base, is in its context and is written by the switch.
"""

from __future__ import annotations

from compiler.language import EnumU8, PhysAddr, address_of, dsb, isb, no_inline, tlbi, u64
from hypervisor.arch.aarch64 import features
from hypervisor.arch.aarch64.mmu import EMPTY_TABLE, HCR, HCR_HOST, SCTLR, TCR_HOST, VTCR
from hypervisor.arch.aarch64.registers import (
    CNTHCTL_EL2,
    CNTKCTL_EL1,
    CPACR_EL1,
    CPTR_EL2,
    CPTR_EL2_E2H0,
    HCR_EL2,
    SCTLR_EL1,
    SCTLR_EL2,
    TCR_EL1,
    TCR_EL2,
    TTBR0_EL2,
    VTCR_EL2,
    VTTBR_EL2,
)
from hypervisor.memory.descriptors import Descriptor
from hypervisor.memory.linear_map import to_physical


class PartitionMode(EnumU8):
    """How partitions at EL0 are isolated."""

    VHE = 0
    """E2H = 1: by their own stage 1 table in TTBR0_EL2."""
    TGE = 1
    """E2H = 0: stage 1 is off (DC = 1), by their stage 2 table."""


HOST_PARTITION_HCR = HCR_HOST | HCR_EL2.TGE
PARTITION_HCR = HCR | HCR_EL2.TGE | HCR_EL2.VM | HCR_EL2.DC | HCR_EL2.TWI
"""HCR_EL2 while a partition runs, with E2H and without."""

TRAP_EL0_VECTORS = 1
"""FPEN, ZEN, SMEN = 01: EL0 traps while TGE is set, EL2 does not."""
NO_TRAP = 3

SCTLR_EL1_PARTITION = 0x30D0_0800
"""What acts on EL0 without E2H: MMU off, little-endian; WFI, cache maintenance and CTR_EL0 trap."""


def mode() -> PartitionMode:
    """How partitions run on this machine."""
    return PartitionMode.VHE if features.in_host_mode() else PartitionMode.TGE


def partition_configuration() -> u64:
    """HCR_EL2 for a partition; API is set where it has a key of its own."""
    configuration: u64 = HOST_PARTITION_HCR if features.in_host_mode() else PARTITION_HCR
    if features.has_pointer_authentication():
        configuration |= HCR_EL2.APK | HCR_EL2.API
    return configuration


def executable_bits() -> u64:
    """What descriptors of code have more: branch targets are checked where the CPU can."""
    return Descriptor.GUARDED if features.has_branch_targets() else 0


def idle_configuration() -> u64:
    """HCR_EL2 while no partition runs."""
    return HCR_HOST if features.in_host_mode() else HCR


def empty_table() -> PhysAddr:
    """Root table for the half, or stage, that belongs to partitions, while none runs."""
    return to_physical(address_of(EMPTY_TABLE).address)


@no_inline
def configure() -> None:
    """Bring this CPU to its final state."""
    if features.in_host_mode():
        _configure_host()
    else:
        _configure_without_host()
    CNTHCTL_EL2.write(0)
    SCTLR_EL2.write(SCTLR)
    isb()
    tlbi("alle2")
    dsb("nsh")
    isb()
    if features.has_wide_identifiers():
        VTCR_EL2.modify(VS=1)
        if features.in_host_mode():
            TCR_EL2.modify(AS=1)
        isb()


def _configure_host() -> None:
    CPTR_EL2.write(CPTR_EL2.FPEN(TRAP_EL0_VECTORS) | CPTR_EL2.ZEN(TRAP_EL0_VECTORS) | CPTR_EL2.SMEN(TRAP_EL0_VECTORS))
    TTBR0_EL2.write(empty_table().raw)
    TCR_EL2.write(TCR_HOST | TCR_EL2.E0PD1 if features.has_e0pd() else TCR_HOST)


def _configure_without_host() -> None:
    CPTR_EL2_E2H0.write(
        CPTR_EL2_E2H0.RES1_LOW(0xFF)
        | CPTR_EL2_E2H0.RES1_9
        | CPTR_EL2_E2H0.RES1_13
        | CPTR_EL2_E2H0.TZ
        | CPTR_EL2_E2H0.TFP
        | CPTR_EL2_E2H0.TSM
    )
    VTCR_EL2.write(VTCR)
    VTTBR_EL2.write(empty_table().raw)
    SCTLR_EL1.write(SCTLR_EL1_PARTITION)
    CPACR_EL1.write(CPACR_EL1.FPEN(NO_TRAP))
    CNTKCTL_EL1.write(0)
    TCR_EL1.write(0)
