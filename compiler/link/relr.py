"""The RELR format: compact relocations for pointers in static data.

A word with bit 0 clear is the address of one pointer; each following word with bit 0 set is a bitmap over the next 63
words after the last one covered. Start-up adds the load offset to every pointer listed. Invariant: addresses are
multiples of 8. Source: System V ABI, "Relative Relocation Table"; SHT_RELR.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

WORD_BYTES = 8
BITS_PER_WORD = 63
PADDING = 1
"""A bitmap without a bit: start-up skips it"""


def encode(addresses: Iterable[int]) -> list[int]:
    """The RELR words for the pointers at `addresses` (each a multiple of 8; duplicates are dropped)."""
    ordered = sorted(set(addresses))
    words: list[int] = []
    at = 0
    while at < len(ordered):
        words.append(ordered[at])
        base = ordered[at] + WORD_BYTES
        at += 1
        while at < len(ordered):
            bitmap = 0
            while at < len(ordered) and ordered[at] - base < BITS_PER_WORD * WORD_BYTES:
                bitmap |= 1 << ((ordered[at] - base) // WORD_BYTES)
                at += 1
            if bitmap == 0:
                break
            words.append(bitmap << 1 | 1)
            base += BITS_PER_WORD * WORD_BYTES
    return words


def decode(words: Sequence[int]) -> Iterator[int]:
    """The addresses that `words` list, as start-up walks them; raises ValueError for a bitmap before any address."""
    base: int | None = None
    for word in words:
        if not word & 1:
            yield word
            base = word + WORD_BYTES
            continue
        if base is None:
            raise ValueError(f"the table starts with the bitmap {word:#x}")
        for bit in range(BITS_PER_WORD):
            if word >> (bit + 1) & 1:
                yield base + bit * WORD_BYTES
        base += BITS_PER_WORD * WORD_BYTES
