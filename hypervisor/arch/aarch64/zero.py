"""Zeroing of memory in whole pages: a block of cache lines with each instruction where the CPU allows DC ZVA."""

from __future__ import annotations

from compiler.language import Ptr, VirtAddr, assembly_block, u64

PROHIBITED_BIT = 4
"""DCZID_EL0.DZP; the bits below hold log2 of the block's size in words of four bytes."""
WORD_SIZE = 8


@assembly_block(
    """
    in x0 = start, x1 = size_bytes
    clobber x0..x3, nzcv, memory
    begin
        mrs     x2, DCZID_EL0
        add     x1, x0, x1
        tbnz    x2, #{PROHIBITED_BIT}, 2f
        mov     x3, #4
        lsl     x3, x3, x2                          // bytes of a block, at most 2 KiB
    1:  dc      zva, x0
        add     x0, x0, x3
        dc      zva, x0
        add     x0, x0, x3
        cmp     x0, x1
        b.lo    1b
        ret
    2:  stp     xzr, xzr, [x0]
        stp     xzr, xzr, [x0, #0x10]
        stp     xzr, xzr, [x0, #0x20]
        stp     xzr, xzr, [x0, #0x30]
        add     x0, x0, #0x40
        cmp     x0, x1
        b.lo    2b
        ret
    """
)
def zero_pages(start: VirtAddr, size_bytes: u64) -> None:
    """Zero `size_bytes`, a number of whole pages and not 0, of normal memory."""
    words = Ptr[u64].at(start)
    for index in range(size_bytes // WORD_SIZE):
        words[index] = 0
