"""FFA_PARTITION_INFO_GET and _REGS: who is there and what can be asked of them (DEN0077, partition discovery).

Both give the same descriptors, one into the caller's RX buffer, the other into registers. Their size follows from the
version that the caller uses; a form of them is the beginning of the next one's.
"""

from __future__ import annotations

from compiler.language import (
    Array,
    Bits,
    Slice,
    UntrustedBytes,
    array,
    bit,
    bytes_of,
    cold,
    since,
    size_of,
    static_assert,
    struct,
    truncate,
    u8,
    u16,
    u32,
    u64,
    version_of,
)
from hypervisor.core.partition import PARTITION_COUNT_MAX, PARTITIONS, Partition, PartitionKind
from hypervisor.core.vcpu import Vcpu, partition_of
from hypervisor.ffa.endpoint import SERVICE_COUNT_MAX, UUID_WORD_COUNT, Endpoint, endpoint_of
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message, low
from hypervisor.ffa.protocol import VERSION_1_0, VERSION_1_1, VERSION_1_2, VERSION_1_3
from hypervisor.memory.linear_map import to_virtual
from hypervisor.memory.pages import PAGE_SIZE


class Properties(Bits, base=u32):
    """What may be done with a partition; a manifest's messaging-method has the same bits."""

    RECEIVES_REQUESTS = bit(0)
    SENDS_REQUESTS = bit(1)
    INDIRECT_MESSAGES = bit(2)
    RECEIVES_NOTIFICATIONS = bit(3)
    AARCH64 = bit(8)
    RECEIVES_REQUESTS_2 = bit(9)
    SENDS_REQUESTS_2 = bit(10)


RECEIVES = Properties.RECEIVES_REQUESTS | Properties.RECEIVES_REQUESTS_2
SENDS = Properties.SENDS_REQUESTS | Properties.SENDS_REQUESTS_2
PROPERTIES_1_0 = Properties.RECEIVES_REQUESTS | Properties.SENDS_REQUESTS | Properties.INDIRECT_MESSAGES
"""What callers of FF-A 1.0 know."""


@struct
class PartitionInfo:
    """A descriptor."""

    id: u16 = 0
    vcpu_count: u16 = 0
    properties: u32 = 0
    protocol_uuid: Array[u64] = since(VERSION_1_1, array(UUID_WORD_COUNT))
    """Of the service; zero where the caller named it."""
    image_uuid: Array[u64] = since(VERSION_1_3, array(UUID_WORD_COUNT))
    """Of the partition; zero where the caller named it."""
    version: u32 = since(VERSION_1_3, 0)
    """The version of FF-A that the partition uses."""
    reserved: u32 = since(VERSION_1_3, 0)


SIZE = size_of(PartitionInfo)
SIZE_1_1 = size_of(version_of(PartitionInfo, VERSION_1_1))
SIZE_1_0 = size_of(version_of(PartitionInfo, VERSION_1_0))
static_assert(SIZE == 48 and SIZE_1_1 == 24 and SIZE_1_0 == 8, "sizes of the specification")
static_assert(PARTITION_COUNT_MAX * SERVICE_COUNT_MAX * SIZE <= PAGE_SIZE, "all descriptors fit into an RX buffer")

COUNT_ONLY_BIT = 1
"""w5 of FFA_PARTITION_INFO_GET: no descriptors."""
FIRST_REGISTER = 3
REGISTER_COUNT = 15
"""x3 to x17 of a result of FFA_PARTITION_INFO_GET_REGS."""


@struct
class Query:
    """Whom a caller asks for, and how far the answer is; zero UUID: everybody."""

    uuid_low: u64
    uuid_high: u64
    version: u32
    """The caller's."""
    partition: u64 = 0
    service: u64 = 0
    """Where to look next."""

    def is_for_all(self) -> bool:
        """Whether no UUID is given."""
        return self.uuid_low | self.uuid_high == 0

    def names(self, uuid: Slice[u64]) -> bool:
        """Whether it asks for this UUID."""
        return uuid[0] == self.uuid_low and uuid[1] == self.uuid_high


