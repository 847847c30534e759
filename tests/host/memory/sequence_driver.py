"""Dialect side of the random sequences: an address space, and one call for every kind of change, with plain numbers."""

from __future__ import annotations

from compiler.language import PhysAddr, i32, static, u64
from hypervisor.memory import page_table, pages
from hypervisor.memory.address_space import AddressSpace
from hypervisor.memory.descriptors import Access, Ownership, Regime
from hypervisor.memory.pages import MapError, PageList

SPACE: AddressSpace = static(AddressSpace())
HIDDEN: PageList = static(PageList())
"""Pages that are kept from the pool, so that it runs out."""

MAP = 0
UNMAP = 1
PROTECT = 2
CHANGE_OWNERSHIP = 3


def begin(regime: Regime, input_bits: u64, free_count: u64) -> None:
    """An empty address space and so many free pages."""
    error = page_table.create_sized(SPACE, regime, 0, input_bits)
    assert not isinstance(error, MapError), "no address space"
    hidden = pages.allocate_list(HIDDEN, pages.POOL.free_count - free_count)
    assert not isinstance(hidden, MapError), "there were enough"


def end() -> u64:
    """Take everything back; how many pages were in use by tables below the root, and are free in the end."""
    pages.release_list(HIDDEN)
    before = pages.POOL.free_count
    page_table.destroy(SPACE)
    return (pages.POOL.free_count - before) << 32 | pages.POOL.free_count


def apply(kind: u64, start: u64, target: u64, size_bytes: u64, first: u64, second: u64) -> i32:
    """Do one change of SPACE, with an access and a state or with two states; 0 or the number of the error."""
    result = _apply(kind, start, PhysAddr(target), size_bytes, first, second)
    return result.value if isinstance(result, MapError) else 0


def _apply(kind: u64, start: u64, target: PhysAddr, size_bytes: u64, first: u64, second: u64) -> MapError | None:
    state = Ownership.decode(second)
    assert state is not None, "a state"
    if kind == CHANGE_OWNERSHIP:
        expected = Ownership.decode(first)
        assert expected is not None, "a state"
        return page_table.change_ownership(SPACE, start, size_bytes, expected, state)
    access = Access.decode(first)
    assert access is not None, "a kind of access"
    if kind == MAP:
        return page_table.map_range(SPACE, start, target, size_bytes, access, state)
    if kind == PROTECT:
        return page_table.protect_range(SPACE, start, size_bytes, access)
    return page_table.unmap_range(SPACE, start, size_bytes)
