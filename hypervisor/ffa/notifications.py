"""FFA_NOTIFICATION_BIND, _UNBIND, _SET and _GET (DEN0077, notifications)."""

from __future__ import annotations

from compiler.language import Ordering, Value, struct, truncate, u16, u32, u64
from hypervisor.arch.aarch64 import interrupts
from hypervisor.core.partition import Partition, PartitionId, find_partition
from hypervisor.core.vcpu import Vcpu, partition_of
from hypervisor.core.virtual_interrupts import VirtualInterrupt
from hypervisor.ffa.endpoint import endpoint_of
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import Message, low
from hypervisor.ffa.notification_state import may_receive, notifications_of, signal

FROM_SPS = 1 << 0
FROM_VMS = 1 << 1
FROM_SPM = 1 << 2
FROM_HYPERVISOR = 1 << 3
"""Flags of FFA_NOTIFICATION_GET: which bitmaps are wanted."""
GET_FLAGS = FROM_SPS | FROM_VMS | FROM_SPM | FROM_HYPERVISOR


@struct
class Change:
    """BIND, UNBIND and SET as decoded; the bitmap is not empty."""

    sender: PartitionId
    receiver: PartitionId
    bitmap: u64


def handle_bind(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Let a partition set notifications of the caller."""
    change = decode(call, low(call.x2))
    if isinstance(change, FfaError):
        return change
    receiver = check_receiver(caller, change)
    if isinstance(receiver, FfaError):
        return receiver
    if find_partition(change.sender) is None:
        return FfaError.INVALID_PARAMETERS
    if not may_receive(receiver):
        return FfaError.NOT_SUPPORTED
    notifications = notifications_of(receiver)
    with notifications:
        if change.bitmap & (notifications.bound | notifications.pending) != 0:
            return FfaError.DENIED
        notifications.bind(change.sender, change.bitmap)
    reply.succeed(0)
    return None


def handle_unbind(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Take back what was bound; w2 has no meaning."""
    change = decode(call, 0)
    if isinstance(change, FfaError):
        return change
    receiver = check_receiver(caller, change)
    if isinstance(receiver, FfaError):
        return receiver
    if not may_receive(receiver):
        return FfaError.NOT_SUPPORTED
    notifications = notifications_of(receiver)
    with notifications:
        if change.bitmap & notifications.pending != 0 or not notifications.are_bound_to(change.sender, change.bitmap):
            return FfaError.DENIED
        notifications.bound &= ~change.bitmap
    reply.succeed(0)
    return None


def handle_set(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Make notifications of another partition pending. A VM has no flags to give: none by vCPU, none delayed."""
    change = decode(call, low(call.x2))
    if isinstance(change, FfaError):
        return change
    if change.sender != caller.partition_id:
        return FfaError.INVALID_PARAMETERS
    receiver = find_partition(change.receiver)
    if receiver is None:
        return FfaError.INVALID_PARAMETERS
    if not may_receive(receiver):
        return FfaError.DENIED
    notifications = notifications_of(receiver)
    with notifications:
        if not notifications.are_bound_to(change.sender, change.bitmap):
            return FfaError.DENIED
        notifications.pending |= change.bitmap
        notifications.is_reported = False
    signal(receiver)
    reply.succeed(0)
    return None


def handle_get(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Give the caller what is pending and wanted, which then no longer is. From SPs there is nothing."""
    flags = low(call.x2)
    receiver = partition_of(caller)
    if flags & ~GET_FLAGS != 0 or truncate(u16, call.x1) != caller.partition_id.raw:
        return FfaError.INVALID_PARAMETERS
    if low(call.x1) >> 16 >= receiver.vcpu_count:
        return FfaError.INVALID_PARAMETERS
    notifications = notifications_of(receiver)
    framework: u64 = 0
    from_vms: u64 = 0
    with notifications:
        if flags & FROM_VMS != 0:
            from_vms = notifications.pending
            notifications.pending = 0
        if flags & (FROM_SPM | FROM_HYPERVISOR) != 0:
            framework = endpoint_of(receiver).framework_notifications.exchange(0, Ordering.ACQ_REL)
        notifications.is_reported = False
    if caller.interrupts.is_enabled(VirtualInterrupt.NOTIFICATION):
        caller.interrupts.cancel(VirtualInterrupt.NOTIFICATION)
        interrupts.refresh(caller)
    reply.succeed(0)
    reply.x4 = low(from_vms)
    reply.x5 = from_vms >> 32
    reply.x6 = low(framework)
    reply.x7 = framework >> 32
    return None


def decode(call: Message, flags: u32) -> Value[Change] | FfaError:
    """w1: sender, receiver. w3, w4: bitmap."""
    endpoints = low(call.x1)
    sender = PartitionId(truncate(u16, endpoints >> 16))
    receiver = PartitionId(truncate(u16, endpoints))
    bitmap = u64(low(call.x3)) | u64(low(call.x4)) << 32
    if flags != 0 or bitmap == 0 or sender == receiver:
        return FfaError.INVALID_PARAMETERS
    return Change(sender=sender, receiver=receiver, bitmap=bitmap)


def check_receiver(caller: Vcpu, change: Change) -> Partition | FfaError:
    """Only the receiver decides who may notify it."""
    if change.receiver != caller.partition_id:
        return FfaError.INVALID_PARAMETERS
    return partition_of(caller)
