"""FFA_RXTX_MAP, _UNMAP and FFA_RX_RELEASE: each check and their order, what the tables say, and undoing half of it."""

from __future__ import annotations

import pytest

from compiler.language import PhysAddr
from hypervisor.ffa.endpoint import RX_FULL_BITS
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.memory import exact_map, page_table, pages
from hypervisor.memory.descriptors import Access, Ownership, Regime
from hypervisor.memory.pages import PAGE_SIZE
from tests.host.ffa.machine import (
    CODE,
    CONSTANTS,
    DATA,
    DEVICE,
    GUEST,
    GUEST_MP,
    MASK_32,
    PRIMARY,
    RAM_SIZE,
    RX,
    SERVICE,
    TX,
    UNMAPPED,
    Machine,
    error,
    ram,
    success,
)
from tests.host.memory.tables import VALID

MAP = Function.RXTX_MAP.value
MAP_64 = Function.RXTX_MAP_64.value
UNMAP = Function.RXTX_UNMAP.value
RELEASE = Function.RX_RELEASE.value
INFO = Function.PARTITION_INFO_GET.value
CALLERS = [PRIMARY, GUEST, GUEST_MP, SERVICE]
MODES = [Regime.EL0_HOST, Regime.STAGE_2]
INVALID = FfaError.INVALID_PARAMETERS
READ_WRITE = 1
READ_ONLY = 0


def machine_of(partition: int, mode: Regime = Regime.EL0_HOST) -> Machine:
    """A machine on which a partition runs, its version final."""
    machine = Machine(mode)
    if partition != PRIMARY:
        machine.run(partition)
    machine.call(Function.ID_GET.value)
    return machine


def leaf(machine: Machine, partition: int, offset: int) -> int:
    """The descriptor of a page of a partition, without its address."""
    found: int = machine.session.call(page_table.common_leaf, machine.partitions[partition].memory, offset, PAGE_SIZE)
    return found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("function", [MAP, MAP_64])
@pytest.mark.parametrize("partition", CALLERS)
def test_buffers_change_owner_and_permissions_and_come_back(partition: int, function: int, mode: Regime) -> None:
    machine = machine_of(partition, mode)
    before = machine.snapshot()
    base = ram(partition)
    space, own = machine.partitions[partition].memory, machine.hypervisor
    assert machine.call(function, base + TX, base + RX, 1) == success()
    for offset, for_partition, for_hypervisor in (
        (TX, Access.READ_WRITE, READ_ONLY),
        (RX, Access.READ_ONLY, READ_WRITE),
    ):
        found = machine.session.call(page_table.query, space, base + offset)
        assert found.output == PhysAddr(base + offset)
        assert access_and_state(machine, partition, offset) == (for_partition, Ownership.BORROWED_SHARED)
        mapped = machine.session.call(page_table.query, own, base + offset)
        assert mapped.leaf & VALID and mapped.output == PhysAddr(base + offset)
        assert bool(mapped.leaf & 1 << 7) == (for_hypervisor == READ_ONLY)
    assert machine.call(UNMAP) == success()
    assert {name for name, data in machine.snapshot().items() if data != before[name]} <= MERGED
    assert machine.call(function, base + TX, base + RX, 1) == success()


MERGED = {"hypervisor.memory.pages.BOOT_PAGES", "hypervisor.memory.pages.BOOT_BITMAP", "hypervisor.memory.pages.POOL"}
"""What may differ after unmapping: pages that tables had are free again, with what they held, in another order."""


def access_and_state(machine: Machine, partition: int, offset: int) -> tuple[Access | None, Ownership]:
    """What a partition may do with a page, and how it has it."""
    space = machine.partitions[partition].memory
    word = machine.session.call(page_table.common_leaf, space, ram(partition) + offset, PAGE_SIZE)
    return (
        machine.session.call("access_of", space.regime, word),
        machine.session.call("ownership_of", word),
    )


