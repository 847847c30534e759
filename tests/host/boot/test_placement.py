"""Where boot puts things: against a search of every page of a small machine."""

from __future__ import annotations

import random
from typing import Any

import pytest

from compiler.check import check_program
from compiler.host.native import Native
from hypervisor.boot import placement
from hypervisor.boot.board import Board

PAGE = 0x1000
PROGRAM = check_program(
    [placement.take, placement.highest_place, placement.lowest_place, placement.next_withheld], name="placement"
)
PAGE_COUNT = 96


@pytest.fixture(scope="module")
def session() -> Any:
    return Native(PROGRAM)


class Machine:
    """Two ranges of RAM with some pages taken, as sets of page numbers."""

    def __init__(self, session: Any, seed: int) -> None:
        self.session = session
        self.generator = random.Random(seed)
        session.reset_statics()
        self.ram: set[int] = set()
        self.taken: set[int] = set()
        self.withheld: set[int] = set()
        self.board = session.new(Board)
        middle = self.generator.randrange(20, 60)
        for index, (first, end) in enumerate(((4, middle - 3), (middle, PAGE_COUNT))):
            self.board.memory[index].base = first * PAGE
            self.board.memory[index].size_bytes = (end - first) * PAGE
            self.ram |= set(range(first, end))
        self.board.memory_count = 2

    def take(self, first: int, count: int, is_withheld: bool) -> None:
        self.session.call(placement.take, first * PAGE, count * PAGE, is_withheld)
        self.taken |= set(range(first, first + count))
        if is_withheld:
            self.withheld |= set(range(first, first + count))

    def places(self, count: int, alignment: int, offset: int = 0) -> list[int]:
        """Every page where so many free ones begin."""
        free = self.ram - self.taken
        candidates = [page for page in range(PAGE_COUNT) if page % alignment == offset]
        return [page for page in candidates if set(range(page, page + count)) <= free and page + count <= PAGE_COUNT]


@pytest.mark.parametrize("seed", range(40))
def test_places_are_the_highest_and_the_lowest(session: Any, seed: int) -> None:
    machine = Machine(session, seed)
    for _ in range(14):
        count, alignment = machine.generator.randrange(1, 12), machine.generator.choice([1, 2, 8])
        offset = machine.generator.randrange(alignment)
        start = machine.generator.randrange(PAGE_COUNT)
        highest = session.call(placement.highest_place, machine.board, count * PAGE, alignment * PAGE)
        places = machine.places(count, alignment)
        assert highest == (places[-1] * PAGE if places else None)
        lowest = session.call(
            placement.lowest_place, machine.board, start * PAGE, count * PAGE, alignment * PAGE, offset * PAGE
        )
        places = [page for page in machine.places(count, alignment, offset) if page >= start]
        assert lowest == (places[0] * PAGE if places else None)
        if highest is not None and machine.generator.random() < 0.8:
            machine.take(highest // PAGE, count, machine.generator.random() < 0.5)


@pytest.mark.parametrize("seed", range(20))
def test_what_the_primary_gets_is_all_but_what_is_withheld(session: Any, seed: int) -> None:
    machine = Machine(session, seed)
    for _ in range(8):
        places = machine.places(count := machine.generator.randrange(1, 6), 1)
        if places:
            machine.take(machine.generator.choice(places), count, machine.generator.random() < 0.7)
    given: set[int] = set()
    address = 0
    while address < PAGE_COUNT * PAGE:
        hole = session.call(placement.next_withheld, address, PAGE_COUNT * PAGE)
        given |= set(range(address // PAGE, hole.base // PAGE))
        address = hole.base + hole.size_bytes
    assert given == set(range(PAGE_COUNT)) - machine.withheld
