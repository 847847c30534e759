"""FFA_NOTIFICATION_INFO_GET: whom the primary shall run; FFA_NOTIFICATION_BITMAP_CREATE and _DESTROY.

What is pending is told once, and again only after the partition took it or more came. A list is a partition's ID with
up to three of its vCPUs; notifications are not for single vCPUs, so only those with another reason to run are named.
"""

from __future__ import annotations

from compiler.language import Array, Ordering, array, struct, truncate, u16, u64
from hypervisor.core.partition import PARTITIONS, Partition, PartitionKind
from hypervisor.core.vcpu import VCPUS, Vcpu, partition_of
from hypervisor.ffa.endpoint import endpoint_of
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message
from hypervisor.ffa.notification_state import VCPUS_TO_REPORT, Notifications, notifications_of

ID_COUNT_MAX = 20
"""In x3 to x7."""
LIST_VCPU_COUNT_MAX = 3
MORE_BIT = 1 << 0
LIST_COUNT_LSB = 7
LIST_SIZE_LSB = 12
LIST_SIZE_WIDTH = 2


@struct
class Report:
    """Lists as they go into registers."""

    ids: Array[u16] = array(ID_COUNT_MAX)
    id_count: u64 = 0
    list_count: u64 = 0
    sizes: u64 = 0
    """Numbers of vCPUs, at LIST_SIZE_WIDTH bits each."""
    is_incomplete: bool = False

    def begin(self, partition: Partition, id_count: u64) -> bool:
        """Begin a list of so many IDs, if it fits."""
        if self.id_count + id_count > ID_COUNT_MAX:
            self.is_incomplete = True
            return False
        self.sizes |= (id_count - 1) << self.list_count * LIST_SIZE_WIDTH
        self.list_count += 1
        self.put(partition.id.raw)
        return True

    def put(self, number: u16) -> None:
        """Append an ID."""
        self.ids[self.id_count] = number
        self.id_count += 1

    def word(self, index: u64) -> u64:
        """x3 and the following: four IDs each."""
        first = index * 4
        return (
            u64(self.ids[first])
            | u64(self.ids[first + 1]) << 16
            | u64(self.ids[first + 2]) << 32
            | u64(self.ids[first + 3]) << 48
        )


def handle(caller: Vcpu, reply: Message) -> FfaError | None:
    """Only the primary schedules."""
    if caller.kind != PartitionKind.PRIMARY:
        return FfaError.NOT_SUPPORTED
    report = Report()
    for index in range(PARTITIONS.count):
        report_partition(PARTITIONS.partitions[index], report)
    for index in range(PARTITIONS.count):
        report_vcpus(PARTITIONS.partitions[index], report)
    if report.list_count == 0:
        return FfaError.NO_DATA
    more: u64 = MORE_BIT if report.is_incomplete else 0
    reply.x0 = Function.SUCCESS_64.value
    reply.x2 = more | report.list_count << LIST_COUNT_LSB | report.sizes << LIST_SIZE_LSB
    reply.x3 = report.word(0)
    reply.x4 = report.word(1)
    reply.x5 = report.word(2)
    reply.x6 = report.word(3)
    reply.x7 = report.word(4)
    return None


def report_partition(partition: Partition, report: Report) -> None:
    """Put a partition in the report if there is something new for it."""
    notifications = notifications_of(partition)
    with notifications:
        if is_news(partition, notifications) and report.begin(partition, 1):
            notifications.is_reported = True


def is_news(partition: Partition, notifications: Notifications) -> bool:
    """Whether something is pending that the primary has not been told of."""
    pending = notifications.pending | endpoint_of(partition).framework_notifications.load(Ordering.ACQUIRE)
    return pending != 0 and not notifications.is_reported


def report_vcpus(partition: Partition, report: Report) -> None:
    """Put those vCPUs of a partition in the report that shall run, in lists of three at most."""
    mask: u64 = (1 << partition.vcpu_count) - 1
    wanted = VCPUS_TO_REPORT.bits.load(Ordering.ACQUIRE) >> partition.first_vcpu & mask
    while wanted != 0:
        count = min(count_of(wanted), LIST_VCPU_COUNT_MAX)
        if not report.begin(partition, 1 + count):
            return
        for index in range(partition.vcpu_count):
            if count != 0 and wanted >> index & 1 != 0:
                count -= 1
                wanted &= ~(1 << index)
                VCPUS_TO_REPORT.bits.fetch_and(~(1 << (partition.first_vcpu + index)), Ordering.ACQ_REL)
                report.put(VCPUS[partition.first_vcpu + index].index)


def count_of(bits: u64) -> u64:
    """How many bits are set."""
    count: u64 = 0
    while bits != 0:
        bits &= bits - 1
        count += 1
    return count


def handle_bitmap_create(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """A hypervisor's call, which operating systems make for themselves: their bitmaps exist from the start."""
    notifications = own_notifications(caller, call)
    if isinstance(notifications, FfaError):
        return notifications
    with notifications:
        if notifications.has_bitmap:
            return FfaError.DENIED
        notifications.has_bitmap = True
    reply.succeed(0)
    return None


def handle_bitmap_destroy(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """The reverse."""
    notifications = own_notifications(caller, call)
    if isinstance(notifications, FfaError):
        return notifications
    with notifications:
        if not notifications.has_bitmap or notifications.pending != 0:
            return FfaError.DENIED
        notifications.has_bitmap = False
    reply.succeed(0)
    return None


def own_notifications(caller: Vcpu, call: Message) -> Notifications | FfaError:
    """The caller's, if it names itself."""
    if truncate(u16, call.x1) != caller.partition_id.raw:
        return FfaError.NOT_SUPPORTED
    return notifications_of(partition_of(caller))
