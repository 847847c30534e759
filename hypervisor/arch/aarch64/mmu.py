"""Register values of the EL2 and stage 2 translation regimes, and the tables that a CPU starts with.

All of them are constants computed at build time, but for what depends on the CPU's physical address size.
"""

from __future__ import annotations

from compiler.language import Array, constant, u64
from hypervisor.arch.aarch64.registers import SCTLR_EL2, TCR_EL2, TCR_EL2_E2H0, VTCR_EL2
from hypervisor.memory.descriptors import (
    DEVICE,
    INNER_SHAREABLE,
    NORMAL,
    Descriptor,
)
from hypervisor.memory.page_table import BLOCK_SIZE_LEVEL_1, ENTRY_COUNT
from hypervisor.platform import PLATFORM

INPUT_BITS = 39
TABLE_SIZE_OFFSET = 64 - INPUT_BITS
"""TnSZ."""
WRITE_BACK = 1
GRANULE_4K_TG0 = 0
GRANULE_4K_TG1 = 2
START_AT_LEVEL_1 = 1
PHYSICAL_40_BITS = 2
"""Physical address size: enough for the platforms here, and what every CPU has."""

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
"""TCR_EL2 with E2H: A1 = 0, so that the ASID is that of TTBR0_EL2."""

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
    VTCR_EL2.T0SZ(TABLE_SIZE_OFFSET)
    | VTCR_EL2.SL0(START_AT_LEVEL_1)
    | VTCR_EL2.IRGN0(WRITE_BACK)
    | VTCR_EL2.ORGN0(WRITE_BACK)
    | VTCR_EL2.SH0(INNER_SHAREABLE)
    | VTCR_EL2.TG0(GRANULE_4K_TG0)
    | VTCR_EL2.PS(PHYSICAL_40_BITS)
    | VTCR_EL2.RES1_31
)

SCTLR_RES1 = 0x30C0_0830
"""Bits of SCTLR_EL2 that read as one without E2H, but for nTWI and nTWE: those stay zero, so that a partition's WFI
traps where there is E2H."""

SCTLR = (
    SCTLR_RES1 | SCTLR_EL2.M | SCTLR_EL2.C | SCTLR_EL2.I | SCTLR_EL2.SA | SCTLR_EL2.SA0 | SCTLR_EL2.WXN | SCTLR_EL2.EIS
    | SCTLR_EL2.EOS
)
"""SCTLR_EL2, the same for the hypervisor and for partitions. A = 0: it would act on EL0 too."""

STARTUP_SCTLR = SCTLR & ~SCTLR_EL2.WXN
"""While the start-up tables are in use, which map code and data alike."""


def _startup_tables() -> list[int]:
    """Each gibibyte that holds the image or the console, at its own address, both halves alike."""
    image = PLATFORM.image_base.raw // BLOCK_SIZE_LEVEL_1
    console = PLATFORM.uart_base.raw // BLOCK_SIZE_LEVEL_1
    common = Descriptor.VALID | Descriptor.ACCESSED | Descriptor.SHAREABILITY(INNER_SHAREABLE)
    entries = [0] * ENTRY_COUNT
    entries[console] = console * BLOCK_SIZE_LEVEL_1 | common | Descriptor.ATTRIBUTES(DEVICE) | Descriptor.EXECUTE_NEVER
    entries[image] = image * BLOCK_SIZE_LEVEL_1 | common | Descriptor.ATTRIBUTES(NORMAL)
    return entries


STARTUP_TABLE: Array[u64] = constant(_startup_tables(), align=4096)
"""Level 1 table that start-up runs with until the exact map is made."""

EMPTY_TABLE: Array[u64] = constant([0] * ENTRY_COUNT, align=4096)
"""Root table of the lower half (or of stage 2) while no partition runs."""
