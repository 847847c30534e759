"""FFA_MEM_PERM_GET and _SET at stage 1 and stage 2: checks, their order, what the tables say, what is invalidated."""

from __future__ import annotations

import pytest

from compiler.language import PhysAddr
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.memory import page_table, pages, tlb
from hypervisor.memory.descriptors import Access, Ownership, Regime
from hypervisor.memory.pages import PAGE_SIZE
from tests.host.ffa.machine import (
    CODE,
    CONSTANTS,
    DATA,
    DEVICE,
    GUEST,
    MASK_32,
    OTHER,
    PRIMARY,
    RX,
    SERVICE,
    TX,
    UNMAPPED,
    Machine,
    ram,
    success,
)

GET, GET_64 = Function.MEM_PERM_GET.value, Function.MEM_PERM_GET_64.value
SET, SET_64 = Function.MEM_PERM_SET.value, Function.MEM_PERM_SET_64.value
SUCCESS = Function.SUCCESS.value
VERSION = Function.VERSION.value
MODES = [Regime.EL0_HOST, Regime.STAGE_2]
INVALID = FfaError.INVALID_PARAMETERS
RX_, RW, RO = 3, 5, 7
"""Read and execute, read and write, read only."""
BASE = ram(SERVICE)
BLOCK = 2 << 20


def machine_of(mode: Regime = Regime.EL0_HOST, partition: int = SERVICE) -> Machine:
    machine = Machine(mode)
    if partition != PRIMARY:
        machine.run(partition)
    machine.call(Function.ID_GET.value)
    return machine


def permissions(machine: Machine, offset: int, page_count: int = 1) -> tuple[int, int]:
    """w2 and w3 of FFA_MEM_PERM_GET."""
    result = machine.call(GET_64, BASE + offset, page_count - 1)
    assert result[0] == SUCCESS and result[4:] == (0, 0, 0, 0)
    return result[2], result[3]


@pytest.mark.parametrize("mode", MODES)
def test_pages_have_the_permissions_that_they_were_loaded_with(mode: Regime) -> None:
    machine = machine_of(mode)
    assert permissions(machine, CODE, 16) == (RX_, 15)
    assert permissions(machine, CODE, 17) == (RX_, 15)
    assert permissions(machine, CONSTANTS - PAGE_SIZE, 20) == (RX_, 0)
    assert permissions(machine, CONSTANTS, 100) == (RO, 15)
    assert permissions(machine, DATA, 32) == (RW, 31)
    assert permissions(machine, DEVICE) == (RW, 0)
    assert permissions(machine, UNMAPPED - PAGE_SIZE, 9) == (RW, 0)


def test_callers_before_1_3_ask_for_one_page() -> None:
    machine = Machine()
    machine.run(SERVICE)
    machine.call(VERSION, 0x10002)
    assert machine.call(GET_64, BASE, 15) == success(RX_)
    assert machine.call(GET, BASE, MASK_32) == success(RX_)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("function", [SET, SET_64])
@pytest.mark.parametrize("wanted", [RX_, RW, RO])
@pytest.mark.parametrize("offset", [CODE, CONSTANTS, DATA])
def test_permissions_are_changed_and_nothing_else(offset: int, wanted: int, function: int, mode: Regime) -> None:
    machine = machine_of(mode)
    start = offset + 2 * PAGE_SIZE
    around = [permissions(machine, start - PAGE_SIZE)[0], permissions(machine, start + 3 * PAGE_SIZE)[0]]
    machine.session.registers.events.clear()
    assert machine.call(function, BASE + start, 3, wanted) == success()
    names = [event.name for event in machine.session.registers.events if event.kind == "tlbi"]
    once = ["vae1is"] * 3 if mode is Regime.EL0_HOST else ["ipas2e1is"] * 3 + ["vmalle1is"]
    assert names == (once * tlb.PASS_COUNT if wanted != around[0] else [])
    assert permissions(machine, start, 3) == (wanted, 2)
    assert [permissions(machine, start - PAGE_SIZE)[0], permissions(machine, start + 3 * PAGE_SIZE)[0]] == around
    for page in range(3):
        found = machine.session.call(
            page_table.query, machine.partitions[SERVICE].memory, BASE + start + page * PAGE_SIZE
        )
        assert found.output == PhysAddr(BASE + start + page * PAGE_SIZE)
    machine.call(function, BASE + start, 3, around[0])
    assert permissions(machine, offset, 16)[1] == 15


@pytest.mark.parametrize("mode", MODES)
def test_a_range_may_have_several_permissions(mode: Regime) -> None:
    machine = machine_of(mode)
    assert machine.call(SET_64, BASE + CONSTANTS - PAGE_SIZE, 18, RO) == success()
    assert permissions(machine, CONSTANTS - PAGE_SIZE, 18) == (RO, 17)


