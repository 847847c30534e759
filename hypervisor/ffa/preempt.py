"""An interrupt for the primary while another vCPU runs: that one is preempted, the primary sees FFA_INTERRUPT."""

from __future__ import annotations

from hypervisor.core.scheduler import return_to_primary
from hypervisor.core.vcpu import Vcpu, VcpuState
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message, target_information


def preempt(vcpu: Vcpu, reply: Message) -> None:
    """The vCPU goes on where it is when it is run again; the interrupt stays pending for the primary."""
    return_to_primary(vcpu, VcpuState.PREEMPTED)
    reply.x0 = Function.INTERRUPT.value
    reply.x1 = target_information(vcpu)
