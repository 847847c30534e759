"""Which vCPU runs on a CPU: starting partitions, passing the CPU from one to another, ending the run.

A CPU without work looks for a partition that was never started. When all partitions wait and no CPU runs one,
the run is over.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import address_of, export, extern, unreachable, wfe
from hypervisor.arch.aarch64 import switch
from hypervisor.core.cpu import CPUS, Cpu
from hypervisor.core.partition import PARTITIONS, count_in_state
from hypervisor.core.vcpu import Vcpu, VcpuState
from hypervisor.partitions.listing import PARTITION_COUNT, START_ORDER


@extern("end_run")
def end_run() -> NoReturn:
    """What the image does when nothing is left to run."""
    unreachable()


def current_vcpu() -> Vcpu:
    """The vCPU whose exception this CPU is serving."""
    current = CPUS.this().current
    assert current is not None, "no vCPU runs on this CPU"
    return current.value


def pass_cpu(source: Vcpu, state: VcpuState, target: Vcpu) -> None:
    """Let `target`, which this CPU owns, run next; `source` is in `state` from the moment its registers are saved."""
    cpu = CPUS.this()
    target.hypervisor_stack = cpu.stack_top
    source.state_when_saved = state
    source.successor = address_of(target)
    cpu.current = address_of(target)


def leave_cpu(source: Vcpu, state: VcpuState) -> None:
    """Let the CPU look for other work."""
    pass_cpu(source, state, CPUS.this().idle)


@export("run_idle")
def run_idle() -> NoReturn:
    """Find work for this CPU, for ever; its stack holds nothing that is needed."""
    while True:
        vcpu = claim_startable()
        if vcpu is not None:
            _start(CPUS.this(), vcpu)
        if is_finished():
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
    switch.enter(vcpu)
