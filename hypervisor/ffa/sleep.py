"""A vCPU of a secondary gives its CPU back because it has nothing to do: WFI, WFE, CPU_SUSPEND, CPU_OFF.

It goes on with the x0 to x7 of its context, which the caller of these functions has filled.
"""

from __future__ import annotations

from hypervisor.arch.aarch64 import interrupts, timers
from hypervisor.core.partition import PartitionKind
from hypervisor.core.scheduler import return_to_primary
from hypervisor.core.vcpu import Vcpu, VcpuState
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message, target_information

SLEEPING_RESULT = 0xFF06
"""x0 of FFA_RUN then; x2 is the time in nanoseconds to the vCPU's timer, 0 when it does not matter or none is set."""


def sleep(vcpu: Vcpu, reply: Message) -> None:
    """Until a virtual interrupt is pending, or not at all. A partition at EL0 has none to wait for: it only yields."""
    if vcpu.kind == PartitionKind.EL0:
        pause(vcpu, reply)
        return
    timers.deliver(vcpu)
    if interrupts.poll(vcpu):
        reply.load(vcpu.context.x)
        return
    tell_sleep(vcpu, reply)
    return_to_primary(vcpu, VcpuState.SLEEPING)


def pause(vcpu: Vcpu, reply: Message) -> None:
    """WFE: the vCPU goes on whenever it is run."""
    return_to_primary(vcpu, VcpuState.YIELDED)
    reply.clear()
    reply.x0 = Function.YIELD.value
    reply.x1 = target_information(vcpu)


def give_up(vcpu: Vcpu, state: VcpuState, reply: Message) -> None:
    """Return to the primary for another reason, as if asleep without a timer."""
    return_to_primary(vcpu, state)
    reply.clear()
    reply.x0 = SLEEPING_RESULT
    reply.x1 = target_information(vcpu)


def tell_sleep(vcpu: Vcpu, reply: Message) -> None:
    """What the primary sees of a vCPU that sleeps, and for how long it will."""
    remaining = timers.remaining_nanoseconds(vcpu)
    reply.clear()
    reply.x0 = SLEEPING_RESULT
    reply.x1 = target_information(vcpu)
    if remaining is not None:
        reply.x2 = remaining
