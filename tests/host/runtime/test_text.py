"""Messages rendered on the host, compared with Python's own formatting."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from compiler.check import check_program
from compiler.host import Interpreter
from runtime.text import CAPACITY, TextBuffer, render
from tests.host.runtime import samples

PROGRAM = check_program([render, *samples.ALL], name="text")


def rendered(function: Callable[..., None], *values: object) -> str:
    with Interpreter(PROGRAM) as session:
        buffer = session.new(TextBuffer)
        session.call(function, buffer, *values)
        return bytes(buffer.content[index] for index in range(buffer.count)).decode()


@pytest.mark.parametrize("value", [0, 1, 9, 10, 12345, (1 << 64) - 1])
def test_numbers(value: int) -> None:
    expected = f"{value} {value:x} {value:#x} {value:#018x} {value:08x} {value:5}."
    assert rendered(samples.numbers, value) == expected


@pytest.mark.parametrize("value", [0, -1, 1, -(1 << 63), (1 << 63) - 1])
def test_signed_numbers(value: int) -> None:
    assert rendered(samples.signed, value) == f"{value}"


@pytest.mark.parametrize("flag", [True, False])
def test_strings_flags_and_characters(flag: bool) -> None:
    assert rendered(samples.mixed, "name", flag, ord("!")) == f"name is {'true' if flag else 'false'}!"


def test_random_numbers() -> None:
    chance = random.Random(1)
    for _ in range(100):
        value = chance.getrandbits(chance.randrange(1, 65))
        assert rendered(samples.numbers, value).split()[0] == str(value)


def test_what_does_not_fit_is_cut_off() -> None:
    text = "x" * 200
    assert rendered(samples.twice, text) == (text + text)[:CAPACITY]
