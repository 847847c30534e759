"""A vCPU of a secondary gives its CPU back because it has nothing to do: WFI, CPU_SUSPEND, CPU_OFF."""

from __future__ import annotations

from hypervisor.core.scheduler import return_to_primary
from hypervisor.core.vcpu import Vcpu, VcpuState
from hypervisor.ffa.message import Message, target_information

SLEEPING_RESULT = 0xFF06
"""x0 of FFA_RUN then; w2 would be the nanoseconds to the vCPU's timer, 0 when it does not matter or none is set."""


def give_up(vcpu: Vcpu, state: VcpuState, reply: Message) -> None:
    """Return to the primary; the vCPU goes on with the x0 to x7 of its context, if ever."""
    return_to_primary(vcpu, state)
    reply.clear()
    reply.x0 = SLEEPING_RESULT
    reply.x1 = target_information(vcpu)
