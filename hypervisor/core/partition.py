"""Partitions: what they are, what they may do, where their memory is.

Set when a partition is loaded, before any guest runs, and only read from then on, but for what FFA_VERSION agrees on.
What changes otherwise is in its vCPUs and, of FF-A, in `ffa/endpoint.py`.
"""

from __future__ import annotations

from compiler.language import Array, Distinct, EnumU8, array, static, string_at, struct, u8, u16, u32, u64, wrapping_sub
from hypervisor.memory.address_space import AddressSpace

PARTITION_COUNT_MAX = 16
NAME_SIZE = 32


class PartitionId(Distinct, base=u16):
    """FF-A endpoint ID (DEN0077, section 6): bit 15 tells the world."""


class PartitionKind(EnumU8):
    """Where a partition runs, and what it may do."""

    PRIMARY = 0
    """At EL1, with a vCPU on every CPU; owns the devices and the interrupts, and schedules the others."""
    EL1 = 1
    """A secondary guest at EL1."""
    EL0 = 2
    """A partition at EL0 with one vCPU."""


@struct(align=64)
class Partition:
    """A partition; its vCPUs are VCPUS[first_vcpu] and the following."""

    memory: AddressSpace
    id: PartitionId = PartitionId(0)
    kind: PartitionKind = PartitionKind.PRIMARY
    version_is_final: bool = False
    """Whether a call other than FFA_VERSION has been made."""
    version: u32 = 0
    """The version of FF-A that it uses."""
    index: u64 = 0
    first_vcpu: u64 = 0
    vcpu_count: u64 = 0
    name_size: u64 = 0
    name: Array[u8] = array(NAME_SIZE)


@struct
class PartitionTable:
    """The partitions that the manifest names, in the order of their IDs."""

    count: u64 = 0
    partitions: Array[Partition] = array(PARTITION_COUNT_MAX)


PARTITIONS: PartitionTable = static(PartitionTable())


def find_partition(id: PartitionId) -> Partition | None:
    """The partition with that ID, which is where IDs have no gaps, or else anywhere."""
    guess = wrapping_sub(u64(id.raw), 1)
    if guess < PARTITION_COUNT_MAX and guess < PARTITIONS.count and PARTITIONS.partitions[guess].id == id:
        return PARTITIONS.partitions[guess]
    for index in range(PARTITIONS.count):
        if PARTITIONS.partitions[index].id == id:
            return PARTITIONS.partitions[index]
    return None


def name_of(partition: Partition) -> str:
    """What the manifest calls it."""
    return string_at(partition.name[0 : partition.name_size])