@cold
def handle(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Descriptors into the RX buffer, or only their number."""
    flags = low(call.x5)
    if flags & ~COUNT_ONLY_BIT != 0:
        return FfaError.INVALID_PARAMETERS
    partition = partition_of(caller)
    query = Query(
        uuid_low=u64(low(call.x1)) | u64(low(call.x2)) << 32,
        uuid_high=u64(low(call.x3)) | u64(low(call.x4)) << 32,
        version=partition.version,
    )
    count = count_entries(query)
    if count == 0:
        return FfaError.INVALID_PARAMETERS
    reply.succeed(count)
    if flags & COUNT_ONLY_BIT != 0:
        return None
    reply.x3 = size_for(query.version)
    return write(endpoint_of(partition), query)


def write(endpoint: Endpoint, query: Query) -> FfaError | None:
    """Fill the RX buffer, to its end, and let the partition have it."""
    with endpoint.rx:
        if not endpoint.rx.is_free():
            return FfaError.BUSY
        buffer = UntrustedBytes.at(to_virtual(endpoint.rx.start), PAGE_SIZE)
        size = size_for(query.version)
        offset: u64 = 0
        info = PartitionInfo()
        while find_next(query, info):
            _ = buffer.copy_out(offset, bytes_of(info)[0:size])
            offset += size
        endpoint.rx.clear_from(offset)
        endpoint.rx.is_full = True
    return None


def handle_registers(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Descriptors in x3 to x17, from the index in x3 on; x2 tells how far that went."""
    start = truncate(u16, call.x3)
    tag = truncate(u16, call.x3 >> 16)
    if tag != 0:
        return FfaError.RETRY
    query = Query(uuid_low=call.x1, uuid_high=call.x2, version=partition_of(caller).version)
    count = count_entries(query)
    if start >= count:
        return FfaError.INVALID_PARAMETERS
    registers: Array[u64] = array(REGISTER_COUNT)
    size = SIZE if query.version >= VERSION_1_3 else SIZE_1_1
    end = min(count, start + REGISTER_COUNT * 8 // size)
    fill(query, start, end, size, bytes_of(registers))
    reply.x0 = Function.SUCCESS_64.value
    reply.x2 = (count - 1) | (end - 1) << 16 | size << 48
    reply.x3 = registers[0]
    reply.x4 = registers[1]
    reply.x5 = registers[2]
    reply.x6 = registers[3]
    reply.x7 = registers[4]
    for index in range(5, REGISTER_COUNT):
        caller.context.x[FIRST_REGISTER + index] = registers[index]
    return None


def fill(query: Query, start: u64, end: u64, size: u64, out: Slice[u8]) -> None:
    """Put the entries from `start` to `end` next to each other."""
    info = PartitionInfo()
    for _ in range(start):
        _ = find_next(query, info)
    for index in range(end - start):
        _ = find_next(query, info)
        data = bytes_of(info)
        for position in range(size):
            out[index * size + position] = data[position]


def size_for(version: u32) -> u64:
    """Bytes of a descriptor for a caller of a version."""
    if version >= VERSION_1_3:
        return SIZE
    return SIZE_1_1 if version >= VERSION_1_1 else SIZE_1_0


def count_entries(query: Query) -> u64:
    """How many descriptors the answer has; the query is then at its start again."""
    info = PartitionInfo()
    count: u64 = 0
    while find_next(query, info):
        count += 1
    query.partition = 0
    query.service = 0
    return count


@cold
def find_next(query: Query, info: PartitionInfo) -> bool:
    """Go to the next entry and describe it; False at the end.

    A partition has an entry for each of its services, and one when it has none; for callers before FF-A 1.2 it has one.
    """
    while query.partition < PARTITIONS.count:
        partition = PARTITIONS.partitions[query.partition]
        endpoint = endpoint_of(partition)
        service = query.service
        query.service += 1
        if query.service >= endpoint.service_count:
            query.partition += 1
            query.service = 0
        if describe(query, partition, endpoint, service, info):
            return True
    return False


def describe(query: Query, partition: Partition, endpoint: Endpoint, service: u64, info: PartitionInfo) -> bool:
    """Fill a descriptor if the query is for that service; the UUID that it names is left out."""
    found = endpoint.services[service]
    is_for_all = query.is_for_all()
    names_service = not is_for_all and query.names(found.uuid)
    names_image = not is_for_all and query.version >= VERSION_1_3 and query.names(endpoint.image_uuid)
    if not is_for_all and not names_service and not names_image:
        return False
    methods = found.methods
    if query.version < VERSION_1_2 or endpoint.service_count == 0:
        if is_for_all and service != 0:
            return False
        methods = endpoint.methods
    info.id = partition.id.raw
    info.vcpu_count = u16(partition.vcpu_count)
    info.properties = visible_properties(partition, endpoint, methods)
    if query.version < VERSION_1_1:
        info.properties &= PROPERTIES_1_0
    for word in range(UUID_WORD_COUNT):
        info.protocol_uuid[word] = 0 if names_service else found.uuid[word]
        info.image_uuid[word] = 0 if names_image else endpoint.image_uuid[word]
    info.version = partition.version
    return True


def visible_properties(partition: Partition, endpoint: Endpoint, methods: u32) -> u32:
    """What others learn: the primary sends requests, secondaries receive them; nothing that its version has not."""
    known: u32 = Properties.RECEIVES_REQUESTS | Properties.SENDS_REQUESTS
    if partition.version >= VERSION_1_1:
        known |= Properties.INDIRECT_MESSAGES
    if partition.version >= VERSION_1_2:
        known |= RECEIVES | SENDS
    known &= ~RECEIVES if partition.kind == PartitionKind.PRIMARY else ~SENDS
    properties = methods & known | Properties.AARCH64
    if partition.version >= VERSION_1_1 and endpoint.receives_notifications:
        properties |= Properties.RECEIVES_NOTIFICATIONS
    return properties
