"""Numbers of address spaces: the ASIDs and VMIDs by which the TLB tells partitions apart.

One sequence of numbers serves both kinds; 0 is the hypervisor's own. A number belongs to its address space for as long
as that lives, so the registers that a vCPU is entered with never change, and no entry has to look whether its number
is still good. A number that was given back is not handed out again before the sequence has come to its end: then a
new generation begins, every translation of every CPU is forgotten once, and all numbers that are not held are free.
One that was held at that time, and is given back before the sequence comes by, is forgotten when it is given back.
There can be fewer address spaces than numbers only (HOLDER_COUNT_MAX), which is what makes this simpler than a
scheme in which running address spaces lose theirs.
"""

from __future__ import annotations

from compiler.language import Array, array, static, static_assert, struct, u16, u64
from hypervisor.arch.aarch64 import features
from hypervisor.core.locks import IdentifiersLock
from hypervisor.memory import tlb
from hypervisor.memory.pages import MapError

NARROW_BITS = 8
WIDE_BITS = 16
HOLDER_COUNT_MAX = 64
"""Address spaces that exist at one time."""

static_assert(HOLDER_COUNT_MAX < (1 << NARROW_BITS) - 1, "after a new generation some number is free")


@struct
class Identifiers:
    """The sequence; under `lock`."""

    lock: IdentifiersLock = IdentifiersLock()
    last: u64 = 0
    """The number that was handed out last in this generation."""
    generation: u64 = 0
    """How often the sequence has begun anew."""
    held: Array[u16] = array(HOLDER_COUNT_MAX)
    """The numbers in use; 0: a free place."""


IDENTIFIERS: Identifiers = static(Identifiers())


def width_bits() -> u64:
    """Bits of a number on this machine, which translation controls are set for: of ASIDs and VMIDs the fewer."""
    return WIDE_BITS if features.has_wide_identifiers() else NARROW_BITS


def allocate() -> u64 | MapError:
    """A number under which no TLB has an entry."""
    with IDENTIFIERS.lock:
        place = _place_of(0)
        if place is None:
            return MapError.NO_IDENTIFIERS
        number = _next()
        IDENTIFIERS.held[place] = u16(number)
        return number


def release(number: u64) -> None:
    """Give back a number that no vCPU is entered with any more. It is used again only after TLBs have forgotten it."""
    with IDENTIFIERS.lock:
        place = _place_of(number)
        assert number != 0 and place is not None, "number of an address space released twice"
        IDENTIFIERS.held[place] = 0
        if number > IDENTIFIERS.last:  # of an earlier generation, and still to come in this one
            tlb.invalidate_all()


def _next() -> u64:
    end: u64 = 1 << width_bits()
    number = IDENTIFIERS.last + 1
    while True:
        if number == end:
            IDENTIFIERS.generation += 1
            tlb.invalidate_all()
            number = 1
        if _place_of(number) is None:
            break
        number += 1
    IDENTIFIERS.last = number
    return number


def _place_of(number: u64) -> u64 | None:
    for place, held in enumerate(IDENTIFIERS.held):
        if held == number:
            return place
    return None
