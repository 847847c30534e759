"""Zeroing, copying and cleaning of much memory: with the MMU on, in normal memory, where any alignment is allowed."""

from __future__ import annotations

from compiler.language import Ptr, SystemRegister, VirtAddr, assembly_block, dc, dsb, no_builtins, u8, u64

PROHIBITED_BIT = 4
"""DCZID_EL0.DZP; the bits below hold log2 of a block's size in words of four bytes (DDI 0487, D23.2.38)."""

LINE_LSB = 16
LINE_WIDTH = 4
"""CTR_EL0.DminLine: log2 of the smallest line's size in words of four bytes."""


class CTR_EL0(SystemRegister):
    """The caches' lines."""


@assembly_block(
    """
    in x0 = start, x1 = size_bytes
    clobber x0..x5, nzcv, memory
    begin
        mrs     x2, DCZID_EL0
        mov     x3, #4
        add     x1, x0, x1                          // the end
        tbnz    x2, #{PROHIBITED_BIT}, 4f
        lsl     x3, x3, x2                          // bytes of a block
        sub     x4, x3, #1
        b       2f
    1:  stp     xzr, xzr, [x0], #16                 // up to where a block begins
    2:  cmp     x0, x1
        b.hs    6f
        tst     x0, x4
        b.ne    1b
        lsl     x4, x3, #2                          // four blocks at a time
        sub     x5, x1, x4
        cmp     x0, x5
        b.hi    4f
    3:  dc      zva, x0
        add     x0, x0, x3
        dc      zva, x0
        add     x0, x0, x3
        dc      zva, x0
        add     x0, x0, x3
        dc      zva, x0
        add     x0, x0, x3
        cmp     x0, x5
        b.ls    3b
    4:  cmp     x0, x1
        b.hs    6f
    5:  stp     xzr, xzr, [x0], #16
        cmp     x0, x1
        b.lo    5b
    6:  ret
    """
)
@no_builtins
def zero(start: VirtAddr, size_bytes: u64) -> None:
    """Zero memory: address and size are multiples of 16. A block of cache lines at a time where the CPU allows it."""
    words = Ptr[u64].at(start)
    for index in range(size_bytes // 8):
        words[index] = 0


@assembly_block(
    """
    in x0 = target, x1 = source, x2 = size_bytes
    clobber x0..x10, nzcv, memory
    begin
        subs    x2, x2, #64
        b.lo    2f
    1:  ldp     x3, x4, [x1]
        ldp     x5, x6, [x1, #16]
        ldp     x7, x8, [x1, #32]
        ldp     x9, x10, [x1, #48]
        add     x1, x1, #64
        stp     x3, x4, [x0]
        stp     x5, x6, [x0, #16]
        stp     x7, x8, [x0, #32]
        stp     x9, x10, [x0, #48]
        add     x0, x0, #64
        subs    x2, x2, #64
        b.hs    1b
    2:  adds    x2, x2, #64                         // what is left
        b.eq    4f
    3:  ldrb    w3, [x1], #1
        strb    w3, [x0], #1
        subs    x2, x2, #1
        b.ne    3b
    4:  ret
    """
)
@no_builtins
def copy_bytes(target: VirtAddr, source: VirtAddr, size_bytes: u64) -> None:
    """Copy between places that do not overlap."""
    target_bytes = Ptr[u8].at(target)
    source_bytes = Ptr[u8].at(source)
    for index in range(size_bytes):
        target_bytes[index] = source_bytes[index]


@assembly_block(
    """
    in x0 = start, x1 = size_bytes
    clobber x0..x3, nzcv, memory
    begin
        mrs     x2, CTR_EL0
        ubfx    x2, x2, #{LINE_LSB}, #{LINE_WIDTH}
        mov     x3, #4
        lsl     x2, x3, x2                          // bytes of a line
        add     x1, x0, x1
        sub     x3, x2, #1
        bic     x0, x0, x3
        sub     x3, x1, x2, lsl #2                  // four lines at a time
        cmp     x0, x3
        b.hi    2f
    1:  dc      civac, x0
        add     x0, x0, x2
        dc      civac, x0
        add     x0, x0, x2
        dc      civac, x0
        add     x0, x0, x2
        dc      civac, x0
        add     x0, x0, x2
        cmp     x0, x3
        b.ls    1b
    2:  cmp     x0, x1
        b.hs    4f
    3:  dc      civac, x0
        add     x0, x0, x2
        cmp     x0, x1
        b.lo    3b
    4:  dsb     ish
        ret
    """
)
def clean(start: VirtAddr, size_bytes: u64) -> None:
    """Write what caches hold of memory back to it, and drop it: who runs with the MMU off sees no caches."""
    line: u64 = 4 << (CTR_EL0.read().raw >> LINE_LSB & 0xF)
    address = start.align_down(line)
    while address < start + size_bytes:
        dc("civac", address.raw)
        address = address + line
    dsb("ish")
