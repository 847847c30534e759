"""The end of a partition that faulted: it never runs again, and who waits for its response is told."""

from __future__ import annotations

from compiler.language import Ordering
from hypervisor.core.partition import partition_of
from hypervisor.core.scheduler import leave_cpu, pass_cpu
from hypervisor.core.vcpu import Vcpu, VcpuState
from hypervisor.ffa.direct import finish_request
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import Message


def abort_partition(vcpu: Vcpu, reply: Message) -> None:
    """Take the CPU from a partition for good; the reply is for the partition that gets it."""
    requester = vcpu.requester
    if requester is None:
        leave_cpu(vcpu, VcpuState.ABORTED)
        return
    finish_request(partition_of(vcpu))
    requester.value.state.store(VcpuState.RUNNING, Ordering.RELAXED)
    pass_cpu(vcpu, VcpuState.ABORTED, requester.value)
    reply.fail(FfaError.ABORTED)
