"""Stage 1 of a guest at EL1: every address is mapped to itself as normal memory.

Stage 2 says what is memory, what a device, and what is not there; the two stages combine to the stricter type (DDI
0487, D8.6.6). The table is a constant, so that nothing is written while the MMU is off, and atomics and unaligned
accesses work from the first line of the program on.
"""

from __future__ import annotations

from compiler.language import Array, constant, u64
from hypervisor.memory.descriptors import INNER_SHAREABLE, NORMAL, Descriptor

ENTRY_COUNT = 512
BLOCK_SIZE = 1 << 30
INPUT_BITS = 39
"""One table at level 1: 512 GiB."""

ATTRIBUTES = (
    Descriptor.VALID
    | Descriptor.ATTRIBUTES(NORMAL)
    | Descriptor.SHAREABILITY(INNER_SHAREABLE)
    | Descriptor.ACCESSED
    | Descriptor.EXECUTE_NEVER
)
"""Readable, writable and, since the bit is for EL0 here, executable at EL1."""

TABLE: Array[u64] = constant([index * BLOCK_SIZE | ATTRIBUTES for index in range(ENTRY_COUNT)], align=4096)

TCR = 64 - INPUT_BITS | 1 << 8 | 1 << 10 | INNER_SHAREABLE << 12 | 1 << 23 | 2 << 32
"""TCR_EL1: T0SZ, write-back walks, 4 KiB granule, the upper half off (EPD1), 40 bits of output (IPS)."""
