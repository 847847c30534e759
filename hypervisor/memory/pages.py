"""The page pool: 4 KiB pages for translation tables and what else the hypervisor needs at run time, with no heap.

A page that is handed out is zero. The image brings BOOT_PAGE_COUNT pages; boot code adds ranges of RAM with `add`, by
the size of what the manifest asks for. A bitmap for each range tells which pages are free; that of an added range lies
at its beginning. When there are not enough pages that is an error result, and nothing was taken.
"""

from __future__ import annotations

from compiler.language import (
    Array,
    ErrorEnum,
    PhysAddr,
    Ptr,
    Slice,
    VirtAddr,
    address_of,
    array,
    cold,
    constant,
    panic,
    slice_of,
    static,
    struct,
    trailing_zeros,
    u8,
    u64,
)
from hypervisor.core.locks import PagePoolLock
from hypervisor.memory.linear_map import to_physical, to_virtual
from runtime import bulk

PAGE_SIZE = 4096
BOOT_PAGE_COUNT = 48
RANGE_COUNT_MAX = 8
BITS_PER_WORD = 64
WORD_SIZE = 8
WORD_SPAN = BITS_PER_WORD * PAGE_SIZE
"""Bytes that one word of a bitmap stands for. Bitmaps begin at a multiple of it."""
RUN_PAGE_COUNT_MAX = 16
RUN_STARTS: Array[u64] = constant(
    [sum(1 << bit for bit in range(0, BITS_PER_WORD, 1 << order)) for order in range(RUN_PAGE_COUNT_MAX.bit_length())]
)
"""Where runs of 1, 2, 4, 8, 16 pages may begin."""


class MapError(ErrorEnum):
    """Why memory could not be had or mapped."""

    NO_PAGES = -1
    """The page pool has not enough."""
    ALREADY_MAPPED = -2
    """A part of the range is mapped, or owned, already."""
    MISALIGNED = -3
    """Not whole pages."""
    OUT_OF_RANGE = -4
    """Beyond the address space, or empty."""
    NOT_MAPPED = -5
    """A part of the range is not mapped."""
    WRONG_STATE = -6
    """A part of the range is not in the state of ownership that is expected."""
    NOT_ALLOWED = -7
    """The regime does not have this kind of access."""
    BLOCK_IN_USE = -8
    """A block of the hypervisor's own map would have to be taken away for a moment."""
    NO_IDENTIFIERS = -9
    """All ASIDs or VMIDs are in use."""
    TOO_MANY_RANGES = -10
    """The page pool has as many ranges as it can have."""


@struct(align=4096)
class Page:
    """4 KiB."""

    content: Array[u8] = array(PAGE_SIZE)


@struct
class PageRange:
    """Pages that follow each other. Bit n of the bitmap is set when the page n after `origin` is free."""

    first: PhysAddr = PhysAddr(0)
    end: PhysAddr = PhysAddr(0)
    origin: PhysAddr = PhysAddr(0)
    """A multiple of WORD_SPAN, at or below `first`."""
    bitmap: VirtAddr = VirtAddr(0)
    word_count: u64 = 0
    first_word: u64 = 0
    """The words before it are zero."""

    def words(self) -> Slice[u64]:
        """The bitmap."""
        return slice_of(Ptr[u64].at(self.bitmap), self.word_count)


@struct
class PagePool:
    """All ranges; under `lock`."""

    lock: PagePoolLock
    ranges: Array[PageRange] = array(RANGE_COUNT_MAX)
    range_count: u64 = 0
    free_count: u64 = 0


@struct
class PageList:
    """Pages taken from the pool, linked through their first words; all else in a page that comes from it is zero."""

    head: u64 = 0
    """Physical address, or 0."""

    def push(self, page: PhysAddr) -> None:
        """Add a page. Its first word becomes an even number, which a translation table walk takes for nothing."""
        _link_of(page).value = self.head
        self.head = page.raw

    def pop(self) -> PhysAddr:
        """Take a page, which is zero if it was when it was added."""
        assert self.head != 0, "the list of pages is empty"
        page = PhysAddr(self.head)
        self.head = _link_of(page).value
        _link_of(page).value = 0
        return page


BOOT_WORD_COUNT = 2
BOOT_PAGES: Array[Page] = static(array(BOOT_PAGE_COUNT), section=".page_tables", align=PAGE_SIZE)
BOOT_BITMAP: Array[u64] = static(array(BOOT_WORD_COUNT))
POOL: PagePool = static(PagePool(lock=PagePoolLock()))


def initialise() -> None:
    """Start with the image's own pages, all free."""
    POOL.range_count = 0
    POOL.free_count = 0
    start = to_physical(address_of(BOOT_PAGES[0]).address)
    _add_range(start, start + BOOT_PAGE_COUNT * PAGE_SIZE, address_of(BOOT_BITMAP[0]).address)


