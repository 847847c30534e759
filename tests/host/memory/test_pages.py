"""The page pool: every page once, zeroed, back again; runs, lists and ranges of RAM; an error when there is none."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from compiler.check import check_program
from compiler.host import Interpreter, TrapError
from compiler.language import PhysAddr
from hypervisor.memory import pages
from hypervisor.memory.pages import BOOT_PAGE_COUNT, PAGE_SIZE, RANGE_COUNT_MAX, MapError, PageList

PROGRAM = check_program(
    [
        pages.initialise,
        pages.add,
        pages.allocate,
        pages.allocate_run,
        pages.allocate_list,
        pages.release,
        pages.release_run,
        pages.release_list,
    ],
    name="pages",
)
RAM = 0x8000_0000


@pytest.fixture
def session() -> Iterator[Interpreter]:
    with Interpreter(PROGRAM) as made:
        made.call(pages.initialise)
        yield made


def pool(session: Interpreter) -> Any:
    return session.static("hypervisor.memory.pages.POOL")


def add(session: Interpreter, start: int, page_count: int) -> MapError | None:
    """RAM full of garbage, for the pool."""
    session.memory.map(start, page_count * PAGE_SIZE)
    session.write(start, b"\xa5" * page_count * PAGE_SIZE)
    result: MapError | None = session.call(pages.add, PhysAddr(start), page_count)
    return result


def test_every_page_is_handed_out_once_and_then_there_is_none(session: Interpreter) -> None:
    taken = [session.call(pages.allocate) for _ in range(BOOT_PAGE_COUNT)]
    assert len({page.raw for page in taken}) == BOOT_PAGE_COUNT
    assert all(page.raw % PAGE_SIZE == 0 for page in taken)
    assert session.call(pages.allocate) is MapError.NO_PAGES


def test_a_released_page_comes_back_zeroed(session: Interpreter) -> None:
    page: PhysAddr = session.call(pages.allocate)
    session.write(page.raw, b"secret")
    session.call(pages.release, page)
    again = session.call(pages.allocate)
    assert again == page
    assert session.read(page.raw, PAGE_SIZE) == bytes(PAGE_SIZE)


@pytest.mark.parametrize("start", [RAM, RAM + 0x5000, RAM + 0x3F000])
@pytest.mark.parametrize("page_count", [2, 63, 64, 65, 200])
def test_an_added_range_gives_all_its_pages_but_those_of_its_bitmap(
    session: Interpreter, start: int, page_count: int
) -> None:
    assert add(session, start, page_count) is None
    assert pool(session).free_count == BOOT_PAGE_COUNT + page_count - 1
    taken = [session.call(pages.allocate).raw for _ in range(BOOT_PAGE_COUNT + page_count - 1)]
    assert session.call(pages.allocate) is MapError.NO_PAGES
    added = sorted(page for page in taken if start <= page < start + page_count * PAGE_SIZE)
    assert added == [start + index * PAGE_SIZE for index in range(1, page_count)]
    assert all(session.read(page, PAGE_SIZE) == bytes(PAGE_SIZE) for page in added[:4])


@pytest.mark.parametrize(
    ("start", "page_count", "error"),
    [(RAM + 8, 4, MapError.MISALIGNED), (RAM, 1, MapError.OUT_OF_RANGE), (RAM, 0, MapError.OUT_OF_RANGE)],
)
def test_ranges_that_are_no_use(session: Interpreter, start: int, page_count: int, error: MapError) -> None:
    assert session.call(pages.add, PhysAddr(start), page_count) is error
    assert pool(session).free_count == BOOT_PAGE_COUNT


def test_there_are_only_so_many_ranges(session: Interpreter) -> None:
    for index in range(1, RANGE_COUNT_MAX):
        assert add(session, RAM + index * 0x10000, 4) is None
    assert add(session, RAM, 4) is MapError.TOO_MANY_RANGES


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_runs_are_aligned_and_whole(session: Interpreter, order: int) -> None:
    assert add(session, RAM + 0x3000, 100) is None
    size = PAGE_SIZE << order
    taken: set[int] = set()
    while not isinstance(page := session.call(pages.allocate_run, order), MapError):
        assert page.raw % size == 0
        run = set(range(page.raw, page.raw + size, PAGE_SIZE))
        assert not run & taken
        taken |= run
    assert page is MapError.NO_PAGES
    first, end = RAM + 0x4000, RAM + 0x67000
    whole = (start for start in range(RAM, end, size) if first <= start and start + size <= end)
    expected = {page for start in whole for page in range(start, start + size, PAGE_SIZE)}
    assert {page for page in taken if first <= page < end} == expected


def test_a_list_is_had_as_a_whole_or_not_at_all(session: Interpreter) -> None:
    pages_of_list = session.new(PageList)
    assert session.call(pages.allocate_list, pages_of_list, BOOT_PAGE_COUNT + 1) is MapError.NO_PAGES
    assert (pool(session).free_count, pages_of_list.head) == (BOOT_PAGE_COUNT, 0)
    assert session.call(pages.allocate_list, pages_of_list, BOOT_PAGE_COUNT) is None
    assert pool(session).free_count == 0
    found: set[int] = set()
    page = pages_of_list.head
    while page:
        found.add(page)
        content = session.read(page, PAGE_SIZE)
        assert content[8:] == bytes(PAGE_SIZE - 8)
        page = int.from_bytes(content[:8], "little")
    assert len(found) == BOOT_PAGE_COUNT
    session.call(pages.release_list, pages_of_list)
    assert (pool(session).free_count, pages_of_list.head) == (BOOT_PAGE_COUNT, 0)


def test_random_use_agrees_with_a_set(session: Interpreter) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    assert add(session, RAM + 0x7000, 150) is None
    held: dict[int, int] = {}
    free = pool(session).free_count
    for _ in range(1500):
        if held and chance.random() < 0.5:
            page = chance.choice(sorted(held))
            order = held.pop(page)
            session.call(pages.release_run, PhysAddr(page), order)
            free += 1 << order
        else:
            order = chance.choice((0, 0, 0, 1, 2, 4))
            taken = session.call(pages.allocate_run, order)
            if not isinstance(taken, MapError):
                run = range(taken.raw, taken.raw + (PAGE_SIZE << order), PAGE_SIZE)
                others = {page + index * PAGE_SIZE for page, other in held.items() for index in range(1 << other)}
                assert not others & set(run)
                held[taken.raw] = order
                free -= 1 << order
        assert pool(session).free_count == free


@pytest.mark.parametrize("page", [RAM, RAM + 0x1000, 0x1000])
def test_a_page_of_somebody_else_is_not_taken(session: Interpreter, page: int) -> None:
    assert add(session, RAM, 4) is None  # its first page is the bitmap
    message = "page released twice" if page == RAM + 0x1000 else "released page is not of the pool"
    with pytest.raises(TrapError, match=message):
        session.call(pages.release, PhysAddr(page))


def test_releasing_twice_is_caught(session: Interpreter) -> None:
    page = session.call(pages.allocate)
    session.call(pages.release, page)
    with pytest.raises(TrapError, match="page released twice"):
        session.call(pages.release, page)
