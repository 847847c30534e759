"""Physical CPUs: what each of them has of its own.

A `Cpu` is written by that CPU alone, but for `is_online`, which others read.
"""

from __future__ import annotations

from compiler.language import Atomic, PerCpu, Ptr, VirtAddr, per_cpu, struct, u32, u64
from hypervisor.arch.aarch64.context import Context
from hypervisor.core.statistics import Counts
from hypervisor.core.vcpu import Vcpu
from hypervisor.platform import PLATFORM

CPU_COUNT_MAX = PLATFORM.cpu_count_max


@struct(align=64)
class Cpu:
    """One CPU."""

    idle: Vcpu
    """The hypervisor itself, as a vCPU that the others leave the CPU to when there is nothing to run."""
    stack_top: VirtAddr = VirtAddr(0)
    current: Ptr[Vcpu] | None = None
    """The vCPU that runs here. The short paths of calls do not keep it: the vectors set it before a handler runs."""
    is_online: Atomic[u32] = Atomic(0)


CPUS: PerCpu[Cpu] = per_cpu(Cpu(idle=Vcpu(context=Context(), counts=Counts())), count=CPU_COUNT_MAX)


def online_count() -> u64:
    """How many CPUs have come up."""
    count: u64 = 0
    for index in range(CPU_COUNT_MAX):
        if CPUS.of(index).is_online.load() != 0:
            count += 1
    return count
