"""What the hypervisor sets in a vCPU for good, before it runs for the first time."""

from __future__ import annotations

from compiler.language import cold, u64
from hypervisor.arch.aarch64 import cpu, features, guest_access
from hypervisor.arch.aarch64.el1_state import HAS_SECOND_POINTER, IS_PRIMARY
from hypervisor.arch.aarch64.entropy import random_number
from hypervisor.core.partition import PartitionKind
from hypervisor.core.vcpu import Vcpu
from hypervisor.memory.address_space import AddressSpace

MPIDR_RES1 = 1 << 31
EL0_STATE = 0
"""SPSR_EL2: EL0, no interrupt masked."""


@cold
def configure(vcpu: Vcpu, space: AddressSpace, mpidr: u64) -> None:
    """Set how the vCPU is configured and translated; its `kind` is set. `mpidr`: the affinity that it reads."""
    context = vcpu.context
    context.configuration = cpu.configuration_of(vcpu.kind)
    context.translation = space.translation()
    vcpu.el1.vmpidr = mpidr | MPIDR_RES1
    vcpu.el1.traits = IS_PRIMARY if vcpu.kind == PartitionKind.PRIMARY else 0
    if features.has_matrices():
        vcpu.el1.traits |= HAS_SECOND_POINTER
    vcpu.el1.vector_traps = cpu.vector_traps_of(vcpu.kind)
    vcpu.el1.stage_2 = space.translation()
    vcpu.el1.debug_traps = guest_access.debug_traps_of(vcpu.kind)
    vcpu.el1.timer_access = guest_access.timer_access_of(vcpu.kind)
    if vcpu.kind == PartitionKind.EL0 and features.has_pointer_authentication():
        context.key_ia_low = random_number()
        context.key_ia_high = random_number()


def start_at_el0(vcpu: Vcpu, entry: u64, argument: u64) -> None:
    """Let a partition at EL0 begin at `entry` with `argument` in x0."""
    vcpu.context.x[0] = argument
    vcpu.context.program_counter = entry
    vcpu.context.processor_state = EL0_STATE
