"""The page pool: 4 KiB pages for translation tables and partitions' memory, with no heap.

A page that is handed out is zero. A bitmap tells which pages are free; when none is, that is an error result.
"""

from __future__ import annotations

from compiler.language import (
    Array,
    ErrorEnum,
    PhysAddr,
    address_of,
    array,
    static,
    static_assert,
    struct,
    trailing_zeros,
    u8,
    u64,
)
from hypervisor.core.locks import PagePoolLock
from hypervisor.memory.linear_map import to_physical, to_virtual

PAGE_SIZE = 4096
PAGE_COUNT = 128
BITS_PER_WORD = 64


class MapError(ErrorEnum):
    """Why memory could not be had or mapped."""

    NO_PAGES = -1
    ALREADY_MAPPED = -2
    MISALIGNED = -3
    OUT_OF_RANGE = -4


@struct(align=4096)
class Page:
    """4 KiB."""

    content: Array[u8] = array(PAGE_SIZE)


@struct
class PagePool:
    """Bit n of `free` is set when page n of POOL_PAGES is free; under `lock`."""

    lock: PagePoolLock
    free: Array[u64] = array(PAGE_COUNT // BITS_PER_WORD)
    free_count: u64 = 0


static_assert(PAGE_COUNT % BITS_PER_WORD == 0, "the bitmap has no bits left over")

POOL_PAGES: Array[Page] = static(array(PAGE_COUNT), section=".page_tables", align=PAGE_SIZE)
POOL: PagePool = static(PagePool(lock=PagePoolLock()))


def initialise() -> None:
    """Make every page free."""
    for word in range(len(POOL.free)):
        POOL.free[word] = 0xFFFF_FFFF_FFFF_FFFF
    POOL.free_count = PAGE_COUNT


def allocate() -> PhysAddr | MapError:
    """A zeroed page, the free one with the lowest address."""
    with POOL.lock:
        for word in range(len(POOL.free)):
            if POOL.free[word] != 0:
                position = trailing_zeros(POOL.free[word])
                POOL.free[word] &= ~(1 << position)
                POOL.free_count -= 1
                return _zeroed_page(word * BITS_PER_WORD + position)
    return MapError.NO_PAGES


def release(page: PhysAddr) -> None:
    """Give back a page that `allocate` gave."""
    index = (to_virtual(page) - address_of(POOL_PAGES[0]).address) // PAGE_SIZE
    mask: u64 = 1 << (index % BITS_PER_WORD)
    with POOL.lock:
        assert POOL.free[index // BITS_PER_WORD] & mask == 0, "page released twice"
        POOL.free[index // BITS_PER_WORD] |= mask
        POOL.free_count += 1


def _zeroed_page(index: u64) -> PhysAddr:
    page = POOL_PAGES[index]
    for position in range(len(page.content)):
        page.content[position] = 0
    return to_physical(address_of(page).address)
