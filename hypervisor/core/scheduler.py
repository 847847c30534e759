"""Passing a CPU from one vCPU to another.

The change itself happens in the vectors, after the handler: here it is only decided.
"""

from __future__ import annotations

from compiler.language import address_of
from hypervisor.core.cpu import CPUS
from hypervisor.core.vcpu import Vcpu, VcpuState


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
