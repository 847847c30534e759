"""Passing a CPU from one vCPU to another.

The change itself happens in the vectors, after the handler: here it is only decided. A handler that names a successor
fills its reply with what that one finds in x0 to x7.
"""

from __future__ import annotations

from compiler.language import Ordering, address_of, cpu_index, no_inline, u64
from hypervisor.arch.aarch64 import vector_use
from hypervisor.core.cpu import CPUS
from hypervisor.core.vcpu import Vcpu, VcpuState


def current_vcpu() -> Vcpu:
    """The vCPU whose exception this CPU is serving."""
    current = CPUS.this().current
    assert current is not None, "no vCPU runs on this CPU"
    return current.value


def current_cpu_index() -> u64:
    """The number of this CPU, which is that of its vCPU of the primary too."""
    return cpu_index()


def pass_cpu(source: Vcpu, state: VcpuState, target: Vcpu) -> None:
    """Let `target`, which this CPU owns, run next; `source` is in `state` from the moment its registers are saved."""
    cpu = CPUS.this()
    vector_use.give_back(source)
    source.state_when_saved = state
    source.successor = address_of(target)
    cpu.current = address_of(target)


@no_inline
def return_to_primary(source: Vcpu, state: VcpuState) -> None:
    """Give the CPU back to the primary's vCPU, which is blocked on it."""
    primary = CPUS.this().primary
    assert primary is not None, "a secondary runs before the primary"
    primary.value.state.store(VcpuState.RUNNING, Ordering.RELAXED)
    pass_cpu(source, state, primary.value)
