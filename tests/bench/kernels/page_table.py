"""A three-level page table over a pool of 4 KiB tables: mapping pages and walking addresses."""

from __future__ import annotations

from compiler.language import Array, Bits, ErrorEnum, array, bit, bits, export, struct, u64

ENTRY_COUNT = 512
POOL_TABLE_COUNT = 16
FAULT = 0xFFFFFFFFFFFFFFFF


class Descriptor(Bits, base=u64):
    """A table or page descriptor (Arm ARM, VMSAv8-64 descriptor formats)."""

    VALID = bit(0)
    TABLE = bit(1)
    FRAME = bits(47, 12)


class MapError(ErrorEnum):
    """Why a page could not be mapped."""

    NO_MEMORY = -3
    ALREADY_MAPPED = -6


@struct
class Table:
    """One level's 512 entries."""

    entries: Array[u64] = array(ENTRY_COUNT)


@struct
class Pool:
    """Tables by index; table 0 is the root. A table descriptor's frame is the next table's index."""

    tables: Array[Table] = array(POOL_TABLE_COUNT)
    used_count: u64 = 1


def next_table(pool: Pool, table: u64, index: u64) -> u64 | MapError:
    """The table below entry `index`, made when there is none."""
    entry = Descriptor(pool.tables[table].entries[index])
    if entry.VALID:
        return entry.FRAME
    if pool.used_count == POOL_TABLE_COUNT:
        return MapError.NO_MEMORY
    new = pool.used_count
    pool.used_count = new + 1
    pool.tables[table].entries[index] = Descriptor.VALID | Descriptor.TABLE | new << 12
    return new


@export("map_page")
def map_page(pool: Pool, virtual: u64, physical: u64) -> MapError | None:
    """Map one 4 KiB page; both addresses are page aligned, below 2**39 and 2**48."""
    table: u64 = 0
    level: u64 = 1
    while level < 3:
        below = next_table(pool, table, virtual >> (39 - 9 * level) & 0x1FF)
        if isinstance(below, MapError):
            return below
        table = below
        level += 1
    entries = pool.tables[table].entries
    index = virtual >> 12 & 0x1FF
    if entries[index] & Descriptor.VALID != 0:
        return MapError.ALREADY_MAPPED
    entries[index] = physical | Descriptor.TABLE | Descriptor.VALID
    return None


@export("walk")
def walk(pool: Pool, virtual: u64) -> u64:
    """The physical address that `virtual` maps to, or FAULT."""
    table: u64 = 0
    level: u64 = 1
    while level < 3:
        entry = Descriptor(pool.tables[table].entries[virtual >> (39 - 9 * level) & 0x1FF])
        if not entry.VALID:
            return FAULT
        table = entry.FRAME
        level += 1
    page = Descriptor(pool.tables[table].entries[virtual >> 12 & 0x1FF])
    if not page.VALID:
        return FAULT
    return page.FRAME << 12 | virtual & 0xFFF


@export("map_pages")
def map_pages(pool: Pool, virtual: u64, physical: u64, count: u64) -> u64:
    """Map `count` consecutive pages; how many were mapped."""
    for i in range(count):
        if map_page(pool, virtual + i * 4096, physical + i * 4096) is not None:
            return i
    return count


@export("walk_pages")
def walk_pages(pool: Pool, virtual: u64, count: u64) -> u64:
    """Exclusive or of the translations of `count` consecutive pages."""
    result: u64 = 0
    for i in range(count):
        result ^= walk(pool, virtual + i * 4096)
    return result