def rows(base: int) -> list[tuple[str, tuple[int, int, int], FfaError]]:
    """Arguments of FFA_RXTX_MAP that are refused by any caller, and why."""
    tx, rx = base + TX, base + RX
    return [
        ("no pages", (tx, rx, 0), INVALID),
        ("two pages", (tx, rx, 2), INVALID),
        ("many pages", (tx, rx, MASK_32), INVALID),
        ("64 pages, whose low six bits are zero", (tx, rx, 64), INVALID),
        ("TX is not aligned", (tx + 1, rx, 1), INVALID),
        ("TX is aligned to 2 KiB", (tx + PAGE_SIZE // 2, rx, 1), INVALID),
        ("RX is not aligned", (tx, rx + 8, 1), INVALID),
        ("the same page", (tx, tx, 1), INVALID),
        ("TX where nothing is", (base + RAM_SIZE * 16, rx, 1), INVALID),
        ("RX where nothing is", (tx, base + RAM_SIZE * 16, 1), INVALID),
        ("TX beyond the address space", (1 << 48, rx, 1), INVALID),
        ("RX beyond the address space", (tx, (1 << 64) - PAGE_SIZE, 1), INVALID),
    ]


EL0_ROWS = [
    ("TX is code", (CODE, RX, 1), INVALID),
    ("TX is constant", (CONSTANTS, RX, 1), INVALID),
    ("TX is a device", (DEVICE, RX, 1), INVALID),
    ("RX is a device", (TX, DEVICE, 1), INVALID),
    ("TX is not mapped", (UNMAPPED, RX, 1), INVALID),
    ("RX is not mapped", (TX, UNMAPPED, 1), INVALID),
]


@pytest.mark.parametrize("partition", CALLERS)
def test_bad_arguments_change_nothing(partition: int) -> None:
    machine = machine_of(partition)
    for _, arguments, code in rows(ram(partition)):
        machine.refuses(code, MAP_64, *arguments)


@pytest.mark.parametrize("mode", MODES)
def test_memory_of_the_wrong_kind_is_no_buffer(mode: Regime) -> None:
    machine = machine_of(SERVICE, mode)
    for _, (tx, rx, count), code in EL0_ROWS:
        machine.refuses(code, MAP_64, ram(SERVICE) + tx, ram(SERVICE) + rx, count)


@pytest.mark.parametrize("rx", [CODE, CONSTANTS])
def test_memory_that_is_only_read_can_be_rx(rx: int) -> None:
    machine = machine_of(SERVICE)
    before = access_and_state(machine, SERVICE, rx)
    assert machine.call(MAP_64, ram(SERVICE) + TX, ram(SERVICE) + rx, 1) == success()
    assert access_and_state(machine, SERVICE, rx) == (Access.READ_ONLY, Ownership.BORROWED_SHARED)
    assert machine.call(UNMAP) == success()
    assert access_and_state(machine, SERVICE, rx) == before


@pytest.mark.parametrize("state", [Ownership.SHARED, Ownership.LENT, Ownership.BORROWED, Ownership.BORROWED_SHARED])
@pytest.mark.parametrize("offset", [TX, RX])
def test_memory_that_others_have_a_part_in_is_no_buffer(offset: int, state: Ownership) -> None:
    machine = machine_of(GUEST)
    base = ram(GUEST)
    arguments = (machine.partitions[GUEST].memory, base + offset, PAGE_SIZE, Ownership.OWNED, state)
    assert machine.session.call(page_table.change_ownership, *arguments) is None
    machine.refuses(INVALID, MAP_64, base + TX, base + RX, 1)


def test_buffers_are_mapped_once() -> None:
    machine = machine_of(PRIMARY)
    machine.map_buffers()
    base = ram(PRIMARY)
    machine.refuses(FfaError.DENIED, MAP_64, base + TX, base + RX, 1)
    machine.refuses(FfaError.DENIED, MAP_64, base + 8 * PAGE_SIZE, base + 9 * PAGE_SIZE, 1)
    machine.refuses(FfaError.DENIED, MAP_64, base + RAM_SIZE * 16, base + RX, 1)  # before memory is looked at
    machine.refuses(INVALID, MAP_64, base + TX, base + RX, 0)  # after arguments are


def test_upper_halves_of_a_32_bit_call_are_ignored() -> None:
    machine = machine_of(GUEST)
    base = ram(GUEST)
    upper = 0xDEAD_BEEF << 32
    assert machine.call(MAP, upper | base + TX, upper | base + RX, upper | 1) == success()


def free_pages(machine: Machine) -> int:
    """Pages that the pool still has."""
    count: int = machine.session.static("hypervisor.memory.pages.POOL").free_count
    return count


@pytest.mark.parametrize("partition", CALLERS)
def test_without_pages_for_tables_nothing_changes(partition: int) -> None:
    """Every number of free pages that is too small: TX, RX, the hypervisor's map; then the one that is enough."""
    for left in range(6):
        machine = machine_of(partition)
        while free_pages(machine) > left:
            machine.session.call(pages.allocate)
        base = ram(partition)
        before = {name: data for name, data in machine.snapshot().items() if name not in MERGED}
        result = machine.call(MAP_64, base + TX, base + RX, 1)
        if result == success():
            return
        assert result == error(FfaError.NO_MEMORY)
        assert {name: data for name, data in machine.snapshot().items() if name not in MERGED} == before
        assert free_pages(machine) == left
        assert access_and_state(machine, partition, TX)[1] is Ownership.OWNED
        assert access_and_state(machine, partition, RX)[1] is Ownership.OWNED
    raise AssertionError("never enough")


def test_pages_that_the_hypervisor_has_mapped_are_denied() -> None:
    machine = machine_of(GUEST)
    base = ram(GUEST)
    machine.session.call(exact_map.map_buffer, PhysAddr(base + RX), 1, Access.READ_WRITE)
    assert machine.call(MAP_64, base + TX, base + RX, 1) == error(FfaError.DENIED)
    assert access_and_state(machine, GUEST, TX) == (Access.READ_WRITE_EXECUTE, Ownership.OWNED)
    assert access_and_state(machine, GUEST, RX) == (Access.READ_WRITE_EXECUTE, Ownership.OWNED)


@pytest.mark.parametrize("id", [1, 2, 0xFFFF])
def test_unmapping_is_not_for_others(id: int) -> None:
    machine = machine_of(PRIMARY)
    machine.map_buffers()
    machine.refuses(INVALID, UNMAP, id << 16)


def test_only_what_is_mapped_is_unmapped() -> None:
    machine = machine_of(PRIMARY)
    machine.refuses(INVALID, UNMAP)
    machine.map_buffers()
    assert machine.call(UNMAP) == success()
    machine.refuses(INVALID, UNMAP)


@pytest.mark.parametrize("partition", CALLERS)
def test_rx_is_released_once(partition: int) -> None:
    machine = machine_of(partition)
    machine.refuses(FfaError.DENIED, RELEASE)
    machine.map_buffers()
    machine.refuses(FfaError.DENIED, RELEASE)
    assert machine.call(INFO)[0] == success()[0]
    machine.refuses(INVALID, RELEASE, 1)
    machine.refuses(FfaError.BUSY, INFO)
    assert machine.call(RELEASE, 0xFFFF_0000) == success()
    machine.refuses(FfaError.DENIED, RELEASE)
    assert machine.call(INFO)[0] == success()[0]
    assert machine.call(UNMAP) == success()
    machine.refuses(FfaError.DENIED, RELEASE)


@pytest.mark.parametrize("bit", [0, 32])
def test_a_message_is_noticed_before_rx_is_released(bit: int) -> None:
    machine = machine_of(GUEST)
    machine.map_buffers()
    machine.call(INFO)
    assert RX_FULL_BITS >> bit & 1
    machine.endpoint(GUEST).framework_notifications = 1 << bit
    machine.refuses(FfaError.DENIED, RELEASE)
    machine.endpoint(GUEST).framework_notifications = ~RX_FULL_BITS & (1 << 64) - 1
    assert machine.call(RELEASE) == success()


def test_vcpus_of_a_partition_share_its_buffers() -> None:
    machine = machine_of(PRIMARY)
    machine.map_buffers()
    machine.cpu = 3
    machine.call(Function.ID_GET.value)
    machine.refuses(FfaError.DENIED, MAP_64, ram(PRIMARY) + DATA, ram(PRIMARY) + RX, 1)
    assert machine.call(INFO)[0] == success()[0]
    machine.cpu = 1
    assert machine.call(RELEASE) == success()
