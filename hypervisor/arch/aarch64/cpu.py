"""Sets up the system registers of a CPU, once it runs with the exact map; none of them changes afterwards.

What a vCPU needs of its own, HCR_EL2 and the translation base, is in its context and is written by the switch; so is
CPTR_EL2, where it changes.
"""

from __future__ import annotations

from compiler.language import EnumU8, PhysAddr, address_of, cold, dsb, isb, no_inline, tlbi, u64
from hypervisor.arch.aarch64 import features, guest_access
from hypervisor.arch.aarch64.el0_state import CPTR_EL2_PARTITION
from hypervisor.arch.aarch64.mmu import EMPTY_TABLE, HCR, HCR_HOST, SCTLR, TCR_HOST, VTCR
from hypervisor.arch.aarch64.registers import (
    CPTR_EL2,
    CPTR_EL2_E2H0,
    HCR_EL2,
    MIDR_EL1,
    SCTLR_EL2,
    TCR_EL2,
    TTBR0_EL2,
    VPIDR_EL2,
    VTCR_EL2,
)
from hypervisor.core.partition import PartitionKind
from hypervisor.memory.descriptors import Descriptor
from hypervisor.memory.linear_map import to_physical


class PartitionMode(EnumU8):
    """How partitions at EL0 are isolated."""

    VHE = 0
    """E2H = 1: by their own stage 1 table in TTBR0_EL2."""
    TGE = 1
    """E2H = 0: stage 1 is off (DC = 1), by their stage 2 table."""


INNER_SHAREABLE_BARRIERS = 1
PRIMARY_HCR = HCR_EL2.VM | HCR_EL2.TID3 | HCR_EL2.TLOR | HCR_EL2.TIDCP | HCR_EL2.TACR
"""What the primary has beyond HCR or HCR_HOST: interrupts and the GIC are its own. It alone has memory tags and context
numbers, so their registers stay in the CPU."""
SECONDARY_HCR = (
    PRIMARY_HCR
    | HCR_EL2.IMO
    | HCR_EL2.FMO
    | HCR_EL2.AMO
    | HCR_EL2.TWI
    | HCR_EL2.TWE
    | HCR_EL2.TERR
    | HCR_EL2.FB
    | HCR_EL2.BSU(INNER_SHAREABLE_BARRIERS)
)
"""Secondaries at EL1: interrupts come to EL2, waits too; maintenance and barriers reach every CPU they may move to."""
HOST_PARTITION_HCR = HCR_HOST | HCR_EL2.TGE
EL0_PARTITION_HCR = HCR | HCR_EL2.TGE | HCR_EL2.VM | HCR_EL2.DC | HCR_EL2.TWI
"""HCR_EL2 while a partition runs at EL0, with E2H and without."""

TRAP_EL0_VECTORS = 1
"""FPEN, ZEN, SMEN = 01: EL0 traps while TGE is set, EL2 and guests at EL1 do not."""
MONITOR_TRAPS = CPTR_EL2.TTA | CPTR_EL2.TAM
MONITOR_TRAPS_E2H0 = CPTR_EL2_E2H0.TTA | CPTR_EL2_E2H0.TAM
"""Trace and activity monitors, which no guest has."""
HOST_VECTOR_TRAPS = (
    CPTR_EL2.FPEN(TRAP_EL0_VECTORS) | CPTR_EL2.ZEN(TRAP_EL0_VECTORS) | CPTR_EL2.SMEN(TRAP_EL0_VECTORS) | MONITOR_TRAPS
)
NO_VECTOR_TRAPS_E2H0 = CPTR_EL2_E2H0.RES1_LOW(0xFF) | CPTR_EL2_E2H0.RES1_9 | CPTR_EL2_E2H0.RES1_13 | MONITOR_TRAPS_E2H0


def mode() -> PartitionMode:
    """How partitions run on this machine."""
    return PartitionMode.VHE if features.in_host_mode() else PartitionMode.TGE


def configuration_of(kind: PartitionKind) -> u64:
    """HCR_EL2 for a vCPU of a kind of partition; API is set where it has keys of its own."""
    configuration: u64 = 0
    match kind:
        case PartitionKind.PRIMARY:
            configuration = idle_configuration() | PRIMARY_HCR
            if features.has_memory_tags():
                configuration |= HCR_EL2.ATA
            if features.has_context_numbers():
                configuration |= HCR_EL2.EnSCXT
        case PartitionKind.EL1:
            configuration = idle_configuration() | SECONDARY_HCR
        case PartitionKind.EL0:
            configuration = HOST_PARTITION_HCR if features.in_host_mode() else EL0_PARTITION_HCR
    if features.has_pointer_authentication():
        configuration |= HCR_EL2.APK | HCR_EL2.API
    return configuration


def vector_traps_of(kind: PartitionKind) -> u64:
    """CPTR_EL2 for a guest at EL1: the primary has the vector registers, a secondary traps when it wants them."""
    if kind == PartitionKind.PRIMARY:
        return HOST_VECTOR_TRAPS if features.in_host_mode() else NO_VECTOR_TRAPS_E2H0
    return MONITOR_TRAPS if features.in_host_mode() else CPTR_EL2_PARTITION | MONITOR_TRAPS_E2H0


def executable_bits() -> u64:
    """What descriptors of code have more: branch targets are checked where the CPU can."""
    return Descriptor.GUARDED if features.has_branch_targets() else 0


def idle_configuration() -> u64:
    """HCR_EL2 before the first guest runs, and what every guest has."""
    return HCR_HOST if features.in_host_mode() else HCR


def empty_table() -> PhysAddr:
    """Root table for the half, or stage, that belongs to partitions, while none runs."""
    return to_physical(address_of(EMPTY_TABLE).address)


@cold
@no_inline
def configure() -> None:
    """Bring this CPU to its final state."""
    if features.in_host_mode():
        _configure_host()
    else:
        _configure_without_host()
    VTCR_EL2.write(VTCR)
    VPIDR_EL2.write(MIDR_EL1.read().raw)
    guest_access.open_to_guests()
    SCTLR_EL2.write(SCTLR | SCTLR_EL2.TSCXT if features.has_context_numbers() else SCTLR)
    isb()
    tlbi("alle2")
    tlbi("alle1")
    dsb("nsh")
    isb()
    if features.has_wide_identifiers():
        VTCR_EL2.modify(VS=1)
        if features.in_host_mode():
            TCR_EL2.modify(AS=1)
        isb()


def _configure_host() -> None:
    CPTR_EL2.write(HOST_VECTOR_TRAPS)
    TTBR0_EL2.write(empty_table().raw)
    TCR_EL2.write(TCR_HOST | TCR_EL2.E0PD1 if features.has_e0pd() else TCR_HOST)


def _configure_without_host() -> None:
    CPTR_EL2.write(NO_VECTOR_TRAPS_E2H0)
