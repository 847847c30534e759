"""The first instructions of every CPU: from EL2 with the MMU off to dialect code with it on.

The boot CPU enters at `_start`, x0 = device tree, as the arm64 boot protocol has it; the others at `secondary_start`,
by PSCI CPU_ON with x0 = their root table | their index. Both run from the start-up table's identity map first. With VHE
the CPU gets E2H = 1 and goes on in the upper half; without, at the same address.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import Array, assembly_block, constant, export, extern, u64, unreachable
from hypervisor.arch.aarch64.mmu import HCR, HCR_HOST, STARTUP_BLOCKS, STARTUP_SCTLR, STARTUP_TABLE, TCR, TCR_HOST
from hypervisor.arch.aarch64.stacks import STACK_SLOT_SIZE, STACKS_START
from hypervisor.arch.aarch64.vectors import exception_vectors
from hypervisor.memory.descriptors import MAIR
from hypervisor.memory.linear_map import UPPER_HALF
from hypervisor.memory.pages import PAGE_SIZE

CURRENT_EL_EL2 = 2 << 2
VH_LSB = 8
VH_WIDTH = 4

STARTUP_HOST: Array[u64] = constant([HCR_HOST, TCR_HOST, UPPER_HALF, STARTUP_SCTLR])
STARTUP: Array[u64] = constant([HCR, TCR, 0, STARTUP_SCTLR])
"""HCR_EL2, TCR_EL2, offset of the linear map and SCTLR_EL2, with VHE and without."""


@extern("image_main")
def image_main(_linear_map_offset: u64, _device_tree: u64) -> NoReturn:
    """The boot CPU's dialect code, on its stack with the MMU on; provided by the image."""
    unreachable()


@extern("secondary_main")
def secondary_main() -> NoReturn:
    """The same for every other CPU."""
    unreachable()


@export("_start")
@assembly_block(
    """
    naked
    section ".text.start" align 64
    global secondary_start
    call STARTUP, STARTUP_BLOCKS, STARTUP_HOST, STARTUP_TABLE, start_mapped
    in x0
    clobber x0..x3, x19..x23, nzcv, memory
    begin
        mov     x23, x0                             // the device tree
        mov     x20, xzr                            // the boot CPU is CPU 0 until the tree has told
        adrp    x21, {STARTUP_TABLE}
        add     x21, x21, :lo12:{STARTUP_TABLE}
        add     x2, x21, #{PAGE_SIZE}
    5:  stp     xzr, xzr, [x2, #-16]!
        cmp     x2, x21
        b.ne    5b
        adrp    x3, {STARTUP_BLOCKS}
        add     x3, x3, :lo12:{STARTUP_BLOCKS}
        ldp     x0, x1, [x3]
        str     x1, [x21, x0]
        ldp     x0, x1, [x3, #16]
        str     x1, [x21, x0]
        dmb     sy
        add     x2, x21, #{PAGE_SIZE}
    6:  sub     x2, x2, #64                         // no cache may hold what was there before
        dc      ivac, x2
        cmp     x2, x21
        b.ne    6b
        dsb     sy
        b       1f
    secondary_start:
        and     x20, x0, #{PAGE_SIZE - 1}
        and     x21, x0, #{~(PAGE_SIZE - 1)}

    1:  msr     DAIFSet, #0xf
        mrs     x0, CurrentEL
        cmp     x0, #{CURRENT_EL_EL2}
        b.ne    4f
        msr     TPIDR_EL2, x20                      // cpu_index()

        // x21 is the root table: of the upper half with VHE, whose lower half has the identity map; else the only one
        adrp    x2, {STARTUP_TABLE}
        add     x2, x2, :lo12:{STARTUP_TABLE}
        adrp    x3, {STARTUP_HOST}
        add     x3, x3, :lo12:{STARTUP_HOST}
        mrs     x0, ID_AA64MMFR1_EL1
        ubfx    x0, x0, #{VH_LSB}, #{VH_WIDTH}
        cbnz    x0, 2f
        adrp    x3, {STARTUP}
        add     x3, x3, :lo12:{STARTUP}
        mov     x2, x21
    2:  ldp     x0, x1, [x3]
        ldp     x22, x19, [x3, #16]
        msr     HCR_EL2, x0
        isb                                         // what the others mean depends on E2H
        msr     TTBR0_EL2, x2
        cbz     x22, 3f
        msr     TTBR1_EL2, x21
    3:  msr     TCR_EL2, x1
        mov     x0, #{MAIR}
        msr     MAIR_EL2, x0
        isb
        tlbi    alle2
        ic      iallu
        dsb     nsh
        isb
        msr     SCTLR_EL2, x19
        isb
        adrp    x0, {start_mapped}
        add     x0, x0, :lo12:{start_mapped}
        add     x0, x0, x22
        br      x0

    4:  wfe                                         // not EL2: nothing can be done
        b       4b
    """,
    uses=(PAGE_SIZE, MAIR, STARTUP_BLOCKS, STARTUP_TABLE),
)
def start() -> NoReturn:
    """Where the image is entered, MMU off; on the host there is nothing to start."""
    unreachable()


@assembly_block(
    """
    naked
    call image_main, secondary_main, exception_vectors, STACKS_START
    in x20, x22, x23
    clobber x0..x2, x29, x30, sp
    begin
        bti     j
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
        cbnz    x20, 1f
        mov     x0, x22
        mov     x1, x23
        b       {image_main}
    1:  b       {secondary_main}
    """,
    uses=(STACKS_START, STACK_SLOT_SIZE, exception_vectors),
)
def start_mapped() -> NoReturn:
    """Goes on with the MMU on: x20 is the CPU's index, x22 the offset of the linear map, x23 the device tree."""
    unreachable()
