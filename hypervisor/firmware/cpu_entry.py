"""From a CPU's start-up into the primary: the end of CPU_ON, and of a CPU_SUSPEND that lost the registers."""

from __future__ import annotations

from typing import NoReturn

from compiler.language import Ordering, address_of
from hypervisor.arch.aarch64 import switch
from hypervisor.arch.aarch64.guest_entry import reset_at
from hypervisor.core.cpu import CPUS
from hypervisor.core.vcpu import VcpuState
from hypervisor.firmware.psci import ENTRIES


def enter_primary() -> NoReturn:
    """Run this CPU's vCPU of the primary from where the guest asked to begin. The CPU is set up already."""
    cpu = CPUS.this()
    primary = cpu.primary
    assert primary is not None, "a CPU starts that the primary has no vCPU for"
    vcpu = primary.value
    guest = ENTRIES.this()
    reset_at(vcpu, guest.address, guest.argument)
    vcpu.cpu = address_of(cpu).address
    cpu.current = primary
    cpu.el1_owner = None
    vcpu.state.store(VcpuState.RUNNING, Ordering.RELEASE)
    switch.enter(vcpu)
