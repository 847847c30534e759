"""Functions of the dialect that render messages, for the tests of the interpreter of messages."""

from __future__ import annotations

from collections.abc import Callable

from compiler.language import i64, u8, u64
from runtime.text import TextBuffer, render


def numbers(buffer: TextBuffer, value: u64) -> None:
    """Every form of a number."""
    render(buffer, f"{value} {value:x} {value:#x} {value:#018x} {value:08x} {value:5}.")


def signed(buffer: TextBuffer, value: i64) -> None:
    """A number with a sign."""
    render(buffer, f"{value}")


def mixed(buffer: TextBuffer, name: str, flag: bool, character: u8) -> None:
    """The other kinds of values."""
    render(buffer, f"{name} is {flag}{character:c}")


def twice(buffer: TextBuffer, text: str) -> None:
    """More than fits."""
    render(buffer, f"{text}{text}")


ALL: list[Callable[..., None]] = [numbers, signed, mixed, twice]
