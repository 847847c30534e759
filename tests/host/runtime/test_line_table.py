"""The target's reader of line tables against the build's own, on every instruction of the hypervisor's image."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compiler.check import check_program
from compiler.host import Interpreter, TrapError
from compiler.host.native import Native
from compiler.image.line_table import find_location
from compiler.inspect.executable import read_executable
from runtime.line_table import put_location
from runtime.text import TextBuffer
from tests.boot.machine import hypervisor

PROGRAM = check_program([put_location], name="line_table")


@pytest.fixture(scope="module")
def table() -> bytes:
    sections = read_executable(hypervisor().read_bytes()).sections
    return next(section.data for section in sections if section.name == ".line_table")


@pytest.fixture(scope="module")
def session() -> Iterator[Native]:
    with Native(PROGRAM) as made:
        yield made


def described(session: Native | Interpreter, table: bytes, instruction: int) -> str:
    buffer = session.new(TextBuffer)
    session.call(put_location, buffer, table, instruction)
    return session.read(buffer.content.address_, buffer.count).decode()


def test_every_instruction_of_the_image(session: Native, table: bytes) -> None:
    known = 0
    for instruction in range(0x1800):
        mark = session.allocation_mark()
        expected = find_location(table, 4 * instruction)
        found = described(session, table, instruction)
        assert found == ("" if expected is None else f" {expected.function} {expected.file}:{expected.line}")
        known += expected is not None
        session.release(mark)
    assert known > 0x1000


def test_what_is_no_table_gives_nothing(session: Native, table: bytes) -> None:
    assert described(session, b"", 0) == ""
    assert described(session, bytes(64), 0) == ""
    assert described(session, b"X" + table[1:], 0) == ""


def test_a_table_that_is_cut_off_is_a_trap_and_no_wild_read(table: bytes) -> None:
    with Interpreter(PROGRAM) as interpreter, pytest.raises(TrapError):
        described(interpreter, table[: len(table) // 4], 0x1000)
