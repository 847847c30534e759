"""Physical CPUs: what each of them has of its own.

A `Cpu` is written by that CPU alone, but for `mpidr`, which the boot CPU sets before any other runs.
"""

from __future__ import annotations

from compiler.language import PerCpu, Ptr, VirtAddr, per_cpu, struct, u64
from hypervisor.core.vcpu import Vcpu
from hypervisor.platform import PLATFORM

CPU_COUNT_MAX = PLATFORM.cpu_count_max


@struct(align=64)
class Cpu:
    """One CPU."""

    stack_top: VirtAddr = VirtAddr(0)
    el1_owner: Ptr[Vcpu] | None = None
    """The vCPU whose EL1 registers this CPU holds: the guest at EL1 that ran here last, until it may run elsewhere."""
    current: Ptr[Vcpu] | None = None
    """The vCPU that runs here. The short paths of calls do not keep it: the vectors set it before a handler runs."""
    primary: Ptr[Vcpu] | None = None
    """The primary's vCPU of this CPU, which gets the CPU back from every other."""
    mpidr: u64 = 0
    """Affinity fields of MPIDR_EL1, as in the device tree."""


CPUS: PerCpu[Cpu] = per_cpu(Cpu(), count=CPU_COUNT_MAX)
