"""First run of clear bits in a bitmap of 64-bit words: how an allocator looks for free pages."""

from __future__ import annotations

from compiler.language import Slice, export, trailing_zeros, u64

NOT_FOUND = 0xFFFFFFFFFFFFFFFF


@export("find_free")
def find_free(words: Slice[u64]) -> u64:
    """Number of the first clear bit, or NOT_FOUND."""
    for i in range(len(words)):
        free = ~words[i]
        if free != 0:
            return i * 64 + trailing_zeros(free)
    return NOT_FOUND


@export("find_free_run")
def find_free_run(words: Slice[u64], wanted: u64) -> u64:
    """Number of the first bit of the first `wanted` clear bits in a row, or NOT_FOUND."""
    run: u64 = 0
    for i in range(len(words)):
        word = words[i]
        for bit in range(64):
            if word >> bit & 1 == 0:
                run += 1
                if run == wanted:
                    return i * 64 + bit + 1 - wanted
            else:
                run = 0
    return NOT_FOUND
