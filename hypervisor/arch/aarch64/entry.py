"""The first instructions of every CPU: from EL2 with the MMU off to dialect code with it on.

The boot CPU enters at `_start`, x0 = device tree or 0, as the arm64 boot protocol has it; the others at
`secondary_start`, by PSCI CPU_ON with x0 = their root table | their index. Both run from the start-up table's identity
map first. With VHE the CPU gets E2H = 1 and goes on in the upper half; without, at the same address.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import assembly_block, extern, u64, unreachable
from hypervisor.arch.aarch64.mmu import HCR, HCR_HOST, STARTUP_SCTLR, STARTUP_TABLE, TCR, TCR_HOST
from hypervisor.arch.aarch64.stacks import STACK_SLOT_SIZE, STACKS_START
from hypervisor.arch.aarch64.vectors import exception_vectors
from hypervisor.memory.descriptors import MAIR
from hypervisor.memory.linear_map import UPPER_HALF
from hypervisor.memory.pages import PAGE_SIZE

CURRENT_EL_EL2 = 2 << 2
VH_LSB = 8
VH_WIDTH = 4


@extern("image_main")
def image_main(_linear_map_offset: u64) -> NoReturn:
    """The boot CPU's dialect code, on its stack with the MMU on; provided by the image."""
    unreachable()


@extern("secondary_main")
def secondary_main() -> NoReturn:
    """The same for every other CPU."""
    unreachable()


@assembly_block(
    """
    naked
    section ".text.start" align 64
    global _start, secondary_start
    call image_main, secondary_main, STARTUP_TABLE, STACKS_START, exception_vectors
    in x0
    clobber x0..x2, x20..x22, x29, x30, sp, nzcv
    begin
    _start:
        mov     x20, xzr                            // the boot CPU is CPU 0
        adrp    x21, {STARTUP_TABLE}
        add     x21, x21, :lo12:{STARTUP_TABLE}
        b       1f
    secondary_start:
        and     x20, x0, #{PAGE_SIZE - 1}
        and     x21, x0, #{~(PAGE_SIZE - 1)}

    1:  msr     DAIFSet, #0xf
        mrs     x0, CurrentEL
        cmp     x0, #{CURRENT_EL_EL2}
        b.ne    6f
        msr     TPIDR_EL2, x20                      // cpu_index()

        // Translation: TTBR0 and TTBR1 with VHE, else TTBR0 alone. x21: root, x22: offset of the linear map.
        adrp    x2, {STARTUP_TABLE}
        add     x2, x2, :lo12:{STARTUP_TABLE}
        mrs     x0, ID_AA64MMFR1_EL1
        ubfx    x0, x0, #{VH_LSB}, #{VH_WIDTH}
        cbz     x0, 2f
        ldr     x0, ={HCR_HOST}
        msr     HCR_EL2, x0
        isb
        ldr     x1, ={TCR_HOST}
        ldr     x22, ={UPPER_HALF}
        msr     TTBR1_EL2, x21
        b       3f
    2:  ldr     x0, ={HCR}
        msr     HCR_EL2, x0
        isb
        ldr     x1, ={TCR}
        mov     x22, xzr
        mov     x2, x21
    3:  msr     TTBR0_EL2, x2
        msr     TCR_EL2, x1
        mov     x0, #{MAIR}
        msr     MAIR_EL2, x0
        isb
        tlbi    alle2
        ic      iallu
        dsb     nsh
        isb
        ldr     x0, ={STARTUP_SCTLR}
        msr     SCTLR_EL2, x0
        isb

        adr     x0, 4f
        add     x0, x0, x22
        br      x0
    4:  bti     j
        adrp    x0, {exception_vectors}
        add     x0, x0, :lo12:{exception_vectors}
        msr     VBAR_EL2, x0
        adrp    x0, {STACKS_START}
        add     x0, x0, :lo12:{STACKS_START}
        add     x1, x20, #1
        mov     x2, #{STACK_SLOT_SIZE}
        madd    x0, x1, x2, x0                      // the slot's end
        mov     sp, x0
        mov     x29, xzr                            // backtraces end here
        mov     x30, xzr
        isb

        cbnz    x20, 5f
        mov     x0, x22
        bl      {image_main}
    5:  bl      {secondary_main}

    6:  wfe                                         // not EL2: nothing can be done
        b       6b
    """,
    uses=(
        HCR,
        HCR_HOST,
        MAIR,
        PAGE_SIZE,
        STACKS_START,
        STACK_SLOT_SIZE,
        STARTUP_SCTLR,
        STARTUP_TABLE,
        TCR,
        TCR_HOST,
        UPPER_HALF,
        exception_vectors,
    ),
)
def start() -> NoReturn:
    """Where the image is entered; on the host there is nothing to start."""
    unreachable()
