"""The decoders of the panic report against the reference decoders, over the tables of the real hypervisor.

Under CPython and as native code: every instruction of the image, places beyond it, and every number of a BRK.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest

from compiler.check import check_program, check_source
from compiler.host import Interpreter, Session
from compiler.host.native import Native
from compiler.image.line_table import find_location
from compiler.language import u8
from compiler.link.elf import SHF_ALLOC, SHF_EXECINSTR
from compiler.lower.traps import HIGHEST_NUMBER, TRAP_TABLE_SYMBOL, TrapReport, decode_table
from runtime import line_table
from runtime.text import CAPACITY, TextBuffer
from tests.boot.machine import hypervisor
from tests.compiler.link.objects import ElfView, read_elf

TRAP_SOURCE = """
from compiler.language import Ptr, VirtAddr, u8, u16, u64, utf8
from runtime.text import TextBuffer
from runtime.trap_table import find_check


def report(buffer: TextBuffer, table: VirtAddr, number: u16) -> bool:
    buffer.clear()
    check = find_check(table, number)
    if check is None:
        return False
    buffer.put_text(utf8(check))
    return True
"""
ENGINES = (Interpreter, Native)


@cache
def image() -> ElfView:
    return read_elf(hypervisor().read_bytes())


def address_of(name: str) -> int:
    return next(symbol.value for symbol in image().symbols if symbol.name == name)


def bytes_from(start: int, end: int | None = None) -> bytes:
    """The image's contents from an address on, at most to the end of its section."""
    loaded = [section for section in image().sections if section.flags & SHF_ALLOC]
    section = next(section for section in loaded if section.address <= start < section.address + len(section.data))
    return section.data[start - section.address : None if end is None else end - section.address]


def text_in(session: Session, buffer: Any) -> str:
    return session.read(buffer.content.address_, buffer.count).decode()


def instruction_count() -> int:
    """From the start of the text to the end of the last section with code."""
    end = max(section.address + section.size for section in image().sections if section.flags & SHF_EXECINSTR)
    return (end - address_of(line_table.TEXT_START.name)) // 4


def expected_text(table: bytes, instruction: int) -> str:
    found = find_location(table, 4 * instruction)
    return "" if found is None else f" {found.function} {found.file}:{found.line}"


@pytest.mark.parametrize("engine", ENGINES)
def test_location_of_every_instruction(engine: type[Interpreter] | type[Native]) -> None:
    table = bytes_from(address_of(line_table.TABLE_START.name), address_of(line_table.TABLE_END.name))
    count = instruction_count()
    known_count = 0
    with engine(check_program([line_table.put_location], name="lines")) as session:
        view, buffer = session.new_array(u8, list(table)), session.new(TextBuffer)
        for instruction in [*range(count + 16), 1 << 24, (1 << 62) - 1, (1 << 64) - 1]:
            buffer.count = 0
            session.call(line_table.put_location, buffer, view, instruction)
            expected = expected_text(table, instruction)
            assert text_in(session, buffer) == expected
            known_count += expected != ""
    assert known_count > 0.9 * count > 4000  # the rest is padding, in the vectors and before aligned functions


def trap_numbers(engine: type[Interpreter] | type[Native], known: Iterable[int]) -> Iterable[int]:
    """All numbers; under CPython those of the table and their neighbours."""
    if engine is Native:
        return range(HIGHEST_NUMBER + 1)
    return sorted({near for number in known for near in (number - 1, number, number + 1)} | {0, HIGHEST_NUMBER})


def shown(report: TrapReport) -> str:
    assert len(report.message.encode()) <= CAPACITY
    return report.message


@pytest.mark.parametrize("engine", ENGINES)
def test_every_failed_check(engine: type[Interpreter] | type[Native]) -> None:
    table = bytes_from(address_of(TRAP_TABLE_SYMBOL))
    reports = decode_table(table)
    assert len(reports) > 50
    with engine(check_source(TRAP_SOURCE, ["report"])) as session:
        place = session.allocate(len(table), 8)
        session.write(place, table)
        buffer = session.new(TextBuffer)
        for number in trap_numbers(engine, reports):
            is_known = session.call("report", buffer, place, number)
            assert is_known == (number in reports)
            if is_known:
                assert text_in(session, buffer) == shown(reports[number])
