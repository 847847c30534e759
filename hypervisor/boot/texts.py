"""Comparing bytes, for the readers of archives and trees."""

from __future__ import annotations

from compiler.language import Slice, no_inline, u8, u64


def same(left: Slice[u8], right: Slice[u8]) -> bool:
    """Whether both have the same bytes."""
    return len(left) == len(right) and begins_with(left, right)


@no_inline
def begins_with(data: Slice[u8], wanted: Slice[u8]) -> bool:
    """Whether the first bytes are those wanted."""
    if len(data) < len(wanted):
        return False
    count: u64 = 0
    while count < len(wanted) and data[count] == wanted[count]:
        count += 1
    return count == len(wanted)


def round_up(size_bytes: u64, alignment: u64) -> u64:
    """To a multiple of a power of two."""
    return (size_bytes + alignment - 1) & ~(alignment - 1)
