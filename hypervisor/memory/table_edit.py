"""The engine behind `page_table.py`: changes every leaf of a range in one way, or none of them.

`plan` looks at every leaf, refuses what must not be changed and counts the tables that are missing. `commit` is given
these tables and cannot fail. Between the two the caller holds the address space's lock.

How entries change (DDI 0487, D8.14 and D8.16.1):

- A table is filled before the entry that points to it is written, with a barrier between.
- A block becomes a table, and a table a block, by break-before-make: the entry is made invalid, its translations are
  forgotten on all CPUs, then it gets its new value. An access in between faults; whoever serves the fault finds the
  address mapped (`page_table.query`, which waits for the lock) and lets it be repeated.
- Everything else that changes in a live leaf (permissions, software bits, validity) is written in place, and its
  translation forgotten before `commit` returns.
- A table that became empty is given back, and one that became uniform becomes a block, only where a leaf was just
  changed: the rest of the tree is not looked at. The hypervisor's own tables are never merged or split while live.
"""

from __future__ import annotations

from compiler.language import PhysAddr, VirtAddr, cold, dmb, dsb, isb, static_assert, struct, u64, wrapping_add
from hypervisor.memory import pages, tlb
from hypervisor.memory.address_space import (
    ADDRESS_MASK,
    ENTRY_COUNT,
    ENTRY_SIZE,
    INDEX_MASK,
    LAST_LEVEL,
    TABLE_POINTER,
    AddressSpace,
    PageTable,
    block_size,
    entry_at,
    find_entry,
    is_table,
    level_shift,
    page_bit,
    table_at,
)
from hypervisor.memory.descriptors import Descriptor
from hypervisor.memory.linear_map import to_virtual
from hypervisor.memory.pages import PAGE_SIZE, MapError, PageList

NO_ADDRESS = 0xFFFF_FFFF_FFFF_FFFF


@struct
class Edit:
    """What happens to every leaf from `start` to `end`.

    Each must have `expected` under `expected_mask`, else `mismatch` is the result. A map gives the empty entries there
    `target`, which grows with the address, and `set_bits`; another edit clears and sets bits of what is there.
    """

    start: u64
    end: u64
    is_map: bool = False
    target: u64 = 0
    expected_mask: u64 = 0
    expected: u64 = 0
    mismatch: MapError = MapError.NOT_MAPPED
    clear_bits: u64 = 0
    set_bits: u64 = 0

    def replacement(self, old: u64, address: u64, level: u64) -> u64:
        """The new value of the leaf of `level` at an address."""
        if self.is_map:
            return (self.target + (address - self.start)) | self.set_bits | page_bit(level)
        return (old & ~self.clear_bits) | self.set_bits

    def fits(self, address: u64, stop: u64, level: u64) -> bool:
        """Whether one leaf of `level` can stand for the new state of the addresses up to `stop`."""
        size = block_size(level)
        if stop - address != size or level == 0:
            return False
        return not self.is_map or self.is_congruent(size)

    def is_congruent(self, size: u64) -> bool:
        """Whether input and output addresses of a map agree within blocks of `size`."""
        return (self.target ^ self.start) & (size - 1) == 0


@struct
class Stale:
    """Input addresses whose translations have to be forgotten."""

    start: u64 = NO_ADDRESS
    end: u64 = 0
    step: u64 = NO_ADDRESS

    def add(self, address: u64, size: u64, leaf_size: u64) -> None:
        """An aligned part of `size` bytes around an address, whose leaves cover `leaf_size` each."""
        first = address & ~(size - 1)
        self.start = min(self.start, first)
        self.end = max(self.end, first + size)
        self.step = min(self.step, leaf_size)

    def forget(self, space: AddressSpace) -> None:
        """Have them forgotten, if there are any."""
        if self.end != 0:
            tlb.invalidate_range(space, self.start, self.end, self.step)
            self.start = NO_ADDRESS
            self.end = 0
            self.step = NO_ADDRESS


