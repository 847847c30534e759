"""The SIMD and floating-point registers of a vCPU, and the assembly that saves and loads them.

The CPU's vector registers belong to the primary's vCPU of that CPU. Any other vCPU traps when it first uses them; from
then until it leaves the CPU they are its own, and `attention` keeps the short paths away from it.
"""

from __future__ import annotations

from compiler.language import Array, array, assembly_block, offset_of, static_assert, struct, u64

QUAD_COUNT = 32


@struct(align=16)
class VectorState:
    """Q0 to Q31, FPCR and FPSR."""

    quads: Array[u64] = array(2 * QUAD_COUNT)
    fpcr: u64 = 0
    fpsr: u64 = 0


static_assert(offset_of(VectorState, "quads") == 0, "the blocks below begin with the quads")


@assembly_block(
    """
    naked
    in x0 = state, v0..v31, x30
    clobber x0..x2, memory
    begin
        stp     q0, q1, [x0, #0]
        stp     q2, q3, [x0, #32]
        stp     q4, q5, [x0, #64]
        stp     q6, q7, [x0, #96]
        stp     q8, q9, [x0, #128]
        stp     q10, q11, [x0, #160]
        stp     q12, q13, [x0, #192]
        stp     q14, q15, [x0, #224]
        stp     q16, q17, [x0, #256]
        stp     q18, q19, [x0, #288]
        stp     q20, q21, [x0, #320]
        stp     q22, q23, [x0, #352]
        stp     q24, q25, [x0, #384]
        stp     q26, q27, [x0, #416]
        stp     q28, q29, [x0, #448]
        stp     q30, q31, [x0, #480]
        mrs     x1, FPCR
        mrs     x2, FPSR
        add     x0, x0, #{VectorState.fpcr}
        stp     x1, x2, [x0]
        ret
    """
)
def save_vectors(state: VectorState) -> None:
    """Store the vector registers. On the host there are none."""


@assembly_block(
    """
    naked
    in x0 = state, x30
    clobber x0..x2, v0..v31
    begin
        ldp     q0, q1, [x0, #0]
        ldp     q2, q3, [x0, #32]
        ldp     q4, q5, [x0, #64]
        ldp     q6, q7, [x0, #96]
        ldp     q8, q9, [x0, #128]
        ldp     q10, q11, [x0, #160]
        ldp     q12, q13, [x0, #192]
        ldp     q14, q15, [x0, #224]
        ldp     q16, q17, [x0, #256]
        ldp     q18, q19, [x0, #288]
        ldp     q20, q21, [x0, #320]
        ldp     q22, q23, [x0, #352]
        ldp     q24, q25, [x0, #384]
        ldp     q26, q27, [x0, #416]
        ldp     q28, q29, [x0, #448]
        ldp     q30, q31, [x0, #480]
        add     x0, x0, #{VectorState.fpcr}
        ldp     x1, x2, [x0]
        msr     FPCR, x1
        msr     FPSR, x2
        ret
    """
)
def load_vectors(state: VectorState) -> None:
    """Load the vector registers. On the host there are none."""
