"""A plain dictionary of pages, and what the operations on translation tables do to it.

The dictionary maps a page's number to the leaf that a table of level 3 would have for it, without bit 1; pages that
are not there are empty. From the dictionary alone follow the results of every operation, the errors too, and which
tables there have to be: a table of level 3 exists where 512 pages do not say the same, in order, at an aligned place.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from hypervisor.memory.descriptors import Access, Ownership
from hypervisor.memory.pages import MapError
from tests.host.memory import sequence_driver as driver

PAGE_SHIFT = 12
REGION_PAGES = 512
VALID = 1
OWNER = 1 << 56
EXCLUSIVE = 1 << 57
STATE_MASK = VALID | OWNER | EXCLUSIVE
SIZES = (1, 1, 1, 1, 2, 2, 3, 3, 5, 5, 7, 9, 16, 16, 30, 100, 511, 512, 513, 1024)
"""Of random operations, in pages."""
STATES = {
    Ownership.NOTHING: 0,
    Ownership.OWNED: VALID | OWNER | EXCLUSIVE,
    Ownership.SHARED: VALID | OWNER,
    Ownership.LENT: OWNER,
    Ownership.BORROWED: VALID | EXCLUSIVE,
    Ownership.BORROWED_SHARED: VALID,
}


@dataclass(frozen=True)
class Operation:
    """One call of the driver; page numbers and counts of pages."""

    kind: int
    page: int
    target_page: int
    page_count: int
    first: int
    second: int

    def row(self) -> tuple[int, ...]:
        """The arguments of `sequence_driver.apply`."""
        return (
            self.kind,
            self.page << PAGE_SHIFT,
            self.target_page << PAGE_SHIFT,
            self.page_count << PAGE_SHIFT,
            self.first,
            self.second,
        )


@dataclass
class Model:
    """The dictionary.

    `templates` are leaves by access, without address and state; `permissions` is what protect changes.
    """

    templates: dict[int, int]
    permissions: int
    level_0: bool
    leaves: dict[int, int] = field(default_factory=dict[int, int])
    tables: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    touched: set[int] = field(default_factory=set[int])

    def apply(self, operation: Operation, free_count: int) -> MapError | None:
        """Do an operation when `free_count` pages are free for tables; what it has to answer."""
        pages = range(operation.page, operation.page + operation.page_count)
        changed = self._changed(operation, pages)
        if isinstance(changed, MapError):
            return changed
        before = {page: self.leaves.get(page, 0) for page in changed}
        self._store(changed)
        tables = self._tables_after(pages)
        if len(tables - self.tables) > free_count:
            self._store(before)
            return MapError.NO_PAGES
        self.tables = tables
        return None

    def _changed(self, operation: Operation, pages: range) -> dict[int, int] | MapError:
        leaves = self.leaves
        if operation.kind == driver.UNMAP:
            return dict.fromkeys((page for page in pages if page in leaves), 0)
        if operation.kind == driver.MAP:
            if not leaves.keys().isdisjoint(pages):
                return MapError.ALREADY_MAPPED
            base = self.templates[operation.first] | STATES[Ownership(operation.second)]
            offset = operation.target_page - operation.page
            return {page: base | (page + offset) << PAGE_SHIFT for page in pages}
        if operation.kind == driver.PROTECT:
            if not all(leaves.get(page, 0) & VALID for page in pages):
                return MapError.NOT_MAPPED
            wanted = self.templates[operation.first] & self.permissions
            return {page: leaves[page] & ~self.permissions | wanted for page in pages}
        expected = STATES[Ownership(operation.first)]
        if not all(page in leaves and leaves[page] & STATE_MASK == expected for page in pages):
            return MapError.WRONG_STATE
        return {page: leaves[page] & ~STATE_MASK | STATES[Ownership(operation.second)] for page in pages}

    def _store(self, leaves: dict[int, int]) -> None:
        for page, leaf in leaves.items():
            if leaf:
                self.leaves[page] = leaf
            else:
                self.leaves.pop(page, None)

    def _tables_after(self, pages: range) -> set[tuple[int, int]]:
        """The tables there have to be: (level, number of the region), after a change of these pages."""
        tables = {key for key in self.tables if key[0] == 3}
        for region in range(pages.start // REGION_PAGES, (pages.stop - 1) // REGION_PAGES + 1):
            tables.discard((3, region))
            if not self._is_uniform(region):
                tables.add((3, region))
            self.touched.add(region)
        regions = {region for region in self.touched if not self._is_empty(region)}
        tables |= {(2, region // REGION_PAGES) for region in regions}  # these tests never fill 1 GiB
        if self.level_0:
            tables |= {(1, region // REGION_PAGES // REGION_PAGES) for region in regions}
        return tables

    def _is_empty(self, region: int) -> bool:
        return self.leaves.keys().isdisjoint(range(region * REGION_PAGES, (region + 1) * REGION_PAGES))

    def _is_uniform(self, region: int) -> bool:
        start = region * REGION_PAGES
        leaves = self.leaves
        first = leaves.get(start, 0)
        if leaves.get(start + REGION_PAGES - 1, 0) != (first + (REGION_PAGES - 1 << PAGE_SHIFT) if first else 0):
            return False
        if not first:
            return self._is_empty(region)
        if first >> PAGE_SHIFT & REGION_PAGES - 1:
            return False
        return all(leaves.get(start + index, 0) == first + (index << PAGE_SHIFT) for index in range(REGION_PAGES))


@dataclass(frozen=True)
class Window:
    """Where a sequence's addresses are: around the border between two tables of level 2."""

    first_page: int
    page_count: int

    def operations(self, chance: random.Random, accesses: list[Access], count: int) -> list[Operation]:
        """Random operations with few kinds of access, often where another has been, so that tables merge again."""
        few = chance.sample(accesses, 2)
        made = [self._operation(chance, few)]
        while len(made) < count:
            following = self._operation(chance, few)
            if chance.random() < (0.3 if following.kind == driver.MAP else 0.75):
                place = chance.choice(made)
                offset = following.target_page - following.page
                target = place.page + offset
                following = replace(following, page=place.page, page_count=place.page_count, target_page=target)
            made.append(following)
        return made

    def _operation(self, chance: random.Random, accesses: list[Access]) -> Operation:
        """A random operation, its size from a page to 4 MiB."""
        page_count = chance.choice(SIZES)
        page = self.first_page + chance.randrange(self.page_count)
        if chance.random() < 0.4 or page_count == REGION_PAGES:
            page &= -REGION_PAGES
        page_count = min(page_count, self.first_page + self.page_count - page)
        kind = chance.choice((driver.MAP, driver.MAP, driver.UNMAP, driver.PROTECT, driver.CHANGE_OWNERSHIP))
        # targets agree with addresses in most cases, so that there are blocks
        target = page + chance.choice((0x8_0000, 0x8_0000, 0x8_0000, 0x8_0001))
        states = [*[Ownership.OWNED] * 4, Ownership.SHARED, Ownership.LENT, Ownership.BORROWED]
        if kind == driver.CHANGE_OWNERSHIP:
            first = chance.choice(states).value
        else:
            first = chance.choice(accesses).value
        state = chance.choice(states) if kind == driver.CHANGE_OWNERSHIP or chance.random() < 0.1 else Ownership.OWNED
        return Operation(kind, page, target, page_count, first, state.value)
