"""From the number of a failed check to its words: reads the table that the compiler emits into images.

The format is defined in `compiler/lower/traps.py`, here without places: where the check is, the line table tells of the
address of its BRK. The number is that instruction's immediate.
"""

from __future__ import annotations

from compiler.language import Ptr, Slice, VirtAddr, linker_symbol, slice_of, string_at, struct, u8, u16, u32, u64

TABLE = linker_symbol("__trap_table")
KIND_SIZE = 1
"""A cause begins with the kind of the check."""


@struct
class Header:
    """Start of the table."""

    entry_count: u32
    text_offset: u32


@struct
class Entry:
    """One check; `cause` is an offset from the start of all texts."""

    number: u16
    cause: u16


def find_check(start: VirtAddr, number: u16) -> str | None:
    """What the check with this number in the table at `start` says; None where the table has none."""
    header = Ptr[Header].at(start).value
    entries = slice_of(Ptr[Entry].at(start + 8), header.entry_count)
    for entry in entries:
        if entry.number == number:
            return text_at(start + header.text_offset + entry.cause + KIND_SIZE)
    return None


def text_at(address: VirtAddr) -> str:
    """A text of the table: its size in two bytes, then its bytes."""
    size = Ptr[u8].at(address)
    count = u64(size[0]) | u64(size[1]) << 8
    return string_at(bytes_at(address + 2, count))


def bytes_at(address: VirtAddr, count: u64) -> Slice[u8]:
    """The bytes at an address."""
    return slice_of(Ptr[u8].at(address), count)
