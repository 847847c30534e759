"""Whose values the vector registers of a CPU have.

They are the primary's. Any other vCPU traps when it first uses them, and `take` gives it its own; before it leaves the
CPU, `give_back` restores the primary's. In between `attention` keeps the short paths away from the vCPU. SVE and SME
are the primary's alone.
"""

from __future__ import annotations

from compiler.language import PerCpu, VirtAddr, isb, per_cpu, struct, u64
from hypervisor.arch.aarch64 import cpu, features
from hypervisor.arch.aarch64.el0_state import CPTR_EL2_PARTITION
from hypervisor.arch.aarch64.registers import CPTR_EL2, CPTR_EL2_E2H0
from hypervisor.arch.aarch64.scalable_state import (
    AREA_LENGTHS,
    LENGTH_MAX,
    SVCR,
    enter_streaming,
    leave_streaming,
    load_scalable,
    save_scalable,
    vector_length,
)
from hypervisor.arch.aarch64.vector_state import load_vectors, save_vectors
from hypervisor.core.cpu import CPU_COUNT_MAX, CPUS
from hypervisor.core.partition import PartitionKind
from hypervisor.core.vcpu import VECTORS_IN_USE, Vcpu
from hypervisor.memory import pages
from hypervisor.memory.linear_map import to_virtual
from hypervisor.memory.pages import PAGE_SIZE, MapError

NO_TRAP = 3
ALL_OPEN = CPTR_EL2.FPEN(NO_TRAP) | CPTR_EL2.ZEN(NO_TRAP) | CPTR_EL2.SMEN(NO_TRAP) | cpu.MONITOR_TRAPS
GUEST_OPEN = CPTR_EL2.FPEN(NO_TRAP) | cpu.MONITOR_TRAPS
GUEST_OPEN_E2H0 = cpu.NO_VECTOR_TRAPS_E2H0 | CPTR_EL2_E2H0.TZ | CPTR_EL2_E2H0.TSM
"""CPTR_EL2 while the hypervisor changes the registers, and while a guest other than the primary has them."""


@struct(align=64)
class ScalableArea:
    """Where a CPU keeps what of the primary's registers Q0 to Q31 do not hold."""

    address: VirtAddr = VirtAddr(0)
    """0 on CPUs without SVE and SME."""
    is_streaming: bool = False
    """Whether the primary was in the streaming mode."""


AREAS: PerCpu[ScalableArea] = per_cpu(ScalableArea(), count=CPU_COUNT_MAX)


def prepare(cpu_count: u64) -> MapError | None:
    """Take pages for scalable registers, once, before the primary runs; all CPUs are alike."""
    length: u64 = LENGTH_MAX
    if not features.has_matrices():
        if not features.has_scalable_vectors():
            return None
        length = vector_length()
    order: u64 = 0
    while PAGE_SIZE << order < length * AREA_LENGTHS:
        order += 1
    for index in range(cpu_count):
        area = pages.allocate_run(order)
        if isinstance(area, MapError):
            return area
        AREAS.of(index).address = to_virtual(area)
    return None


def take(vcpu: Vcpu) -> None:
    """Give the vector registers to the vCPU that trapped; it tries again."""
    _open()
    _save_primary()
    load_vectors(vcpu.vectors)
    if features.in_host_mode():
        CPTR_EL2.write(GUEST_OPEN)
    else:
        CPTR_EL2.write(GUEST_OPEN_E2H0)
    vcpu.attention.fetch_or(VECTORS_IN_USE)


def give_back(vcpu: Vcpu) -> None:
    """Restore the primary's values before `vcpu` leaves the CPU, if they are not there."""
    if vcpu.attention.load() & VECTORS_IN_USE == 0:
        return
    _open()
    save_vectors(vcpu.vectors)
    _load_primary()
    CPTR_EL2.write(_closed(vcpu))
    isb()
    vcpu.attention.fetch_and(~VECTORS_IN_USE)


def _open() -> None:
    """Let this level reach all vector registers."""
    CPTR_EL2.write(ALL_OPEN if features.in_host_mode() else cpu.NO_VECTOR_TRAPS_E2H0)
    isb()


def _closed(vcpu: Vcpu) -> u64:
    """CPTR_EL2 as it was: that of the guest whose EL1 registers the CPU has, or of partitions at EL0."""
    if vcpu.kind == PartitionKind.EL0 and not features.in_host_mode():
        return CPTR_EL2_PARTITION
    owner = CPUS.this().el1_owner
    if owner is None:
        return cpu.HOST_VECTOR_TRAPS if features.in_host_mode() else cpu.NO_VECTOR_TRAPS_E2H0
    return owner.value.el1.vector_traps


def _save_primary() -> None:
    area = AREAS.this()
    if area.address.raw != 0:
        area.is_streaming = features.has_matrices() and SVCR.read().SM
        save_scalable(area.address, u64(not area.is_streaming))
    primary = CPUS.this().primary
    assert primary is not None, "vectors are used before the primary runs"
    save_vectors(primary.value.vectors)
    if area.is_streaming:
        leave_streaming()


def _load_primary() -> None:
    area = AREAS.this()
    if area.is_streaming:
        enter_streaming()
    primary = CPUS.this().primary
    assert primary is not None, "vectors are used before the primary runs"
    load_vectors(primary.value.vectors)
    if area.address.raw != 0:
        load_scalable(area.address, u64(not area.is_streaming))
