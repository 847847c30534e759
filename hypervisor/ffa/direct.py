"""Direct messages: FFA_MSG_SEND_DIRECT_REQ and _RESP, 32 and 64 bit, and REQ2, RESP2 (DEN0077, direct messaging).

A request hands the CPU from the sender, which is then blocked, to the receiver; the response hands it back. Both are
copied from registers to registers. Each call has its three steps; what stands between check and commit of a request is
the claim of the receiver, one atomic change that either succeeds or leaves everything as it was.
"""

from __future__ import annotations

from compiler.language import Ordering, Value, address_of, struct, truncate, u16, u64
from hypervisor.arch.aarch64 import interrupts, timers
from hypervisor.core.partition import Partition, PartitionId, PartitionKind, find_partition
from hypervisor.core.scheduler import current_cpu_index, pass_cpu
from hypervisor.core.vcpu import (
    OWES_RESPONSE_2,
    RECEIVES_REQUESTS,
    SENDS_REQUESTS,
    Vcpu,
    VcpuState,
    partition_of,
    vcpu_of,
)
from hypervisor.ffa import chain
from hypervisor.ffa.endpoint import Endpoint, endpoint_of
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import SMC64_BIT
from hypervisor.ffa.message import Message, low
from hypervisor.ffa.protocol import VERSION_1_2

SENDS_REQUESTS_2 = 1 << 10
RECEIVES_REQUESTS_2 = 1 << 9
"""In the `methods` of a service and of an endpoint."""
EXTENDED_FIRST = 8
EXTENDED_END = 18
"""x8 to x17 carry payload too, in REQ2 and RESP2."""


@struct
class DirectMessage:
    """A request or response as decoded from its registers."""

    sender: PartitionId
    receiver: PartitionId
    is_second: bool
    """REQ2 or RESP2."""


