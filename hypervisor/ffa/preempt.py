"""A physical interrupt while a secondary runs: its vCPU is preempted, the primary sees FFA_INTERRUPT.

All physical interrupts are the primary's, so none is acknowledged here: it stays pending and the primary takes it.
"""

from __future__ import annotations

from compiler.language import Ordering
from hypervisor.arch.aarch64 import timers
from hypervisor.core.scheduler import return_to_primary
from hypervisor.core.vcpu import PARTITION_ABORTED, Vcpu, VcpuState
from hypervisor.ffa.abort import abort_vcpu
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message, target_information


def preempt(vcpu: Vcpu, reply: Message) -> None:
    """The vCPU goes on where it is when it is run again, or at once where only a secondary's own timer has fired."""
    if vcpu.attention.load(Ordering.RELAXED) & PARTITION_ABORTED != 0:
        abort_vcpu(vcpu, reply)
        return
    if timers.serve_physical_interrupt():
        reply.load(vcpu.context.x)
        return
    return_to_primary(vcpu, VcpuState.PREEMPTED)
    reply.x0 = Function.INTERRUPT.value
    reply.x1 = target_information(vcpu)
