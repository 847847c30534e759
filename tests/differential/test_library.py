"""All library functions that need no machine do the same in the four ways, on random arguments.

Arguments on which the interpreter would run for long, or leaves its memory, are passed over in every way.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from random import Random
from typing import Any

from compiler.host.faults import HostFault
from compiler.host.session import Session
from compiler.program.program import Function
from tests.differential.conftest import SEED
from tests.differential.library import library_program
from tests.differential.ways import argument_rows, four_ways, mismatches, outcome

_ROWS_PER_FUNCTION = 40
_LEAST_FUNCTIONS = 40
_SECONDS_PER_CALL = 0.2


class TooLong(Exception):
    """The call was stopped."""


@contextmanager
def time_limit(seconds: float) -> Generator[None]:
    """Raise TooLong in Python code that runs longer."""

    def stop(_number: int, _frame: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def is_usable(interpreter: Session, function: Function, row: tuple[Any, ...]) -> bool:
    """Whether a call ends soon and stays within its memory."""
    try:
        with time_limit(_SECONDS_PER_CALL):
            outcome(interpreter, function, row)
    except (TooLong, HostFault, UnicodeDecodeError):  # string_at: who calls vouches for the bytes
        return False
    return True


def test_library_functions(record_property: Callable[[str, object], None]) -> None:
    program = library_program()
    assert len(program.entries) >= _LEAST_FUNCTIONS
    ways = four_ways(program)
    random = Random(SEED)
    found: list[str] = []
    count = 0
    for function in program.entries:
        rows = argument_rows(random, function, _ROWS_PER_FUNCTION)
        usable = [row for row in rows if is_usable(ways["CPython"], function, row)]
        assert usable, f"no arguments suit {function.symbol}"
        found += mismatches(ways, function, usable)[:1]
        count += len(usable)
    record_property("library cases", count)
    for session in ways.values():
        session.close()
    assert not found, f"{len(found)} functions differ:\n" + "\n".join(found)
