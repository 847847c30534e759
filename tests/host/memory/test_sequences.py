"""Random sequences of map, unmap, protect and changes of ownership against a dictionary of pages.

After every sequence the tables in memory are read back by code of our own and compared with the dictionary, page by
page; the tables in use are exactly those that the dictionary asks for, so what can be merged is; no page is lost. In
half of the sequences the pool runs out now and then: the call says so exactly when it must, and nothing changed.

TANTALUM_SEQUENCES sets the number of sequences.
"""

from __future__ import annotations

import os
import random
from array import array
from collections.abc import Callable, Iterator

import pytest

from compiler.check import check_program
from compiler.host import Interpreter, Session
from compiler.host.native import Native
from hypervisor.memory import pages
from hypervisor.memory.descriptors import Access, Regime
from hypervisor.memory.pages import BOOT_PAGE_COUNT, MapError
from tests.host.memory import sequence_driver as driver
from tests.host.memory.model import PAGE_SHIFT, REGION_PAGES, Model, Operation, Window

SEQUENCE_COUNT = int(os.environ.get("TANTALUM_SEQUENCES", "100000"))
PART_COUNT = 4
"""Tests that the sequences are divided into, so that they run on several CPUs of the host."""
OPERATION_COUNT = 5
ENTRIES: list[Callable[..., object]] = [pages.initialise, driver.begin, driver.end, driver.apply]
PROGRAM = check_program(ENTRIES, name="sequences")
SPACE = f"{driver.__name__}.SPACE"
ADDRESS_MASK = 0x0000_FFFF_FFFF_F000
WINDOW = Window((1 << 30 >> PAGE_SHIFT) - 2 * REGION_PAGES, 4 * REGION_PAGES)
CASES = [(Regime.EL0_HOST, 39), (Regime.STAGE_2, 40), (Regime.STAGE_2, 48), (Regime.EL0_HOST, 48)]
PERMISSIONS = {Regime.EL0_HOST: 1 << 7 | 1 << 50 | 3 << 53, Regime.STAGE_2: 3 << 6 | 1 << 54}
ERRORS = {error.value & 0xFFFF_FFFF: error for error in MapError}


class Runner:
    """Sequences on one session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        session.call(pages.initialise)
        self.space = session.static(SPACE)
        self.templates = {regime: self._templates(regime) for regime in PERMISSIONS}

    def accesses(self, regime: Regime) -> list[Access]:
        """The kinds of access that a regime has."""
        return [access for access in Access if access.value in self.templates[regime]]

    def _templates(self, regime: Regime) -> dict[int, int]:
        found: dict[int, int] = {}
        for access in Access:
            self.session.call(driver.begin, regime, 39, BOOT_PAGE_COUNT - 1)
            if self.session.call(driver.apply, driver.MAP, 0, 0, 1 << PAGE_SHIFT, access.value, 1) == 0:
                leaf = self.leaves(range(1)).get(0, 0)
                found[access.value] = leaf & ~(1 | 3 << 56)
            self.session.call(driver.end)
        return found

    def table(self, address: int) -> array[int]:
        """The entries of a table."""
        return array("Q", self.session.read(address, 4096))

    def leaves(self, numbers: range) -> dict[int, int]:
        """What the tables say about each page, as leaves of level 3 without bit 1 (DDI 0487, D8.3)."""
        found: dict[int, int] = {}
        for region in range(numbers.start // REGION_PAGES, (numbers.stop - 1) // REGION_PAGES + 1):
            page = region * REGION_PAGES
            level, entry = self._region(page)
            if level == 3:
                for index, leaf in enumerate(self.table(entry & ADDRESS_MASK)):
                    if leaf:
                        assert leaf & 2, "bit 1 of a page is set"
                        found[page + index] = leaf & ~2
            elif entry:
                assert level == 2, "no block of 1 GiB or more"
                assert entry & (REGION_PAGES - 1 << PAGE_SHIFT) == 0, "a block is aligned"
                for index in range(REGION_PAGES):
                    found[page + index] = entry + (index << PAGE_SHIFT)
        return found

    def _region(self, page: int) -> tuple[int, int]:
        """The entry for 2 MiB: 3 and a pointer to a table, or 2 or less and a leaf."""
        level = self.space.first_level
        base = self.space.root.raw
        index = page >> 27 - 9 * level
        while True:
            entry = int.from_bytes(self.session.read(base + 8 * index, 8), "little")
            level += 1
            if entry & 3 != 3:
                return level - 1, entry
            base = entry & ADDRESS_MASK
            if level == 3:
                return 3, base
            index = page >> 27 - 9 * level & REGION_PAGES - 1

    def run(self, chance: random.Random) -> None:
        """One sequence."""
        regime, input_bits = chance.choice(CASES)
        free_count = chance.choice((30, chance.randrange(9)))
        model = Model(self.templates[regime], PERMISSIONS[regime], level_0=input_bits == 48)
        operations = WINDOW.operations(chance, self.accesses(regime), OPERATION_COUNT)
        expected = [model.apply(operation, free_count - len(model.tables)) for operation in operations]
        self.session.call(driver.begin, regime, input_bits, free_count)
        found = self.apply(operations)
        assert found == expected, operations
        assert self.leaves(range(WINDOW.first_page, WINDOW.first_page + WINDOW.page_count)) == model.leaves, operations
        tables, free = divmod(self.session.call(driver.end), 1 << 32)
        roots = 2 if (regime, input_bits) == (Regime.STAGE_2, 40) else 1
        assert (tables - roots, free) == (len(model.tables), BOOT_PAGE_COUNT), operations

    def apply(self, operations: list[Operation]) -> list[MapError | None]:
        """What the operations answer."""
        if isinstance(self.session, Native):
            calls = self.session.call_many(driver.apply, [operation.row() for operation in operations])
            assert not any(calls.traps), operations
            return [ERRORS.get(calls.words(index)[0] & 0xFFFF_FFFF) for index in range(len(operations))]
        results = [self.session.call(driver.apply, *operation.row()) for operation in operations]
        return [ERRORS.get(result & 0xFFFF_FFFF) for result in results]


@pytest.fixture(scope="module")
def native() -> Iterator[Session]:
    with Native(PROGRAM, record_events=False) as session:
        yield session


def run_many(session: Session, count: int) -> None:
    session.reset_statics()
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    runner = Runner(session)
    for _ in range(count):
        runner.run(chance)


@pytest.mark.parametrize("part", range(PART_COUNT))
def test_sequences_agree_with_a_dictionary(native: Session, part: int) -> None:
    run_many(native, (SEQUENCE_COUNT + part) // PART_COUNT)


def test_some_of_them_under_the_interpreter() -> None:
    with Interpreter(PROGRAM) as session:
        run_many(session, 50)