def end_of_entry(address: u64, level: u64, end: u64) -> u64:
    """Where the entry of `level` that an address selects ends, or `end` when that comes first."""
    return min(end, (address | (block_size(level) - 1)) + 1)


def is_table_end(address: u64, level: u64) -> bool:
    """Whether an address begins another table of `level`."""
    return address & (block_size(level) * ENTRY_COUNT - 1) == 0


@cold
def plan(space: AddressSpace, edit: Edit) -> u64 | MapError:
    """How many tables `commit` will need, or why the edit cannot be done."""
    count: u64 = 0
    address = edit.start
    while address < edit.end:
        place, level = find_entry(space.root, space.first_level, address)
        run = _empty_run(edit, place, level, address)
        if run != 0:
            address += run * block_size(level)
            continue
        while True:
            old = entry_at(place).value
            if is_table(old, level):
                break
            if old & edit.expected_mask != edit.expected:
                return edit.mismatch
            stop = end_of_entry(address, level, edit.end)
            if edit.replacement(old, address, level) != old and not edit.fits(address, stop, level):
                if old != 0 and space.is_own():
                    return MapError.BLOCK_IN_USE
                count += _count_tables(edit, address, stop, level)
            address = stop
            place = place + ENTRY_SIZE
            if address == edit.end or is_table_end(address, level):
                break
    return count


def _empty_run(edit: Edit, place: VirtAddr, level: u64, address: u64) -> u64:
    """How many entries of one table, from `place` on, are empty and become a leaf each: most of what a map does."""
    size = block_size(level)
    if not edit.is_map or level == 0 or address & (size - 1) != 0 or not edit.is_congruent(size):
        return 0
    end_of_table = (address | (size * ENTRY_COUNT - 1)) + 1
    count = (min(edit.end, end_of_table) - address) >> level_shift(level)
    entries = entry_at(place)
    run: u64 = 0
    while run < count and entries[run] == 0:
        run += 1
    return run


def _count_tables(edit: Edit, start: u64, end: u64, level: u64) -> u64:
    """Tables that a part of an entry of `level` needs when there is none beneath the entry."""
    count: u64 = 1
    for lower in range(level + 1, LAST_LEVEL):
        size = block_size(lower)
        first = start // size
        last = (end - 1) // size
        if edit.is_map and not edit.is_congruent(size):
            count += last - first + 1
        elif first == last:
            count += 1 if end - start != size else 0
        else:
            count += 1 if start % size != 0 else 0
            count += 1 if end % size != 0 else 0
    return count


@cold
def commit(space: AddressSpace, edit: Edit, tables: PageList) -> None:
    """Do what `plan` allowed, with the tables that it asked for."""
    stale = Stale()
    dead = PageList()
    address = edit.start
    while address < edit.end:
        place, level = find_entry(space.root, space.first_level, address)
        reached = _write_leaves(edit, place, level, address, stale)
        if reached == address:
            reached = end_of_entry(address, level, edit.end)
            _make_table(space, edit, place, level, address, tables, stale)
        elif reached == edit.end or is_table_end(reached, level):
            _collapse(space, reached - 1, level, stale, dead)
        address = reached
    stale.forget(space)
    pages.release_list(dead)
    assert tables.head == 0, "a change of tables needed fewer tables than planned"
    dsb("ishst")
    if space.is_own():
        isb()


@cold
def _write_leaves(edit: Edit, place: VirtAddr, level: u64, start: u64, stale: Stale) -> u64:
    """Change the entries of one table from `start` on; the first address that is in another or needs another table."""
    run = _empty_run(edit, place, level, start)
    if run != 0:
        _fill(place, run, edit.replacement(0, start, level), block_size(level))
        return start + run * block_size(level)
    address = start
    while True:
        old = entry_at(place).value
        if is_table(old, level):
            return address
        stop = end_of_entry(address, level, edit.end)
        new = edit.replacement(old, address, level)
        if new != old:
            if not edit.fits(address, stop, level):
                return address
            entry_at(place).value = new
            if old & Descriptor.VALID != 0:
                stale.add(address, block_size(level), block_size(level))
        address = stop
        place = place + ENTRY_SIZE
        if address == edit.end or is_table_end(address, level):
            return address


