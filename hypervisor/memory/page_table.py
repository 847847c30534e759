"""Translation tables of three levels: 39-bit input addresses, 4 KiB granule, any regime.

Stage 1 and stage 2 differ in their leaf attributes only (`descriptors.py`). Tables come from the page pool and are
reached through the linear map. Mapping uses the largest block that fits; what is mapped already is never replaced.
Nothing here touches the TLB: an entry that was invalid may be filled without maintenance (DDI 0487, D8.14).
"""

from __future__ import annotations

from compiler.language import Array, PhysAddr, Ptr, array, struct, u64
from hypervisor.memory import pages
from hypervisor.memory.descriptors import Access, Descriptor, Regime, attributes
from hypervisor.memory.linear_map import to_virtual
from hypervisor.memory.pages import PAGE_SIZE, MapError

FIRST_LEVEL = 1
LAST_LEVEL = 3
ENTRY_COUNT = 512
INPUT_SIZE = 1 << 39
BLOCK_SIZE_LEVEL_1 = 1 << 30
ADDRESS_MASK = Descriptor.ADDRESS.mask


@struct(align=4096)
class PageTable:
    """One table, of any level."""

    entries: Array[u64] = array(ENTRY_COUNT)


@struct
class AddressSpace:
    """A root table and who translates with it."""

    root: PhysAddr = PhysAddr(0)
    regime: Regime = Regime.EL2
    executable_bits: u64 = 0
    """Added to descriptors of code."""


def create(space: AddressSpace, regime: Regime, executable_bits: u64) -> MapError | None:
    """Give an address space an empty root table."""
    root = pages.allocate()
    if isinstance(root, MapError):
        return root
    space.root = root
    space.regime = regime
    space.executable_bits = executable_bits
    return None


def map_range(space: AddressSpace, start: u64, target: PhysAddr, size_bytes: u64, access: Access) -> MapError | None:
    """Map `size_bytes` from input address `start` to `target`; all three are multiples of the page size.

    On an error what was mapped so far stays mapped.
    """
    if (start | target.raw | size_bytes) & (PAGE_SIZE - 1) != 0:
        return MapError.MISALIGNED
    if start >= INPUT_SIZE or size_bytes > INPUT_SIZE - start:
        return MapError.OUT_OF_RANGE
    leaf_attributes = attributes(space.regime, access)
    if access == Access.READ_EXECUTE:
        leaf_attributes |= space.executable_bits
    offset: u64 = 0
    while offset < size_bytes:
        level = leaf_level(start + offset, target + offset, size_bytes - offset)
        error = _map_leaf(space, start + offset, target + offset, level, leaf_attributes)
        if isinstance(error, MapError):
            return error
        offset += block_size(level)
    return None


def block_size(level: u64) -> u64:
    """Bytes that one entry of a table of `level` covers: 1 GiB, 2 MiB, 4 KiB."""
    return PAGE_SIZE << ((LAST_LEVEL - level) * 9)


def leaf_level(start: u64, target: PhysAddr, size_bytes: u64) -> u64:
    """The first level at which one entry can map the beginning of the range."""
    for level in range(FIRST_LEVEL, LAST_LEVEL):
        size = block_size(level)
        if (start | target.raw) & (size - 1) == 0 and size_bytes >= size:
            return level
    return LAST_LEVEL


def table_at(address: PhysAddr) -> PageTable:
    """The table at a physical address."""
    return Ptr[PageTable].at(to_virtual(address)).value


def entry_index(address: u64, level: u64) -> u64:
    """Which entry of a table of `level` an input address selects."""
    return (address // block_size(level)) % ENTRY_COUNT


def _map_leaf(space: AddressSpace, start: u64, target: PhysAddr, leaf: u64, leaf_attributes: u64) -> MapError | None:
    table = table_at(space.root)
    for level in range(FIRST_LEVEL, leaf):
        next_table = _next_table(table, entry_index(start, level))
        if isinstance(next_table, MapError):
            return next_table
        table = table_at(next_table)
    index = entry_index(start, leaf)
    if table.entries[index] != 0:
        return MapError.ALREADY_MAPPED
    page_bit = Descriptor.TABLE if leaf == LAST_LEVEL else 0
    table.entries[index] = target.raw | leaf_attributes | page_bit | Descriptor.VALID
    return None


def _next_table(table: PageTable, index: u64) -> PhysAddr | MapError:
    """The table that an entry points to, made if the entry is empty."""
    entry = Descriptor(table.entries[index])
    if entry.VALID and not entry.TABLE:
        return MapError.ALREADY_MAPPED
    if entry.VALID:
        return PhysAddr(entry.raw & ADDRESS_MASK)
    page = pages.allocate()
    if isinstance(page, MapError):
        return page
    table.entries[index] = page.raw | Descriptor.TABLE | Descriptor.VALID
    return page