def add(start: PhysAddr, page_count: u64) -> MapError | None:
    """Let the pool have normal memory that the hypervisor has mapped read-write for good.

    The bitmap takes the first page of each 128 MiB, or part of it: of n pages at most n - 1 can be handed out.
    """
    if start.raw & (PAGE_SIZE - 1) != 0:
        return MapError.MISALIGNED
    end = start + page_count * PAGE_SIZE
    bitmap_size = _word_count(start, end) * WORD_SIZE
    first = start + ((bitmap_size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1))
    if first >= end:
        return MapError.OUT_OF_RANGE
    with POOL.lock:
        if POOL.range_count == RANGE_COUNT_MAX:
            return MapError.TOO_MANY_RANGES
        _add_range(first, end, to_virtual(start))
    return None


def _word_count(start: PhysAddr, end: PhysAddr) -> u64:
    return (end.align_up(WORD_SPAN) - start.align_down(WORD_SPAN)) // WORD_SPAN


@cold
def _add_range(first: PhysAddr, end: PhysAddr, bitmap: VirtAddr) -> None:
    """Enter free pages; `bitmap` has room for their words."""
    added = POOL.ranges[POOL.range_count]
    added.first = first
    added.end = end
    added.origin = first.align_down(WORD_SPAN)
    added.bitmap = bitmap
    added.word_count = _word_count(first, end)
    added.first_word = 0
    POOL.range_count += 1
    POOL.free_count += (end - first) // PAGE_SIZE
    words = added.words()
    for index in range(len(words)):
        low = added.origin + index * WORD_SPAN
        words[index] = _bits_below(end, low) & ~_bits_below(first, low)


def _bits_below(limit: PhysAddr, low: PhysAddr) -> u64:
    """Of a word whose first bit stands for the page at `low`, the bits of pages below `limit`."""
    if limit <= low:
        return 0
    return 0xFFFF_FFFF_FFFF_FFFF if limit - low >= WORD_SPAN else (1 << ((limit - low) // PAGE_SIZE)) - 1


def allocate() -> PhysAddr | MapError:
    """A zeroed page."""
    return allocate_run(0)


def allocate_run(order: u64) -> PhysAddr | MapError:
    """2**order zeroed pages, at most RUN_PAGE_COUNT_MAX, that follow each other and are aligned to their size."""
    with POOL.lock:
        page = _take(order)
    if page.raw == 0:
        return MapError.NO_PAGES
    bulk.zero(to_virtual(page), PAGE_SIZE << order)
    return page


def allocate_list(pages: PageList, count: u64) -> MapError | None:
    """Add `count` zeroed pages to a list, or none at all."""
    taken = PageList()
    with POOL.lock:
        if POOL.free_count < count:
            return MapError.NO_PAGES
        for _ in range(count):
            taken.push(_take(0))
    while taken.head != 0:
        page = taken.pop()
        bulk.zero(to_virtual(page), PAGE_SIZE)
        pages.push(page)
    return None


def release(page: PhysAddr) -> None:
    """Give back a page."""
    release_run(page, 0)


def release_run(page: PhysAddr, order: u64) -> None:
    """Give back what `allocate_run` gave, or a part of it; a page that is free or not of the pool is a panic."""
    with POOL.lock:
        _give_back(page, order)


def release_list(pages: PageList) -> None:
    """Give back all pages of a list."""
    if pages.head == 0:
        return
    with POOL.lock:
        while pages.head != 0:
            _give_back(pages.pop(), 0)


@cold
def _take(order: u64) -> PhysAddr:
    """The first free run, not zeroed; 0 when there is none."""
    page_count: u64 = 1 << order
    for position in range(POOL.range_count):
        searched = POOL.ranges[position]
        words = searched.words()
        while searched.first_word < len(words) and words[searched.first_word] == 0:
            searched.first_word += 1
        for index in range(searched.first_word, len(words)):
            starts = _run_starts(words[index], page_count) & RUN_STARTS[order]
            if starts != 0:
                bit = trailing_zeros(starts)
                words[index] &= ~(((1 << page_count) - 1) << bit)
                POOL.free_count -= page_count
                return searched.origin + (index * BITS_PER_WORD + bit) * PAGE_SIZE
    return PhysAddr(0)


def _run_starts(free: u64, page_count: u64) -> u64:
    """The bits that begin a run of so many set bits, a power of two."""
    width: u64 = 1
    while width < page_count:
        free &= free >> width
        width *= 2
    return free


@cold
def _give_back(page: PhysAddr, order: u64) -> None:
    page_count: u64 = 1 << order
    for position in range(POOL.range_count):
        searched = POOL.ranges[position]
        if searched.first <= page < searched.end:
            number = (page - searched.origin) // PAGE_SIZE
            index = number // BITS_PER_WORD
            mask: u64 = ((1 << page_count) - 1) << (number % BITS_PER_WORD)
            assert searched.words()[index] & mask == 0, "page released twice"
            searched.words()[index] |= mask
            searched.first_word = min(searched.first_word, index)
            POOL.free_count += page_count
            return
    panic("released page is not of the pool")


def _link_of(page: PhysAddr) -> Ptr[u64]:
    return Ptr[u64].at(to_virtual(page))
