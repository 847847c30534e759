"""Pending notifications of each partition, and who may set them (DEN0077, notifications).

The framework's, which nobody sets by a call, are in `endpoint.py`. There are none from secure partitions, since there
is no secure world, and none for single vCPUs.
"""

from __future__ import annotations

from compiler.language import Array, Atomic, Ordering, address_of, array, lock_rank, static, struct, u64
from hypervisor.arch.aarch64 import interrupts
from hypervisor.core.partition import PARTITION_COUNT_MAX, Partition, PartitionId, PartitionKind
from hypervisor.core.vcpu import VCPU_COUNT_MAX, VCPUS, Vcpu, vcpu_of
from hypervisor.core.virtual_interrupts import VirtualInterrupt
from hypervisor.drivers import gic
from hypervisor.ffa.endpoint import Endpoint, endpoint_of
from hypervisor.ffa.protocol import VERSION_1_1
from runtime.locks import NOTIFICATIONS_RANK, TicketLock

NOTIFICATION_COUNT = 64
SCHEDULE_RECEIVER_INTERRUPT = 8
"""SGI that tells the primary to ask whom to run."""


@lock_rank(NOTIFICATIONS_RANK)
@struct
class Notifications(TicketLock):
    """Of one partition; zero-filled, nothing is bound."""

    bound: u64 = 0
    pending: u64 = 0
    """From VMs."""
    is_reported: bool = False
    """Whether the primary has been told of what is pending."""
    has_bitmap: bool = False
    """Between FFA_NOTIFICATION_BITMAP_CREATE and _DESTROY, which change nothing else here."""
    senders: Array[PartitionId] = array(NOTIFICATION_COUNT)
    """For each bound one, who may set it."""

    def are_bound_to(self, sender: PartitionId, bitmap: u64) -> bool:
        """Whether all of a bitmap may be set by a partition."""
        if bitmap & ~self.bound != 0:
            return False
        for number in range(NOTIFICATION_COUNT):
            if bitmap >> number & 1 != 0 and self.senders[number] != sender:
                return False
        return True

    def bind(self, sender: PartitionId, bitmap: u64) -> None:
        """Let a partition set what nobody could."""
        self.bound |= bitmap
        for number in range(NOTIFICATION_COUNT):
            if bitmap >> number & 1 != 0:
                self.senders[number] = sender


NOTIFICATIONS: Array[Notifications] = static(array(PARTITION_COUNT_MAX))


@struct
class VcpusToReport:
    """vCPUs that the primary shall run though they have no notification: a bit for each of VCPUS."""

    bits: Atomic[u64] = Atomic(0)


VCPUS_TO_REPORT: VcpusToReport = static(VcpusToReport())


def notifications_of(partition: Partition) -> Notifications:
    """What may be pending for a partition."""
    return NOTIFICATIONS[partition.index]


def may_receive(partition: Partition) -> bool:
    """Whether a partition knows notifications and wants them; the primary has no manifest to say so."""
    wants = endpoint_of(partition).receives_notifications or partition.kind == PartitionKind.PRIMARY
    return wants and partition.version >= VERSION_1_1


def signal(partition: Partition) -> None:
    """Something is pending anew: interrupt the partition when it runs, and have the primary ask whom to run.

    A vCPU that enables the interrupt afterwards looks for itself: it writes `enabled` before it takes the lock.
    """
    if partition.kind == PartitionKind.EL1:
        for index in range(partition.vcpu_count):
            vcpu = vcpu_of(partition, index)
            if vcpu is not None and vcpu.interrupts.is_enabled(VirtualInterrupt.NOTIFICATION):
                interrupts.post(vcpu, VirtualInterrupt.NOTIFICATION)
    gic.send_to_this_cpu(SCHEDULE_RECEIVER_INTERRUPT)


def signal_framework(partition: Partition, endpoint: Endpoint, bits: u64) -> None:
    """A notification of the hypervisor's own; `is_reported` is another's to clear, so it is taken with its lock."""
    notifications = notifications_of(partition)
    with notifications:
        endpoint.framework_notifications.fetch_or(bits, Ordering.RELEASE)
        notifications.is_reported = False
    signal(partition)


def are_pending(partition: Partition) -> bool:
    """Whether a partition has something to take."""
    notifications = notifications_of(partition)
    with notifications:
        return notifications.pending | endpoint_of(partition).framework_notifications.load() != 0


def report_vcpu(vcpu: Vcpu) -> None:
    """Have the primary run a vCPU."""
    VCPUS_TO_REPORT.bits.fetch_or(1 << number_of(vcpu), Ordering.RELEASE)
    gic.send_to_this_cpu(SCHEDULE_RECEIVER_INTERRUPT)


def number_of(vcpu: Vcpu) -> u64:
    """Which of VCPUS it is."""
    for number in range(VCPU_COUNT_MAX):
        if address_of(VCPUS[number]).address == address_of(vcpu).address:
            return number
    return 0
