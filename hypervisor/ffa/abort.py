"""The end of a vCPU that faulted: it never runs again, and who waits for it is told."""

from __future__ import annotations

from compiler.language import Ordering
from hypervisor.core.scheduler import pass_cpu, return_to_primary
from hypervisor.core.vcpu import Vcpu, VcpuState
from hypervisor.ffa.direct import finish_request
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import Message, target_information


def abort_vcpu(vcpu: Vcpu, reply: Message) -> None:
    """Take the CPU from a vCPU of a secondary for good; the reply, FFA_ERROR, is for who gets it."""
    information = target_information(vcpu)
    requester = vcpu.requester
    if requester is None:
        return_to_primary(vcpu, VcpuState.ABORTED)
    else:
        finish_request(vcpu)
        requester.value.state.store(VcpuState.RUNNING, Ordering.RELAXED)
        pass_cpu(vcpu, VcpuState.ABORTED, requester.value)
    reply.fail(FfaError.ABORTED)
    reply.x1 = information
