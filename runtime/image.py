"""What start-up does to the image before any other code runs: zeroed data and relocation.

The image is linked at one address and runs at another where it is in the upper half. Code is position-independent;
the pointers in data are adjusted here, from the linker's compact table (SHT_RELR in the generic System V ABI: an even
word is the address of a pointer, an odd word a bitmap of the 63 words after the last one).
"""

from __future__ import annotations

from compiler.language import Ptr, VirtAddr, linker_symbol, u64, wrapping_add
from runtime import bulk

BSS_START = linker_symbol("__bss_start")
BSS_END = linker_symbol("__bss_end")
RELR_START = linker_symbol("__relr_start")
RELR_END = linker_symbol("__relr_end")
WORD_SIZE = 8
BITMAP_BITS = 63


def zero_bss() -> None:
    """Zero the data that the image file does not carry."""
    bulk.zero(BSS_START.address(), BSS_END.address() - BSS_START.address())


def relocate(displacement: u64) -> None:
    """Add `displacement` (modulo 2**64) to every pointer in the image's data."""
    entry = RELR_START.address()
    place: u64 = 0
    while entry < RELR_END.address():
        word = Ptr[u64].at(entry).value
        if word & 1 == 0:
            place = wrapping_add(word, displacement)
            adjust(place, displacement)
            place += WORD_SIZE
        else:
            for position in range(BITMAP_BITS):
                if word >> (position + 1) & 1 != 0:
                    adjust(place + position * WORD_SIZE, displacement)
            place += BITMAP_BITS * WORD_SIZE
        entry = entry + WORD_SIZE


def adjust(place: u64, displacement: u64) -> None:
    """Add to one pointer."""
    pointer = Ptr[u64].at(VirtAddr(place))
    pointer.value = wrapping_add(pointer.value, displacement)
