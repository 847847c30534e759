"""Address spaces: a tree of translation tables, who translates with it, and its geometry.

4 KiB granule, input addresses of 31 to 48 bits, LPA2 off. Up to 39 bits the tree has three levels, 1 to 3. At stage 2
a root of up to 43 bits is 2 to 16 tables side by side (DDI 0487, D8.2.6): a CPU with few physical address bits cannot
start at level 0. Everything else starts at level 0. A root's index is therefore not masked: it counts on through the
tables of the root.

Tables lie in pages of the pool and are reached through the linear map.
"""

from __future__ import annotations

from compiler.language import Array, PhysAddr, Ptr, VirtAddr, array, constant, struct, u8, u64
from hypervisor.core.locks import AddressSpaceLock
from hypervisor.memory.descriptors import Descriptor, Regime
from hypervisor.memory.linear_map import to_virtual
from hypervisor.memory.pages import PAGE_SIZE

LAST_LEVEL = 3
LEVEL_BITS = 9
ENTRY_COUNT = 512
ENTRY_SIZE = 8
INDEX_MASK = ENTRY_COUNT - 1
BLOCK_SIZE_LEVEL_1 = 1 << 30
ADDRESS_MASK = Descriptor.ADDRESS.mask
TABLE_POINTER = Descriptor.TABLE | Descriptor.VALID

INPUT_BITS_MIN = 31
INPUT_BITS_MAX = 48
INPUT_BITS_LEVEL_1 = 39
"""Most bits that one table of level 1 covers."""
CONCATENATED_BITS_MAX = 43
"""Most bits that 16 tables of level 1 cover."""

HOST_INPUT_BITS = 39
STAGE_2_INPUT_BITS = 40
"""The physical address space of the smallest CPUs: stage 2 maps memory and devices where they are."""
INPUT_BITS: Array[u8] = constant(
    [STAGE_2_INPUT_BITS if regime is Regime.STAGE_2 else HOST_INPUT_BITS for regime in Regime]
)

IDENTIFIER_SHIFT = 48
"""Position of the ASID in TTBR0_EL2 and of the VMID in VTTBR_EL2."""


@struct(align=4096)
class PageTable:
    """One table, of any level."""

    entries: Array[u64] = array(ENTRY_COUNT)


@struct
class AddressSpace:
    """A root and who translates with it. All but `lock` is set by `page_table.create` and then only read."""

    root: PhysAddr = PhysAddr(0)
    regime: Regime = Regime.EL2
    first_level: u64 = 0
    input_bits: u64 = 0
    identifier: u64 = 0
    """ASID or VMID; 0 for the hypervisor's own."""
    executable_bits: u64 = 0
    """Added to descriptors of code."""
    lock: AddressSpaceLock = AddressSpaceLock()
    """Held while tables are read or changed."""

    def input_size(self) -> u64:
        """Bytes of the address space."""
        return 1 << self.input_bits

    def translation(self) -> u64:
        """The value of TTBR0_EL2 or VTTBR_EL2."""
        return self.root.raw | self.identifier << IDENTIFIER_SHIFT

    def is_own(self) -> bool:
        """Whether the hypervisor itself runs by these tables, so that no live entry may be taken away for a moment."""
        return self.regime == Regime.EL2 or self.regime == Regime.EL2_HOST


def root_page_count(regime: Regime, input_bits: u64) -> u64:
    """How many tables the root is."""
    if regime == Regime.STAGE_2 and INPUT_BITS_LEVEL_1 < input_bits <= CONCATENATED_BITS_MAX:
        return 1 << (input_bits - INPUT_BITS_LEVEL_1)
    return 1


def first_level(regime: Regime, input_bits: u64) -> u64:
    """The level of the root."""
    direct = CONCATENATED_BITS_MAX if regime == Regime.STAGE_2 else INPUT_BITS_LEVEL_1
    return 1 if input_bits <= direct else 0


def level_shift(level: u64) -> u64:
    """Bits of an address that an entry of a table of `level` leaves: 39, 30, 21, 12."""
    return 12 + (LAST_LEVEL - level) * LEVEL_BITS


def block_size(level: u64) -> u64:
    """Bytes that one entry of a table of `level` covers: 512 GiB, 1 GiB, 2 MiB, 4 KiB."""
    return PAGE_SIZE << ((LAST_LEVEL - level) * LEVEL_BITS)


def is_table(entry: u64, level: u64) -> bool:
    """Whether an entry of a table of `level` points to another table."""
    return level < LAST_LEVEL and entry & TABLE_POINTER == TABLE_POINTER


def page_bit(level: u64) -> u64:
    """What a leaf of `level` has in the place where other entries tell tables from blocks."""
    return Descriptor.TABLE if level == LAST_LEVEL else 0


def table_at(address: PhysAddr) -> PageTable:
    """The table at a physical address."""
    return Ptr[PageTable].at(to_virtual(address)).value


def entry_at(address: VirtAddr) -> Ptr[u64]:
    """The entry at a virtual address."""
    return Ptr[u64].at(address)


def find_entry(root: PhysAddr, root_level: u64, address: u64) -> tuple[VirtAddr, u64]:
    """Where the leaf or empty entry for an input address is, and the level of its table.

    `root` may be the table, or tables, of any level; the address counts from where they begin.
    """
    level = root_level
    place = to_virtual(root) + (address >> level_shift(level)) * ENTRY_SIZE
    entry = entry_at(place).value
    while is_table(entry, level):
        level += 1
        index = (address >> level_shift(level)) & INDEX_MASK
        place = to_virtual(PhysAddr(entry & ADDRESS_MASK)) + index * ENTRY_SIZE
        entry = entry_at(place).value
    return place, level
