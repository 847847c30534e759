"""Which partitions there are: FFA_PARTITION_INFO_GET, from the receive buffer and from registers.

Descriptors have 8 bytes for FF-A 1.0, 24 for 1.1 and 1.2 and may grow: a reader goes by the size that is told.
"""

from __future__ import annotations

from compiler.language import Array, Ptr, address_of, array, static, struct, truncate, u16, u32, u64
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import low
from runtime.partition import calls
from runtime.partition.functions import Call
from runtime.partition.mailbox import PAGE_SIZE, RECEIVE
from runtime.partition.message import LongMessage

PARTITION_COUNT_MAX = 16
RECEIVES_DIRECT = 1
SENDS_DIRECT = 2
INDIRECT = 4
NOTIFICATIONS = 8
RECEIVES_DIRECT_2 = 1 << 9
SENDS_DIRECT_2 = 1 << 10
"""Properties."""
FIRST_ENTRY_REGISTER = 3


@struct
class PartitionInfo:
    """The part of a descriptor that all versions have."""

    id: u16 = 0
    vcpu_count: u16 = 0
    properties: u32 = 0


@struct
class Partitions:
    """The first `count` of `entries` are partitions."""

    entries: Array[PartitionInfo] = array(PARTITION_COUNT_MAX)
    count: u64 = 0


PARTITIONS: Partitions = static(Partitions())


def discover() -> FfaError | None:
    """Fill `PARTITIONS`, by the receive buffer, which is free again afterwards."""
    result = calls.partition_info()
    error = calls.error_of(result)
    if isinstance(error, FfaError):
        return error
    count = u64(low(result.x2))
    size = u64(low(result.x3))
    assert count <= PARTITION_COUNT_MAX, "more partitions than this program has room for"
    assert count * size <= PAGE_SIZE and size % 8 == 0, "descriptors that do not fit the receive buffer"
    for index in range(count):
        found = Ptr[PartitionInfo].at(address_of(RECEIVE).address + index * size).value
        set_entry(index, found.id, found.vcpu_count, found.properties)
    PARTITIONS.count = count
    return calls.release_receive_buffer()


def set_entry(index: u64, id: u16, vcpu_count: u16, properties: u32) -> None:
    """Note a partition."""
    entry = PARTITIONS.entries[index]
    entry.id = id
    entry.vcpu_count = vcpu_count
    entry.properties = properties


def is_confirmed_by_registers() -> bool:
    """Whether FFA_PARTITION_INFO_GET_REGS, as many calls as it takes, tells the same as the receive buffer did."""
    message = LongMessage()
    index: u64 = 0
    while index < PARTITIONS.count:
        calls.partition_info_registers(message, truncate(u16, index))
        if message.x[0] != Call.SUCCESS_64.value or message.x[2] & 0xFFFF != PARTITIONS.count - 1:
            return False
        last = message.x[2] >> 16 & 0xFFFF
        step = (message.x[2] >> 48) // 8
        register: u64 = FIRST_ENTRY_REGISTER
        while index <= last and index < PARTITIONS.count:
            if message.x[register] != packed(PARTITIONS.entries[index]):
                return False
            index += 1
            register += step
    return True


def packed(entry: PartitionInfo) -> u64:
    """The first register of an entry."""
    return u64(entry.id) | u64(entry.vcpu_count) << 16 | u64(entry.properties) << 32
