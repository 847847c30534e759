"""FFA_PARTITION_INFO_GET and _REGS: descriptors in each size, queries by UUID, properties, checks; by a model."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest

from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.memory.pages import PAGE_SIZE
from tests.host.ffa.machine import (
    GUEST,
    GUEST_MP,
    IMAGES,
    KINDS,
    MASK_32,
    NIL,
    OTHER,
    PRIMARY,
    PRIMARY_METHODS,
    RX,
    SERVICE,
    SERVICES,
    SUCCESS,
    VCPU_COUNTS,
    Machine,
    Uuid,
    error,
    ram,
    success,
)

GET = Function.PARTITION_INFO_GET.value
GET_REGS = Function.PARTITION_INFO_GET_REGS.value
SUCCESS_64 = Function.SUCCESS_64.value
VERSION = Function.VERSION.value
RELEASE = Function.RX_RELEASE.value
V1_0, V1_1, V1_2, V1_3 = VERSIONS = (0x10000, 0x10001, 0x10002, 0x10003)
SIZES = {V1_0: 8, V1_1: 24, V1_2: 24, V1_3: 48}
COUNT_ONLY = 1
UNKNOWN: Uuid = (0x1111_1111_1111_1111, 0x2222_2222_2222_2223)
INVALID = FfaError.INVALID_PARAMETERS

INDIRECT, NOTIFICATIONS, AARCH64 = 1 << 2, 1 << 3, 1 << 8
RECEIVE, SEND = 1 << 0 | 1 << 9, 1 << 1 | 1 << 10


@dataclass(frozen=True)
class Entry:
    """What one descriptor says."""

    id: int
    vcpu_count: int
    properties: int
    protocol: Uuid
    image: Uuid
    version: int

    def packed(self, version: int, size: int) -> bytes:
        """The bytes for a caller of a version."""
        head = struct.pack("<HHI", self.id, self.vcpu_count, self.properties & (7 if version == V1_0 else MASK_32))
        tail = struct.pack("<QQQQII", *self.protocol, *self.image, self.version, 0)
        return (head + tail)[:size]


def model(version: int, uuid: Uuid, versions: dict[int, int]) -> list[Entry]:
    """The answer to a query; `versions` are those of the partitions."""
    entries: list[Entry] = []
    for index, services in enumerate(SERVICES):
        whole = PRIMARY_METHODS if not services else 0
        for _, methods in services:
            whole |= methods
        own = [(protocol, methods) for protocol, methods in services] or [(NIL, whole)]
        for position, (protocol, methods) in enumerate(own):
            image = IMAGES[index]
            by_protocol = uuid != NIL and uuid == protocol
            by_image = uuid != NIL and uuid == image and version >= V1_3
            if uuid == NIL and position > 0 and version < V1_2:
                continue
            if uuid != NIL and not by_protocol and not by_image:
                continue
            entries.append(
                Entry(
                    index + 1,
                    VCPU_COUNTS[index],
                    properties(index, versions[index], methods if version >= V1_2 else whole),
                    NIL if by_protocol else protocol,
                    NIL if by_image else image,
                    versions[index],
                )
            )
    return entries


def properties(index: int, version: int, methods: int) -> int:
    shown = SEND if index == PRIMARY else RECEIVE
    if version < V1_2:
        shown &= 3
    if version >= V1_1:
        shown |= INDIRECT
    result = methods & shown | AARCH64
    return result | NOTIFICATIONS if version >= V1_1 and index != OTHER else result


def words(uuid: Uuid) -> list[int]:
    """w1 to w4."""
    return [part >> shift & MASK_32 for part in uuid for shift in (0, 32)]


def machine_of(partition: int, version: int, others: int = V1_3) -> tuple[Machine, dict[int, int]]:
    """A machine on which a partition with buffers runs, which uses a version; the others use another."""
    machine = Machine()
    versions = dict.fromkeys(range(len(KINDS)), others)
    for index in versions:
        machine.partitions[index].version = others
    if partition != PRIMARY:
        machine.run(partition)
    machine.call(VERSION, version)
    versions[partition] = version
    machine.session.write(ram(partition) + RX, b"\xa5" * PAGE_SIZE)
    machine.map_buffers()
    return machine, versions


ALL_UUIDS = [NIL, UNKNOWN, *[uuid for services in SERVICES for uuid, _ in services], IMAGES[SERVICE]]


@pytest.mark.parametrize(
    ("partition", "version", "others"),
    [
        *((PRIMARY, version, others) for version in VERSIONS for others in VERSIONS),
        *((partition, version, V1_3) for partition in (GUEST, SERVICE) for version in VERSIONS),
    ],
)
def test_every_query_is_answered_as_the_model_says(partition: int, version: int, others: int) -> None:
    machine, versions = machine_of(partition, version, others)
    for uuid in ALL_UUIDS:
        wanted = [entry.packed(version, SIZES[version]) for entry in model(version, uuid, versions)]
        if not wanted:
            machine.refuses(INVALID, GET, *words(uuid))
            machine.refuses(INVALID, GET, *words(uuid), COUNT_ONLY)
            continue
        assert machine.call(GET, *words(uuid), COUNT_ONLY) == success(len(wanted))
        machine.refuses(FfaError.DENIED, RELEASE)  # nothing is in the buffer
        assert machine.call(GET, *words(uuid)) == (SUCCESS, 0, len(wanted), SIZES[version], 0, 0, 0, 0)
        data = b"".join(wanted)
        assert machine.session.read(ram(partition) + RX, PAGE_SIZE) == data + bytes(PAGE_SIZE - len(data))
        assert machine.call(RELEASE) == success()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("partition", [PRIMARY, GUEST_MP, SERVICE])
def test_registers_have_the_same_descriptors(partition: int, version: int) -> None:
    machine, versions = machine_of(partition, version)
    size = 48 if version == V1_3 else 24
    per_call = 2 if version == V1_3 else 5
    for uuid in ALL_UUIDS:
        entries = [entry.packed(version, size) for entry in model(version, uuid, versions)]
        for start in range(len(entries)):
            machine.set_extended([0xA5A5_A5A5_A5A5_A5A5] * 10)
            result = machine.call(GET_REGS, *uuid, start)
            last = min(start + per_call, len(entries)) - 1
            assert result[:3] == (SUCCESS_64, 0, len(entries) - 1 | last << 16 | size << 48)
            data = b"".join(entries[start : last + 1]).ljust(15 * 8, b"\0")
            assert struct.pack("<15Q", *result[3:], *machine.extended()) == data
        for start in (len(entries), 0xFFFF):
            machine.refuses(INVALID, GET_REGS, *uuid, start, extended=[7] * 10)


def test_tags_are_never_given_and_so_none_is_right() -> None:
    machine, _ = machine_of(PRIMARY, V1_2)
    machine.refuses(FfaError.RETRY, GET_REGS, 0, 0, 1 << 16)
    machine.refuses(FfaError.RETRY, GET_REGS, *UNKNOWN, 0xFFFF_FFFF)  # before the rest is looked at


@pytest.mark.parametrize("flags", [2, 3, 0x8000_0000, 0x8000_0001])
def test_other_flags_are_zero(flags: int) -> None:
    machine, _ = machine_of(PRIMARY, V1_1)
    machine.refuses(INVALID, GET, 0, 0, 0, 0, flags)
    assert machine.call(GET, 0, 0, 0, 0, 0xDEAD_BEEF << 32 | COUNT_ONLY)[0] == SUCCESS


def test_a_buffer_has_to_be_there_and_empty() -> None:
    machine = Machine()
    machine.call(Function.ID_GET.value)
    machine.refuses(FfaError.BUSY, GET)
    machine.refuses(INVALID, GET, *words(UNKNOWN))  # before the buffer is looked at
    assert machine.call(GET, 0, 0, 0, 0, COUNT_ONLY) == success(6)  # needs no buffer
    machine.map_buffers()
    assert machine.call(GET)[0] == SUCCESS
    machine.refuses(FfaError.BUSY, GET)
    assert machine.call(GET, 0, 0, 0, 0, COUNT_ONLY) == success(6)
    assert machine.call(GET_REGS)[0] == SUCCESS_64


def test_registers_that_are_no_results_are_kept() -> None:
    """x8 to x17 belong to the caller but in results of calls that use them; errors do not."""
    machine, _ = machine_of(PRIMARY, V1_3)
    kept = [0x1234_5678_9ABC_DEF0 + number for number in range(10)]
    machine.set_extended(kept)
    for call in (
        (GET, 0, 0, 0, 0, COUNT_ONLY),
        (RELEASE,),
        (GET_REGS, 0, 0, 1 << 16),
        (Function.ID_GET.value,),
        (GET,),
    ):
        machine.call(*call)
        assert machine.extended() == tuple(kept)
    assert machine.call(RELEASE) == success()
    assert machine.call(RELEASE) == error(FfaError.DENIED)
