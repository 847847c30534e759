"""Direct messages: FFA_MSG_SEND_DIRECT_REQ and _RESP, 32 and 64 bit (DEN0077, direct messaging).

A request hands the CPU from the sender, which is then blocked, to the receiver; the response hands it back. Both are
copied from registers to registers. Each call has its three steps; what stands between check and commit of a request is
the claim of the receiver, one atomic change that either succeeds or leaves everything as it was.
"""

from __future__ import annotations

from compiler.language import Ordering, Value, address_of, struct, truncate, u16, u64
from hypervisor.core.partition import PartitionId, PartitionKind, find_partition
from hypervisor.core.scheduler import current_cpu_index, pass_cpu
from hypervisor.core.vcpu import RECEIVES_REQUESTS, SENDS_REQUESTS, Vcpu, VcpuState, vcpu_of
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import SMC64_BIT
from hypervisor.ffa.message import Message, low


@struct
class DirectMessage:
    """A request or response as decoded from w1 and w2."""

    sender: PartitionId
    receiver: PartitionId


def handle_request(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Deliver a request; the reply is then for the receiver."""
    request = decode(call)
    if isinstance(request, FfaError):
        return request
    receiver = check_request(request, caller)
    if isinstance(receiver, FfaError):
        return receiver
    if not receiver.claim(VcpuState.WAITING):
        return FfaError.BUSY
    commit_request(caller, receiver, call, reply)
    return None


def handle_response(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Deliver a response; the reply is then for whoever made the request."""
    response = decode(call)
    if isinstance(response, FfaError):
        return response
    requester = check_response(response, caller)
    if isinstance(requester, FfaError):
        return requester
    commit_response(caller, requester, call, reply)
    return None


def decode(call: Message) -> Value[DirectMessage] | FfaError:
    """w1: sender, receiver. w2: zero, since framework messages are not for partitions to send."""
    if low(call.x2) != 0:
        return FfaError.INVALID_PARAMETERS
    endpoints = low(call.x1)
    return DirectMessage(
        sender=PartitionId(truncate(u16, endpoints >> 16)), receiver=PartitionId(truncate(u16, endpoints))
    )


def check_request(request: DirectMessage, caller: Vcpu) -> Vcpu | FfaError:
    """The sender is the caller, the receiver another partition, and both may."""
    if request.sender != caller.partition_id or request.receiver == caller.partition_id:
        return FfaError.INVALID_PARAMETERS
    receiver = find_receiver(request.receiver)
    if isinstance(receiver, FfaError):
        return receiver
    if caller.methods & SENDS_REQUESTS == 0 or receiver.methods & RECEIVES_REQUESTS == 0:
        return FfaError.DENIED
    if receiver.state.load(Ordering.RELAXED) == VcpuState.ABORTED:
        return FfaError.ABORTED
    return receiver


def find_receiver(id: PartitionId) -> Vcpu | FfaError:
    """The vCPU of a partition that messages from this CPU go to: its only one, or that with the CPU's index."""
    partition = find_partition(id)
    if partition is None or partition.kind == PartitionKind.PRIMARY:
        return FfaError.INVALID_PARAMETERS
    vcpu = vcpu_of(partition, 0 if partition.vcpu_count == 1 else current_cpu_index())
    if vcpu is None:
        return FfaError.INVALID_PARAMETERS
    return vcpu


def commit_request(caller: Vcpu, receiver: Vcpu, call: Message, reply: Message) -> None:
    """Block the caller and let the receiver, which this CPU owns, find the message."""
    receiver.requester = address_of(caller)
    pass_cpu(caller, VcpuState.BLOCKED, receiver)
    copy_message(call, reply)


def check_response(response: DirectMessage, caller: Vcpu) -> Vcpu | FfaError:
    """The sender is the caller, and it owes the receiver a response."""
    if response.sender != caller.partition_id or response.receiver == caller.partition_id:
        return FfaError.INVALID_PARAMETERS
    requester = caller.requester
    if requester is None:
        return FfaError.DENIED
    if requester.value.partition_id != response.receiver:
        return FfaError.DENIED
    return requester.value


def commit_response(caller: Vcpu, requester: Vcpu, call: Message, reply: Message) -> None:
    """Let the requester, blocked on this CPU, find the response; the caller waits again."""
    finish_request(caller)
    requester.state.store(VcpuState.RUNNING, Ordering.RELAXED)
    pass_cpu(caller, VcpuState.WAITING, requester)
    copy_message(call, reply)


def finish_request(server: Vcpu) -> None:
    """The vCPU no longer owes a response."""
    server.requester = None


def copy_message(call: Message, reply: Message) -> None:
    """Pass on x0 to x7; of an SMC32 call the low halves, the upper ones zero."""
    mask: u64 = 0xFFFF_FFFF
    if call.x0 & SMC64_BIT != 0:
        mask = 0xFFFF_FFFF_FFFF_FFFF
    reply.x0 = low(call.x0)
    reply.x1 = low(call.x1)
    reply.x3 = call.x3 & mask
    reply.x4 = call.x4 & mask
    reply.x5 = call.x5 & mask
    reply.x6 = call.x6 & mask
    reply.x7 = call.x7 & mask
