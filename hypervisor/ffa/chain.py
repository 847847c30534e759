"""Chains of direct requests: who waits for whom, wherever the vCPU that has to answer runs.

A vCPU that serves a request names its requester, which is BLOCKED and belongs to the CPU of the vCPU it waits for, so a
whole chain moves with the vCPU at its end. Where the first requester is a vCPU of the primary, which goes on when the
chain is preempted, the chain is given to the primary's vCPU that runs it again: that one gets the response.
"""

from __future__ import annotations

from compiler.language import Ordering, address_of
from hypervisor.core.partition import PartitionKind
from hypervisor.core.scheduler import pass_cpu, return_to_primary
from hypervisor.core.vcpu import OWES_RESPONSE_2, PARTITION_ABORTED, Vcpu, VcpuState
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import Message, target_information


def adopt(server: Vcpu, primary: Vcpu) -> None:
    """Let the primary's vCPU that runs a vCPU again take the place of the one that began the chain."""
    last = server
    requester = last.requester
    while requester is not None and requester.value.kind != PartitionKind.PRIMARY:
        last = requester.value
        requester = last.requester
    if requester is not None:
        last.requester = address_of(primary)


def finish_request(server: Vcpu) -> None:
    """The vCPU no longer owes a response."""
    server.requester = None
    server.attention.fetch_and(~OWES_RESPONSE_2, Ordering.RELAXED)


def answer(source: Vcpu, state: VcpuState, requester: Vcpu) -> None:
    """Pass the CPU to a vCPU that was blocked on it."""
    requester.state.store(VcpuState.RUNNING, Ordering.RELAXED)
    pass_cpu(source, state, requester)


def is_aborted(vcpu: Vcpu) -> bool:
    """Whether its partition has come to its end."""
    return vcpu.attention.load(Ordering.RELAXED) & PARTITION_ABORTED != 0


def answer_with_error(source: Vcpu, state: VcpuState, victim: Vcpu, reply: Message) -> None:
    """Pass the CPU from `source` to who waits for `victim`, or else to the primary, with FFA_ERROR.

    On the way vCPUs of partitions that have come to their end, end.
    """
    last = victim
    requester = take_requester(last)
    while requester is not None and is_aborted(requester):
        last = requester
        last.state.store(VcpuState.ABORTED, Ordering.RELEASE)
        requester = take_requester(last)
    if requester is None:
        return_to_primary(source, state)
    else:
        answer(source, state, requester)
    reply.fail(FfaError.ABORTED)
    reply.x1 = target_information(last)


def take_requester(server: Vcpu) -> Vcpu | None:
    """Who waits for a vCPU's response, which will not come."""
    requester = server.requester
    finish_request(server)
    return None if requester is None else requester.value
