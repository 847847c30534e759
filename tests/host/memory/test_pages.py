"""The page pool: every page once, zeroed, back again, and an error when there is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compiler.check import check_program
from compiler.host import Interpreter, TrapError
from compiler.language import PhysAddr
from hypervisor.memory import pages
from hypervisor.memory.pages import BOOT_PAGE_COUNT, PAGE_SIZE, MapError

PROGRAM = check_program([pages.initialise, pages.allocate, pages.release], name="pages")


@pytest.fixture
def session() -> Iterator[Interpreter]:
    with Interpreter(PROGRAM) as made:
        made.call(pages.initialise)
        yield made


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


def test_releasing_twice_is_caught(session: Interpreter) -> None:
    page = session.call(pages.allocate)
    session.call(pages.release, page)
    with pytest.raises(TrapError, match="page released twice"):
        session.call(pages.release, page)
