"""Partitions: what they are called, what they may do, where their memory is.

Everything here is set when a partition is loaded, before a second CPU runs, and only read from then on; what changes
is in its vCPU.
"""

from __future__ import annotations

from compiler.language import (
    Array,
    Distinct,
    Ptr,
    Value,
    address_of,
    array,
    offset_of,
    static,
    static_assert,
    struct,
    u16,
    u64,
)
from hypervisor.core.partition_image import ImageHeader
from hypervisor.core.statistics import Counts
from hypervisor.core.vcpu import Vcpu, VcpuState
from hypervisor.memory.address_space import AddressSpace
from hypervisor.partitions.listing import NAMES, PARTITION_COUNT


class PartitionId(Distinct, base=u16):
    """FF-A endpoint ID (DEN0077, section 6): bit 15 tells the world."""


@struct(align=64)
class Partition:
    """A partition with one vCPU, which may run on any CPU."""

    vcpu: Vcpu
    memory: AddressSpace
    id: PartitionId = PartitionId(0)
    index: u64 = 0
    image: Ptr[ImageHeader] | None = None


static_assert(offset_of(Partition, "vcpu") == 0, "SP_EL2 points at the partition and at its vCPU alike")

PARTITIONS: Array[Partition] = static(array(PARTITION_COUNT))

BY_ID_COUNT = 64
BY_ID: Array[Ptr[Partition] | None] = static(array(BY_ID_COUNT))
"""A partition for the low bits of its ID, where the short paths look; of several with the same bits one is here."""


def enter_in_table(partition: Partition) -> None:
    """Let the short paths find a partition."""
    BY_ID[partition.id.raw & (BY_ID_COUNT - 1)] = address_of(partition)


def find_partition(id: PartitionId) -> Partition | None:
    """The partition with that ID."""
    for partition in PARTITIONS:
        if partition.id == id:
            return partition
    return None


def partition_of(vcpu: Vcpu) -> Partition:
    """The partition that a vCPU belongs to."""
    return PARTITIONS[vcpu.partition_index]


def name_of(partition: Partition) -> str:
    """What the build calls it."""
    return NAMES[partition.index]


def total_counts() -> Value[Counts]:
    """What all partitions did; exact when none of them runs."""
    total = Counts()
    for partition in PARTITIONS:
        total.add(partition.vcpu.counts)
    return total


def count_in_state(state: VcpuState) -> u64:
    """How many partitions are in a state just now."""
    count: u64 = 0
    for partition in PARTITIONS:
        if partition.vcpu.state.load() == state:
            count += 1
    return count
