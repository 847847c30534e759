"""The hypervisor's own map: what is mapped for a while, what partitions offer, what the page pool is given."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compiler.check import check_program
from compiler.host import Interpreter, TrapError
from compiler.language import PhysAddr
from hypervisor.memory import exact_map, page_table, pages
from hypervisor.memory.descriptors import Access, Regime
from hypervisor.memory.pages import MapError

PROGRAM = check_program(
    [
        pages.initialise,
        page_table.create,
        page_table.query,
        exact_map.map_temporary,
        exact_map.unmap_temporary,
        exact_map.map_buffer,
        exact_map.unmap_buffer,
        exact_map.add_pool_memory,
    ],
    name="exact_map",
)
PAGE = 0x1000
RAM = 0x8000_0000
E2H = 1 << 34


class Hypervisor:
    """A hypervisor whose map is empty."""

    def __init__(self, session: Interpreter) -> None:
        self.session = session
        session.registers["HCR_EL2"] = E2H
        session.call(pages.initialise)
        self.space = session.static("hypervisor.memory.exact_map.HYPERVISOR")
        assert session.call(page_table.create, self.space, Regime.EL2_HOST, 0) is None

    @property
    def free_count(self) -> int:
        count: int = self.session.static("hypervisor.memory.pages.POOL").free_count
        return count

    def level_at(self, address: int) -> int:
        """The level of the leaf for an address, 0 where there is none."""
        mapping = self.session.call(page_table.query, self.space, address)
        return int(mapping.level) if mapping.leaf & 1 else 0


@pytest.fixture
def hypervisor() -> Iterator[Hypervisor]:
    with Interpreter(PROGRAM) as session:
        yield Hypervisor(session)


def test_what_is_mapped_for_a_while_leaves_nothing_behind(hypervisor: Hypervisor) -> None:
    free = hypervisor.free_count
    call = hypervisor.session.call
    found = call(exact_map.map_temporary, PhysAddr(RAM + 0x123), 0x60_0000, Access.READ_WRITE)
    assert found.raw == RAM + 0x123
    assert [hypervisor.level_at(RAM + offset) for offset in (0, 0x40_0000, 0x60_0000, 0x60_1000)] == [2, 2, 3, 0]
    call(exact_map.unmap_temporary, PhysAddr(RAM + 0x123), 0x60_0000)
    assert hypervisor.level_at(RAM) == 0
    assert hypervisor.free_count == free


def test_a_page_has_one_user(hypervisor: Hypervisor) -> None:
    call = hypervisor.session.call
    assert call(exact_map.map_buffer, PhysAddr(RAM), 2, Access.READ_WRITE).raw == RAM
    assert call(exact_map.map_buffer, PhysAddr(RAM + PAGE), 1, Access.READ_ONLY) is MapError.ALREADY_MAPPED
    assert call(exact_map.map_temporary, PhysAddr(RAM + 8), 8, Access.READ_ONLY) is MapError.ALREADY_MAPPED
    call(exact_map.unmap_buffer, PhysAddr(RAM), 2)
    assert call(exact_map.map_buffer, PhysAddr(RAM + PAGE), 1, Access.READ_ONLY).raw == RAM + PAGE


def test_no_cpu_can_reach_a_buffer_that_was_taken_back(hypervisor: Hypervisor) -> None:
    session = hypervisor.session
    session.call(exact_map.map_buffer, PhysAddr(RAM), 1, Access.READ_WRITE)
    session.registers.events.clear()
    session.call(exact_map.unmap_buffer, PhysAddr(RAM), 1)
    assert [event.value for event in session.registers.events if event.kind == "tlbi"] == 2 * [RAM >> 12]
    assert session.registers["HCR_EL2"] == E2H


def test_unmapping_a_part_of_a_block_is_caught(hypervisor: Hypervisor) -> None:
    hypervisor.session.call(exact_map.map_temporary, PhysAddr(RAM), 0x20_0000, Access.READ_WRITE)
    with pytest.raises(TrapError, match="was not mapped by one call"):
        hypervisor.session.call(exact_map.unmap_temporary, PhysAddr(RAM), PAGE)


def test_the_pool_grows_by_memory_that_is_mapped_for_it(hypervisor: Hypervisor) -> None:
    session = hypervisor.session
    session.memory.map(RAM, 64 * PAGE)
    free = hypervisor.free_count
    assert session.call(exact_map.add_pool_memory, PhysAddr(RAM), 64) is None
    assert hypervisor.level_at(RAM + 63 * PAGE) == 3
    assert hypervisor.free_count == free - 2 + 63  # two tables for the map, a page for the bitmap
    assert session.call(exact_map.add_pool_memory, PhysAddr(RAM), 64) is MapError.ALREADY_MAPPED


def test_memory_beyond_the_linear_map_is_an_error(hypervisor: Hypervisor) -> None:
    result = hypervisor.session.call(exact_map.map_buffer, PhysAddr(1 << 39), 1, Access.READ_WRITE)
    assert result is MapError.OUT_OF_RANGE