SET_ROWS = [
    ("not aligned", (BASE + DATA + 1, 1, RW)),
    ("no pages", (BASE + DATA, 0, RW)),
    ("beyond the address space", (1 << 39, 1, RW)),
    ("up to beyond the address space", (BASE + DATA, 1 << 27, RW)),
    ("wraps around", ((1 << 64) - PAGE_SIZE, 2, RW)),
    *[(f"permissions {value:#x}", (BASE + DATA, 1, value)) for value in (0, 1, 2, 4, 6, 8, 0xB, 0xD, 0xF, 0x8000_0005)],
    ("not mapped", (BASE + UNMAPPED, 1, RW)),
    ("the end is not mapped", (BASE + UNMAPPED - PAGE_SIZE, 2, RW)),
    ("a device is not executed", (BASE + DEVICE, 1, RX_)),
    ("memory and device", (BASE + DEVICE - PAGE_SIZE, 2, RW)),
]


@pytest.mark.parametrize("mode", MODES)
def test_bad_arguments_of_a_change(mode: Regime) -> None:
    machine = machine_of(mode)
    for name, arguments in SET_ROWS:
        machine.refuses(INVALID, SET_64, *arguments)
        assert name


GET_ROWS = [
    ("not aligned", (BASE + DATA + 8, 0)),
    ("beyond the address space", (1 << 39, 0)),
    ("up to beyond the address space", (BASE, MASK_32)),
    ("not mapped", (BASE + UNMAPPED, 0)),
    ("nothing at zero", (0, 0)),
]


@pytest.mark.parametrize("mode", MODES)
def test_bad_arguments_of_a_question(mode: Regime) -> None:
    machine = machine_of(mode)
    for name, arguments in GET_ROWS:
        machine.refuses(INVALID, GET_64, *arguments)
        assert name


@pytest.mark.parametrize("partition", [PRIMARY, GUEST])
def test_guests_at_el1_have_tables_of_their_own(partition: int) -> None:
    machine = machine_of(partition=partition)
    base = ram(partition)
    for function in (SET, SET_64):
        machine.refuses(FfaError.DENIED, function, base, 1, RW)
        machine.refuses(FfaError.DENIED, function, base + 1, 0, 0)  # before arguments are looked at
    for function in (GET, GET_64):
        machine.refuses(FfaError.DENIED, function, base, 0)
        machine.refuses(INVALID, function, base + 1, 0)  # after the range is


@pytest.mark.parametrize("mode", MODES)
def test_devices_keep_their_type(mode: Regime) -> None:
    machine = machine_of(mode)
    assert machine.call(SET_64, BASE + DEVICE, 2, RO) == success()
    assert permissions(machine, DEVICE, 4) == (RO, 1)
    space = machine.partitions[SERVICE].memory
    leaf = machine.session.call(page_table.common_leaf, space, BASE + DEVICE, PAGE_SIZE)
    assert machine.session.call("access_of", space.regime, leaf) is Access.DEVICE_READ_ONLY


@pytest.mark.parametrize("offset", [TX, RX])
def test_buffers_keep_their_permissions(offset: int) -> None:
    machine = machine_of()
    machine.map_buffers()
    for wanted in (RX_, RW, RO):
        machine.refuses(INVALID, SET_64, BASE + offset, 1, wanted)
    assert permissions(machine, RX) == (RO, 0)
    assert machine.call(Function.RXTX_UNMAP.value) == success()
    assert machine.call(SET_64, BASE + offset, 1, RO) == success()


def test_borrowed_pages_are_not_the_partition_s() -> None:
    machine = machine_of()
    space = machine.partitions[SERVICE].memory
    arguments = (space, BASE + DATA, PAGE_SIZE, Ownership.OWNED, Ownership.BORROWED)
    assert machine.session.call(page_table.change_ownership, *arguments) is None
    machine.refuses(INVALID, SET_64, BASE + DATA, 1, RO)
    machine.refuses(INVALID, SET_64, BASE + DATA, 2, RO)


def test_without_a_page_for_a_table_nothing_changes() -> None:
    machine = machine_of(partition=OTHER)
    space = machine.partitions[OTHER].memory
    block = ram(OTHER) + 2 * BLOCK
    arguments = (space, block, PhysAddr(block), BLOCK, Access.READ_WRITE, Ownership.OWNED, 0)
    assert machine.session.call(page_table.map_range, *arguments) is None
    while machine.session.static("hypervisor.memory.pages.POOL").free_count > 0:
        machine.session.call(pages.allocate)
    machine.refuses(FfaError.NO_MEMORY, SET_64, block, 1, RO)
    assert machine.call(SET_64, block, BLOCK // PAGE_SIZE, RO) == success()
