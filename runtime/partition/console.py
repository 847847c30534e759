"""A partition's console: FFA_CONSOLE_LOG."""

from __future__ import annotations

from compiler.language import Format, Slice, u8, u64, utf8
from hypervisor.ffa.message import Message
from runtime.partition.calls import call
from runtime.partition.functions import Call
from runtime.text import TextBuffer, render

CHARACTERS_PER_REGISTER = 8
CHARACTERS_PER_CALL = 6 * CHARACTERS_PER_REGISTER
"""x2 to x7 of FFA_CONSOLE_LOG_64."""


def log(message: Format) -> None:
    """Print a line."""
    buffer = TextBuffer()
    render(buffer, message)
    write(buffer.written())
    write(utf8("\n"))


def write(text: Slice[u8]) -> None:
    """Print bytes."""
    start: u64 = 0
    while start < len(text):
        end = min(start + CHARACTERS_PER_CALL, len(text))
        _write_part(text[start:end])
        start = end


def _write_part(text: Slice[u8]) -> None:
    call(
        Message(
            x0=Call.CONSOLE_LOG_64.value,
            x1=len(text),
            x2=pack(text, 0),
            x3=pack(text, 1),
            x4=pack(text, 2),
            x5=pack(text, 3),
            x6=pack(text, 4),
            x7=pack(text, 5),
        )
    )


def pack(text: Slice[u8], register: u64) -> u64:
    """The characters of one register, the first in the lowest byte; zero where the text has ended."""
    first = register * CHARACTERS_PER_REGISTER
    value: u64 = 0
    for position in range(first, min(first + CHARACTERS_PER_REGISTER, len(text))):
        value |= u64(text[position]) << (8 * (position - first))
    return value
