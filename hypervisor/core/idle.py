"""A CPU without a vCPU to run: it starts partitions that were never started, and ends the run.

When all partitions wait and no CPU runs one, the run is over, and one CPU ends it.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import Atomic, address_of, dsb, extern, sev, static, struct, u32, unreachable, wfe
from hypervisor.arch.aarch64.switch import enter
from hypervisor.core.cpu import CPUS, Cpu
from hypervisor.core.partition import PARTITIONS, count_in_state
from hypervisor.core.vcpu import Vcpu, VcpuState
from hypervisor.partitions.listing import PARTITION_COUNT, START_ORDER


@struct
class Gates:
    """What all CPUs agree on; each goes from 0 to 1 once."""

    is_open: Atomic[u32] = Atomic(0)
    """Partitions may be started."""
    is_ending: Atomic[u32] = Atomic(0)
    """A CPU is ending the run."""


GATES: Gates = static(Gates())


@extern("end_run")
def end_run() -> NoReturn:
    """What the image does when nothing is left to run."""
    unreachable()


def allow_start() -> None:
    """Let the CPUs start partitions: all that they need is in place."""
    GATES.is_open.store(1)
    dsb("ishst")
    sev()


def run_idle() -> NoReturn:
    """Find work for this CPU, for ever; its stack holds nothing that is needed."""
    while GATES.is_open.load() == 0:
        wfe()
    while True:
        vcpu = claim_startable()
        if vcpu is not None:
            _start(CPUS.this(), vcpu)
        if is_finished() and GATES.is_ending.exchange(1) == 0:
            end_run()
        wfe()


def claim_startable() -> Vcpu | None:
    """The first partition, in starting order, that was never started; this CPU then owns it."""
    for index in START_ORDER:
        vcpu = PARTITIONS[index].vcpu
        if vcpu.claim(VcpuState.CREATED):
            return vcpu
    return None


def is_finished() -> bool:
    """Whether every partition waits for a message or is aborted."""
    return count_in_state(VcpuState.WAITING) + count_in_state(VcpuState.ABORTED) == PARTITION_COUNT


def _start(cpu: Cpu, vcpu: Vcpu) -> NoReturn:
    vcpu.hypervisor_stack = cpu.stack_top
    cpu.current = address_of(vcpu)
    enter(vcpu)