def handle_request(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Deliver a request; the reply is then for the receiver."""
    request = decode(call)
    if isinstance(request, FfaError):
        return request
    return deliver_request(request, caller, call, reply)


def handle_request_2(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Deliver a request for one of the receiver's services, or with a nil UUID for all, in x4 to x17."""
    request = decode_endpoints(call, True)
    return deliver_request(request, caller, call, reply)


def deliver_request(request: DirectMessage, caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Check, claim, commit."""
    receiver = check_request(request, caller, call)
    if isinstance(receiver, FfaError):
        return receiver
    if not receiver.claim(VcpuState.WAITING):
        return FfaError.BUSY
    commit_request(request, caller, receiver, call, reply)
    return None


def handle_response(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Deliver a response; the reply is then for whoever made the request."""
    response = decode(call)
    if isinstance(response, FfaError):
        return response
    return deliver_response(response, caller, call, reply)


def handle_response_2(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """The same for REQ2; x2 and x3 are zero."""
    if call.x2 | call.x3 != 0:
        return FfaError.INVALID_PARAMETERS
    response = decode_endpoints(call, True)
    return deliver_response(response, caller, call, reply)


def deliver_response(response: DirectMessage, caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Check and commit."""
    requester = check_response(response, caller)
    if isinstance(requester, FfaError):
        return requester
    commit_response(response, caller, requester, call, reply)
    return None


def decode(call: Message) -> Value[DirectMessage] | FfaError:
    """w1: sender, receiver. w2: zero, since framework messages are not for partitions to send."""
    if low(call.x2) != 0:
        return FfaError.INVALID_PARAMETERS
    return decode_endpoints(call, False)


def decode_endpoints(call: Message, is_second: bool) -> Value[DirectMessage]:
    """w1: sender, receiver."""
    endpoints = low(call.x1)
    return DirectMessage(
        sender=PartitionId(truncate(u16, endpoints >> 16)),
        receiver=PartitionId(truncate(u16, endpoints)),
        is_second=is_second,
    )


def check_request(request: DirectMessage, caller: Vcpu, call: Message) -> Vcpu | FfaError:
    """The sender is the caller, the receiver another partition, and both may."""
    if request.sender != caller.partition_id or request.receiver == caller.partition_id:
        return FfaError.INVALID_PARAMETERS
    partition = find_partition(request.receiver)
    if partition is None or partition.kind == PartitionKind.PRIMARY:
        return FfaError.INVALID_PARAMETERS
    if request.is_second:
        error = check_services(partition_of(caller), partition, call)
    else:
        error = check_methods(caller, partition)
    if isinstance(error, FfaError):
        return error
    receiver = vcpu_of(partition, 0 if partition.vcpu_count == 1 else current_cpu_index())
    if receiver is None:
        return FfaError.INVALID_PARAMETERS
    if receiver.state.load(Ordering.RELAXED) == VcpuState.ABORTED or chain.is_aborted(receiver):
        return FfaError.ABORTED
    return receiver


def check_methods(caller: Vcpu, receiver: Partition) -> FfaError | None:
    """The manifest of each lets it send, or receive, requests."""
    first = vcpu_of(receiver, 0)
    if first is None or caller.methods & SENDS_REQUESTS == 0 or first.methods & RECEIVES_REQUESTS == 0:
        return FfaError.DENIED
    return None


def check_services(sender: Partition, receiver: Partition, call: Message) -> FfaError | None:
    """The receiver has the service, which takes REQ2, and the sender may send it; both know FF-A 1.2."""
    endpoint = endpoint_of(receiver)
    methods = methods_of(endpoint, call.x2, call.x3)
    if methods is None:
        return FfaError.INVALID_PARAMETERS
    if endpoint_of(sender).methods & SENDS_REQUESTS_2 == 0 or methods & RECEIVES_REQUESTS_2 == 0:
        return FfaError.DENIED
    if sender.version < VERSION_1_2 or receiver.version < VERSION_1_2:
        return FfaError.DENIED
    return None


def methods_of(endpoint: Endpoint, uuid_low: u64, uuid_high: u64) -> u16 | None:
    """Those of the service with that UUID, those of any for the nil UUID; None where there is no such service."""
    if uuid_low | uuid_high == 0:
        return endpoint.methods
    for index in range(endpoint.service_count):
        service = endpoint.services[index]
        if service.uuid[0] == uuid_low and service.uuid[1] == uuid_high:
            return service.methods
    return None


def commit_request(request: DirectMessage, caller: Vcpu, receiver: Vcpu, call: Message, reply: Message) -> None:
    """Block the caller and let the receiver, which this CPU owns, find the message."""
    timers.deliver(receiver)
    _ = interrupts.poll(receiver)
    receiver.requester = address_of(caller)
    if request.is_second:
        receiver.attention.fetch_or(OWES_RESPONSE_2, Ordering.RELAXED)
        copy_extended(caller, receiver)
    pass_cpu(caller, VcpuState.BLOCKED, receiver)
    copy_message(call, request.is_second, reply)


def check_response(response: DirectMessage, caller: Vcpu) -> Vcpu | FfaError:
    """The sender is the caller, and it owes the receiver a response, of that kind."""
    if response.sender != caller.partition_id or response.receiver == caller.partition_id:
        return FfaError.INVALID_PARAMETERS
    requester = caller.requester
    if requester is None:
        return FfaError.DENIED
    if requester.value.partition_id != response.receiver:
        return FfaError.DENIED
    owes_second = caller.attention.load(Ordering.RELAXED) & OWES_RESPONSE_2 != 0
    if owes_second != response.is_second:
        return FfaError.DENIED
    return requester.value


def commit_response(response: DirectMessage, caller: Vcpu, requester: Vcpu, call: Message, reply: Message) -> None:
    """Let the requester, blocked on this CPU, find the response; the caller waits again."""
    chain.finish_request(caller)
    if chain.is_aborted(requester):
        requester.state.store(VcpuState.ABORTED, Ordering.RELEASE)
        chain.answer_with_error(caller, VcpuState.WAITING, requester, reply)
        return
    if response.is_second:
        copy_extended(caller, requester)
    chain.answer(caller, VcpuState.WAITING, requester)
    copy_message(call, response.is_second, reply)


def copy_extended(source: Vcpu, target: Vcpu) -> None:
    """Pass on x8 to x17."""
    for index in range(EXTENDED_FIRST, EXTENDED_END):
        target.context.x[index] = source.context.x[index]


def copy_message(call: Message, is_second: bool, reply: Message) -> None:
    """Pass on x0 to x7; of an SMC32 call the low halves, the upper ones zero; x2 only where it has a meaning."""
    mask: u64 = 0xFFFF_FFFF
    if call.x0 & SMC64_BIT != 0:
        mask = 0xFFFF_FFFF_FFFF_FFFF
    reply.x0 = low(call.x0)
    reply.x1 = low(call.x1)
    reply.x2 = call.x2 if is_second else 0
    reply.x3 = call.x3 & mask
    reply.x4 = call.x4 & mask
    reply.x5 = call.x5 & mask
    reply.x6 = call.x6 & mask
    reply.x7 = call.x7 & mask