def _fill(place: VirtAddr, count: u64, first: u64, step: u64) -> None:
    """Write leaves whose addresses follow each other."""
    entries = entry_at(place)
    leaf = first
    for index in range(count):
        entries[index] = leaf
        leaf = wrapping_add(leaf, step)


def _make_table(
    space: AddressSpace, edit: Edit, place: VirtAddr, level: u64, start: u64, tables: PageList, stale: Stale
) -> None:
    """Put a table in the place of a leaf or empty entry, and the edit into the table before anybody sees it."""
    old = entry_at(place).value
    end = end_of_entry(start, level, edit.end)
    base = start & ~(block_size(level) - 1)
    root = _divided(old, level, tables)
    nobody = Stale()
    address = start
    while address < end:
        inner, inner_level = find_entry(root, level + 1, address - base)
        reached = _write_leaves(edit, inner, inner_level, address, nobody)
        if reached == address:
            child = _divided(entry_at(inner).value, inner_level, tables)
            entry_at(inner).value = child.raw | TABLE_POINTER
        address = reached
    if old & Descriptor.VALID != 0:
        entry_at(place).value = 0
        stale.add(start, block_size(level), block_size(level))
        stale.forget(space)
    dmb("ishst")
    entry_at(place).value = root.raw | TABLE_POINTER


def _divided(leaf: u64, level: u64, tables: PageList) -> PhysAddr:
    """A new table that says the same as a leaf, or empty entry, of `level`."""
    page = tables.pop()
    if leaf != 0:
        table = table_at(page)
        size = block_size(level + 1)
        value = leaf | page_bit(level + 1)
        for index in range(ENTRY_COUNT):
            table.entries[index] = value
            value = wrapping_add(value, size)
    return page


def _collapse(space: AddressSpace, address: u64, level: u64, stale: Stale, dead: PageList) -> None:
    """Take away the tables around an address that became empty or uniform, from `level` upwards."""
    child = level
    while child > space.first_level:
        place = _place_at(space, address, child - 1)
        table = PhysAddr(entry_at(place).value & ADDRESS_MASK)
        first = table_at(table).entries[0]
        if not _is_uniform(table_at(table), child, (address >> level_shift(child)) & INDEX_MASK):
            return
        if first != 0 and (space.is_own() or child == 1 or first & ADDRESS_MASK & (block_size(child - 1) - 1) != 0):
            return
        entry_at(place).value = 0
        stale.add(address, PAGE_SIZE, PAGE_SIZE)  # one address under a table makes walks forget the table
        if first != 0:
            if first & Descriptor.VALID != 0:
                stale.add(address, block_size(child - 1), block_size(child))
            stale.forget(space)
            entry_at(place).value = first & ~page_bit(child)
        dead.push(table)
        child -= 1


def _place_at(space: AddressSpace, address: u64, level: u64) -> VirtAddr:
    """The entry of `level` on the way to an address."""
    place = to_virtual(space.root) + (address >> level_shift(space.first_level)) * ENTRY_SIZE
    for lower in range(space.first_level + 1, level + 1):
        table = PhysAddr(entry_at(place).value & ADDRESS_MASK)
        place = to_virtual(table) + ((address >> level_shift(lower)) & INDEX_MASK) * ENTRY_SIZE
    return place


def _is_uniform(table: PageTable, level: u64, changed: u64) -> bool:
    """Whether a table of `level` says what one entry above it could say; entry `changed` is looked at first."""
    first = table.entries[0]
    if is_table(first, level):
        return False
    step = block_size(level) if first != 0 else 0
    neighbour = changed + 1 if changed < INDEX_MASK else changed - 1
    if table.entries[changed] != first + changed * step or table.entries[neighbour] != first + neighbour * step:
        return False
    expected = first
    for entry in table.entries:
        if entry != expected:
            return False
        expected = wrapping_add(expected, step)
    return True


static_assert(ENTRY_COUNT * ENTRY_SIZE == PAGE_SIZE, "a table is a page")
