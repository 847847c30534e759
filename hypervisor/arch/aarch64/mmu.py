"""Register values of the EL2 and stage 2 translation regimes, the start-up tables, and the change to the exact ones.

All values are constants computed at build time. Tables of three levels in every regime: 39 bits of input address, 40 at
stage 2, whose root is two tables.
"""

from __future__ import annotations

from compiler.language import Array, array, assembly_block, constant, static, u64
from hypervisor.arch.aarch64.registers import (
    HCR_EL2,
    SCTLR_EL2,
    TCR_EL2,
    TCR_EL2_E2H0,
    TTBR0_EL2,
    TTBR1_EL2,
    VTCR_EL2,
)
from hypervisor.memory.address_space import (
    BLOCK_SIZE_LEVEL_1,
    ENTRY_COUNT,
    HOST_INPUT_BITS,
    STAGE_2_INPUT_BITS,
)
from hypervisor.memory.descriptors import DEVICE, INNER_SHAREABLE, NORMAL, Descriptor
from hypervisor.platform import PLATFORM

TABLE_SIZE_OFFSET = 64 - HOST_INPUT_BITS
"""TnSZ."""
PHYSICAL_MASK = (1 << HOST_INPUT_BITS) - 1
"""What turns an address of the linear map into the physical one."""
E2H_BIT = 34
WRITE_BACK = 1
GRANULE_4K_TG0 = 0
GRANULE_4K_TG1 = 2
START_AT_LEVEL_1 = 1
PHYSICAL_40_BITS = 2
"""Output size: what every CPU has at least, and enough for the platforms here."""

HCR_HOST = HCR_EL2.E2H | HCR_EL2.RW | HCR_EL2.TSC
HCR = HCR_EL2.RW | HCR_EL2.TSC
"""HCR_EL2 while the hypervisor has nothing to run: TGE is set only for partitions."""

TCR_HOST = (
    TCR_EL2.T0SZ(TABLE_SIZE_OFFSET)
    | TCR_EL2.IRGN0(WRITE_BACK)
    | TCR_EL2.ORGN0(WRITE_BACK)
    | TCR_EL2.SH0(INNER_SHAREABLE)
    | TCR_EL2.TG0(GRANULE_4K_TG0)
    | TCR_EL2.T1SZ(TABLE_SIZE_OFFSET)
    | TCR_EL2.IRGN1(WRITE_BACK)
    | TCR_EL2.ORGN1(WRITE_BACK)
    | TCR_EL2.SH1(INNER_SHAREABLE)
    | TCR_EL2.TG1(GRANULE_4K_TG1)
    | TCR_EL2.IPS(PHYSICAL_40_BITS)
)
"""TCR_EL2 with E2H; A1 = 0: the ASID is that of TTBR0_EL2."""

TCR = (
    TCR_EL2_E2H0.T0SZ(TABLE_SIZE_OFFSET)
    | TCR_EL2_E2H0.IRGN0(WRITE_BACK)
    | TCR_EL2_E2H0.ORGN0(WRITE_BACK)
    | TCR_EL2_E2H0.SH0(INNER_SHAREABLE)
    | TCR_EL2_E2H0.TG0(GRANULE_4K_TG0)
    | TCR_EL2_E2H0.PS(PHYSICAL_40_BITS)
    | TCR_EL2_E2H0.RES1_23
    | TCR_EL2_E2H0.RES1_31
)
"""TCR_EL2 without E2H."""

VTCR = (
    VTCR_EL2.T0SZ(64 - STAGE_2_INPUT_BITS)
    | VTCR_EL2.SL0(START_AT_LEVEL_1)
    | VTCR_EL2.IRGN0(WRITE_BACK)
    | VTCR_EL2.ORGN0(WRITE_BACK)
    | VTCR_EL2.SH0(INNER_SHAREABLE)
    | VTCR_EL2.TG0(GRANULE_4K_TG0)
    | VTCR_EL2.PS(PHYSICAL_40_BITS)
    | VTCR_EL2.RES1_31
)
"""Stage 2, for partitions where there is no E2H."""

STARTUP_SCTLR = (
    SCTLR_EL2.RES1
    | SCTLR_EL2.M
    | SCTLR_EL2.C
    | SCTLR_EL2.I
    | SCTLR_EL2.SA
    | SCTLR_EL2.SA0
    | SCTLR_EL2.EIS
    | SCTLR_EL2.EOS
)
"""SCTLR_EL2 with the start-up table, which maps code writable. A = 0 always: it would act on EL0 too."""

SCTLR = STARTUP_SCTLR | SCTLR_EL2.WXN
"""SCTLR_EL2 from then on, for the hypervisor and for partitions; features of the CPU add to it."""


def _startup_blocks() -> list[int]:
    """Offset in the start-up table and descriptor of each gibibyte that holds the image or the console, by identity."""
    image = PLATFORM.image_base.raw // BLOCK_SIZE_LEVEL_1
    console = PLATFORM.uart_base.raw // BLOCK_SIZE_LEVEL_1
    block = Descriptor.VALID | Descriptor.ACCESSED | Descriptor.SHAREABILITY(INNER_SHAREABLE)
    device = console * BLOCK_SIZE_LEVEL_1 | block | Descriptor.ATTRIBUTES(DEVICE) | Descriptor.EXECUTE_NEVER
    normal = image * BLOCK_SIZE_LEVEL_1 | block | Descriptor.ATTRIBUTES(NORMAL)
    return [console * 8, device, image * 8, normal]


STARTUP_BLOCKS: Array[u64] = constant(_startup_blocks())
STARTUP_TABLE: Array[u64] = static(array(ENTRY_COUNT), section=".page_tables", align=4096)
"""Level 1 table that CPUs start with, filled with STARTUP_BLOCKS by start-up; with VHE it serves both halves alike."""

EMPTY_TABLE: Array[u64] = static(array(ENTRY_COUNT), align=4096)
"""Root of the lower half, or of stage 2, while no partition runs; all zeros."""


@assembly_block(
    """
    global change_table
    in x0 = root
    clobber x9..x11
    begin
        adr     x9, change_table
        and     x9, x9, #{PHYSICAL_MASK}
        br      x9                                  // to the identity map
    change_table:
        bti     j
        mrs     x9, SCTLR_EL2
        and     x10, x9, #{~SCTLR_EL2.M}
        msr     SCTLR_EL2, x10
        isb
        mrs     x11, HCR_EL2
        tbz     x11, #{E2H_BIT}, 1f
        msr     TTBR1_EL2, x0
        b       2f
    1:  msr     TTBR0_EL2, x0
    2:  isb
        tlbi    alle2
        dsb     nsh
        isb
        msr     SCTLR_EL2, x9
        isb
        ret
    """
)
def install_hypervisor_table(root: u64) -> None:
    """Translate with the table at `root` from here on.

    The MMU is off in between, so that no two tables are in use for one address (DDI 0487, D8.14.1). Runs from the
    start-up table's identity map; `root` has to map this code where it is now.
    """
    if HCR_EL2.read().E2H:
        TTBR1_EL2.write(root)
    else:
        TTBR0_EL2.write(root)
