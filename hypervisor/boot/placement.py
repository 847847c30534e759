"""Which physical memory is whose: finds places for what the hypervisor loads, and tells what the primary does not get.

Memory comes from the ranges of RAM that the host's device tree names, without what was entered as taken.
"""

from __future__ import annotations

from compiler.language import Array, Value, array, static, struct, u64
from hypervisor.boot.board import RESERVED_COUNT_MAX, Board, Range
from hypervisor.boot.refusal import refuse
from hypervisor.core.partition import PARTITION_COUNT_MAX

TAKEN_COUNT_MAX = RESERVED_COUNT_MAX + PARTITION_COUNT_MAX + 8


@struct
class Taken:
    """Memory with something in it; `is_withheld`: the primary has no access to it."""

    base: u64 = 0
    end: u64 = 0
    is_withheld: bool = False


@struct
class Placement:
    """All memory that is taken, in no order."""

    taken: Array[Taken] = array(TAKEN_COUNT_MAX)
    count: u64 = 0


PLACEMENT: Placement = static(Placement())


def take(base: u64, size_bytes: u64, is_withheld: bool) -> None:
    """Enter memory as taken."""
    if PLACEMENT.count == TAKEN_COUNT_MAX:
        refuse(f"memory: it is in more than {TAKEN_COUNT_MAX} pieces")
    taken = PLACEMENT.taken[PLACEMENT.count]
    taken.base = base
    taken.end = base + size_bytes
    taken.is_withheld = is_withheld
    PLACEMENT.count += 1


def highest_place(board: Board, size_bytes: u64, alignment: u64) -> u64 | None:
    """The highest free memory of that size; None where there is none."""
    for position in reversed(range(board.memory_count)):
        memory = board.memory[position]
        end = memory.base + memory.size_bytes
        while end >= size_bytes and (end - size_bytes) & ~(alignment - 1) >= memory.base:
            base = (end - size_bytes) & ~(alignment - 1)
            blocking = _blocking(base, base + size_bytes)
            if blocking is None:
                return base
            end = blocking.base
    return None


def lowest_place(board: Board, start: u64, size_bytes: u64, alignment: u64, offset: u64) -> u64 | None:
    """The lowest free memory from `start` on that begins `offset` behind a multiple of the alignment."""
    for position in range(board.memory_count):
        memory = board.memory[position]
        least = max(memory.base, start)
        while True:
            base = (least & ~(alignment - 1)) + offset
            if base < least:
                base += alignment
            if base + size_bytes > memory.base + memory.size_bytes:
                break
            blocking = _blocking(base, base + size_bytes)
            if blocking is None:
                return base
            least = blocking.end
    return None


def _blocking(base: u64, end: u64) -> Taken | None:
    """What is in the way of a range."""
    for index in range(PLACEMENT.count):
        taken = PLACEMENT.taken[index]
        if taken.base < end and base < taken.end:
            return taken
    return None


def next_withheld(base: u64, end: u64) -> Value[Range]:
    """The first part of a range that the primary does not get; without bytes at the range's end if there is none."""
    found = Range(base=end, size_bytes=0)
    for index in range(PLACEMENT.count):
        taken = PLACEMENT.taken[index]
        if taken.is_withheld and taken.base < end and base < taken.end and max(taken.base, base) < found.base:
            found.base = max(taken.base, base)
            found.size_bytes = min(taken.end, end) - found.base
    return found
