"""Scalable vector registers of the primary: what SVE, and SME's streaming mode, add to Q0 to Q31.

No other guest has them: what it writes to Q registers clears the rest of Z, so the primary's are saved before. The
streaming mode is left meanwhile; ZA keeps what it has, since nobody else can reach it.
"""

from __future__ import annotations

from compiler.language import SystemRegister, VirtAddr, assembly_block, bit, u64

LENGTH_MAX = 256
"""Bytes of a Z register."""
AREA_LENGTHS = 35
"""An area has 32 Z registers, 16 predicates and FFR of an eighth of that each: so many lengths at most."""


class SVCR(SystemRegister):
    """Streaming mode and the ZA array."""

    SM = bit(0)
    ZA = bit(1)


@assembly_block(
    """
    inline
    out x0
    begin
        rdvl    x0, #1
    """
)
def vector_length() -> u64:
    """Bytes of a Z register at this level. On the host there are none."""
    return 0


@assembly_block(
    """
    naked
    in x0 = area, x1 = has_ffr, v0..v31, p0..p15, ffr, x30
    clobber x2, p0, memory
    begin
        str     z0, [x0]
        str     z1, [x0, #1, mul vl]
        str     z2, [x0, #2, mul vl]
        str     z3, [x0, #3, mul vl]
        str     z4, [x0, #4, mul vl]
        str     z5, [x0, #5, mul vl]
        str     z6, [x0, #6, mul vl]
        str     z7, [x0, #7, mul vl]
        str     z8, [x0, #8, mul vl]
        str     z9, [x0, #9, mul vl]
        str     z10, [x0, #10, mul vl]
        str     z11, [x0, #11, mul vl]
        str     z12, [x0, #12, mul vl]
        str     z13, [x0, #13, mul vl]
        str     z14, [x0, #14, mul vl]
        str     z15, [x0, #15, mul vl]
        str     z16, [x0, #16, mul vl]
        str     z17, [x0, #17, mul vl]
        str     z18, [x0, #18, mul vl]
        str     z19, [x0, #19, mul vl]
        str     z20, [x0, #20, mul vl]
        str     z21, [x0, #21, mul vl]
        str     z22, [x0, #22, mul vl]
        str     z23, [x0, #23, mul vl]
        str     z24, [x0, #24, mul vl]
        str     z25, [x0, #25, mul vl]
        str     z26, [x0, #26, mul vl]
        str     z27, [x0, #27, mul vl]
        str     z28, [x0, #28, mul vl]
        str     z29, [x0, #29, mul vl]
        str     z30, [x0, #30, mul vl]
        str     z31, [x0, #31, mul vl]
        rdvl    x2, #1
        add     x2, x0, x2, lsl #5
        str     p0, [x2]
        str     p1, [x2, #1, mul vl]
        str     p2, [x2, #2, mul vl]
        str     p3, [x2, #3, mul vl]
        str     p4, [x2, #4, mul vl]
        str     p5, [x2, #5, mul vl]
        str     p6, [x2, #6, mul vl]
        str     p7, [x2, #7, mul vl]
        str     p8, [x2, #8, mul vl]
        str     p9, [x2, #9, mul vl]
        str     p10, [x2, #10, mul vl]
        str     p11, [x2, #11, mul vl]
        str     p12, [x2, #12, mul vl]
        str     p13, [x2, #13, mul vl]
        str     p14, [x2, #14, mul vl]
        str     p15, [x2, #15, mul vl]
        cbz     x1, 1f
        rdffr   p0.b
        str     p0, [x2, #16, mul vl]
        ldr     p0, [x2]
    1:  ret
    """
)
def save_scalable(area: VirtAddr, has_ffr: u64) -> None:
    """Store Z0 to Z31, P0 to P15 and, outside the streaming mode, FFR. On the host there are none."""


@assembly_block(
    """
    naked
    in x0 = area, x1 = has_ffr, x30
    clobber x2, v0..v31, p0..p15, ffr
    begin
        rdvl    x2, #1
        add     x2, x0, x2, lsl #5
        cbz     x1, 1f
        ldr     p0, [x2, #16, mul vl]
        wrffr   p0.b
    1:
        ldr     z0, [x0]
        ldr     z1, [x0, #1, mul vl]
        ldr     z2, [x0, #2, mul vl]
        ldr     z3, [x0, #3, mul vl]
        ldr     z4, [x0, #4, mul vl]
        ldr     z5, [x0, #5, mul vl]
        ldr     z6, [x0, #6, mul vl]
        ldr     z7, [x0, #7, mul vl]
        ldr     z8, [x0, #8, mul vl]
        ldr     z9, [x0, #9, mul vl]
        ldr     z10, [x0, #10, mul vl]
        ldr     z11, [x0, #11, mul vl]
        ldr     z12, [x0, #12, mul vl]
        ldr     z13, [x0, #13, mul vl]
        ldr     z14, [x0, #14, mul vl]
        ldr     z15, [x0, #15, mul vl]
        ldr     z16, [x0, #16, mul vl]
        ldr     z17, [x0, #17, mul vl]
        ldr     z18, [x0, #18, mul vl]
        ldr     z19, [x0, #19, mul vl]
        ldr     z20, [x0, #20, mul vl]
        ldr     z21, [x0, #21, mul vl]
        ldr     z22, [x0, #22, mul vl]
        ldr     z23, [x0, #23, mul vl]
        ldr     z24, [x0, #24, mul vl]
        ldr     z25, [x0, #25, mul vl]
        ldr     z26, [x0, #26, mul vl]
        ldr     z27, [x0, #27, mul vl]
        ldr     z28, [x0, #28, mul vl]
        ldr     z29, [x0, #29, mul vl]
        ldr     z30, [x0, #30, mul vl]
        ldr     z31, [x0, #31, mul vl]
        ldr     p0, [x2]
        ldr     p1, [x2, #1, mul vl]
        ldr     p2, [x2, #2, mul vl]
        ldr     p3, [x2, #3, mul vl]
        ldr     p4, [x2, #4, mul vl]
        ldr     p5, [x2, #5, mul vl]
        ldr     p6, [x2, #6, mul vl]
        ldr     p7, [x2, #7, mul vl]
        ldr     p8, [x2, #8, mul vl]
        ldr     p9, [x2, #9, mul vl]
        ldr     p10, [x2, #10, mul vl]
        ldr     p11, [x2, #11, mul vl]
        ldr     p12, [x2, #12, mul vl]
        ldr     p13, [x2, #13, mul vl]
        ldr     p14, [x2, #14, mul vl]
        ldr     p15, [x2, #15, mul vl]
        ret
    """
)
def load_scalable(area: VirtAddr, has_ffr: u64) -> None:
    """Load what `save_scalable` stored."""


@assembly_block(
    """
    naked
    in x30
    clobber v0..v31, p0..p15, ffr
    begin
        smstop  sm
        ret
    """
)
def leave_streaming() -> None:
    """Leave the streaming mode; all Z and P registers become zero."""
    SVCR.modify(SM=0)


@assembly_block(
    """
    naked
    in x30
    clobber v0..v31, p0..p15, ffr
    begin
        smstart sm
        ret
    """
)
def enter_streaming() -> None:
    """The reverse."""
    SVCR.modify(SM=1)
