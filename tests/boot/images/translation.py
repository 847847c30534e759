"""Random changes of translation tables while the CPU uses them: what it sees is what the tables say.

Stage 2 is asked by AT S12E1R and S12E1W, and compared with the walk in software and with what was asked for. With
VHE loads go through TTBR0_EL2 too, so that a translation that the TLB should have forgotten reads the wrong page.
"""

from __future__ import annotations

from compiler.language import (
    Array,
    Const,
    Ptr,
    SystemRegister,
    VirtAddr,
    address_of,
    array,
    at,
    bit,
    bits,
    export,
    isb,
    static,
    struct,
    u64,
    wrapping_add,
    wrapping_mul,
)
from hypervisor.arch.aarch64 import features
from hypervisor.arch.aarch64.mmu import VTCR
from hypervisor.arch.aarch64.registers import HCR_EL2, TTBR0_EL2, VTCR_EL2, VTTBR_EL2
from hypervisor.arch.aarch64.walk import walk
from hypervisor.memory import page_table
from hypervisor.memory.address_space import ADDRESS_MASK, AddressSpace
from hypervisor.memory.descriptors import Access, Ownership, Regime
from hypervisor.memory.linear_map import LINEAR_MAP, to_physical
from hypervisor.memory.pages import PAGE_SIZE, MapError
from runtime.console import log
from tests.boot.images import harness

ENTRY_POINTS = (harness.image_main,)

ROUND_COUNT = 1000
BLOCK_SIZE = 1 << 21
WINDOW = (1 << 32) - 2 * BLOCK_SIZE
"""Around the border of two tables."""
WINDOW_PAGE_COUNT = 4 * 512
PAGE_COUNT = 4
MARK = 0x5EC2E70000000000


class PAR_EL1(SystemRegister):
    """What AT found."""

    F = bit(0)
    ADDRESS = bits(47, 12)


@struct(align=4096)
class MarkedPage:
    """A page that says which one it is."""

    words: Array[u64] = array(512)


PAGES: Array[MarkedPage] = static(array(PAGE_COUNT), section=".page_tables", align=PAGE_SIZE)
SPACE: AddressSpace = static(AddressSpace())
TARGETS: Array[u64] = static(array(WINDOW_PAGE_COUNT))
"""What each page of the window maps to, with bit 0 for writable; 0: nothing."""


@struct
class Chance:
    """A linear congruential generator (Knuth, MMIX)."""

    state: u64 = 1

    def below(self, limit: u64) -> u64:
        """The next number."""
        self.state = wrapping_add(wrapping_mul(self.state, 6364136223846793005), 1442695040888963407)
        return (self.state >> 33) % limit


CHANCE: Chance = static(Chance())


@export("fault")
def fault(_zero: u64) -> None:
    """Stage 2, and with VHE the stage 1 of EL0."""
    for index in range(PAGE_COUNT):
        PAGES[index].words[0] = MARK + index
    VTCR_EL2.write(VTCR)
    agree(Regime.STAGE_2)
    if features.in_host_mode():
        agree(Regime.EL0_HOST)


def agree(regime: Const[Regime]) -> None:
    """Change tables at random and compare."""
    for page in range(WINDOW_PAGE_COUNT):
        TARGETS[page] = 0
    error = page_table.create(SPACE, regime, 0)
    assert not isinstance(error, MapError), "no address space"
    before = HCR_EL2.read().raw
    if regime == Regime.STAGE_2:
        VTTBR_EL2.write(SPACE.translation())
        HCR_EL2.write(before | HCR_EL2.VM)
    else:
        TTBR0_EL2.write(SPACE.translation())
    isb()
    compared: u64 = 0
    for _ in range(ROUND_COUNT):
        page = CHANCE.below(WINDOW_PAGE_COUNT)
        compared += compare(page, regime)
        change(page)
        compared += compare(page, regime)
        for _sample in range(4):
            compared += compare(CHANCE.below(WINDOW_PAGE_COUNT), regime)
    HCR_EL2.write(before)
    if regime == Regime.EL0_HOST:
        TTBR0_EL2.write(0)
    isb()
    page_table.destroy(SPACE)
    log(f"regime {regime.value}: {compared} pages as the tables say")


def change(first: u64) -> None:
    """Map, unmap, protect or lend something at a page or around it; remember what is there."""
    page = first
    count = 1 + CHANCE.below(3)
    if CHANCE.below(4) == 0:
        page -= page % 512
        count = 512
    count = min(count, WINDOW_PAGE_COUNT - page)
    start = WINDOW + page * PAGE_SIZE
    size = count * PAGE_SIZE
    kind = CHANCE.below(5)
    if kind < 2:
        _map(page, start, count)
    elif kind == 2:
        if not isinstance(page_table.protect_range(SPACE, start, size, Access.READ_ONLY), MapError):
            for index in range(page, page + count):
                TARGETS[index] &= ~u64(1)
    elif kind == 3:
        if not isinstance(page_table.change_ownership(SPACE, start, size, Ownership.OWNED, Ownership.LENT), MapError):
            _forget(page, count)
    elif not isinstance(page_table.unmap_range(SPACE, start, size), MapError):
        _forget(page, count)


def _map(page: u64, start: u64, count: u64) -> None:
    """Blocks map RAM from the image's start on, single pages one of the marked pages."""
    target = to_physical(address_of(PAGES[CHANCE.below(PAGE_COUNT)]).address)
    if count == 512:
        target = target.align_down(BLOCK_SIZE)
    else:
        count = 1
    error = page_table.map_range(SPACE, start, target, count * PAGE_SIZE, Access.READ_WRITE)
    if not isinstance(error, MapError):
        for index in range(count):
            TARGETS[page + index] = (target.raw + index * PAGE_SIZE) | 1


def _forget(page: u64, count: u64) -> None:
    for index in range(page, page + count):
        TARGETS[index] = 0


def compare(page: u64, regime: Const[Regime]) -> u64:
    """Ask the CPU about a page; 1 when something is mapped there."""
    address = WINDOW + page * PAGE_SIZE
    expected = TARGETS[page]
    leaf = walk(SPACE.root.raw, address, LINEAR_MAP.offset, SPACE.first_level)
    assert (leaf != 0) == (expected != 0), "the walk in software differs"
    found = ask(address, regime, is_write=False)
    assert found == expected & ADDRESS_MASK, "the CPU's walk differs"
    assert (ask(address, regime, is_write=True) != 0) == (expected & 1 != 0), "the CPU's permissions differ"
    if regime == Regime.EL0_HOST and expected != 0:
        seen = Ptr[u64].at(VirtAddr(address)).value
        first = to_physical(address_of(PAGES[0]).address).raw
        target = expected & ADDRESS_MASK
        is_marked = first <= target < first + PAGE_COUNT * PAGE_SIZE
        assert (MARK <= seen < MARK + PAGE_COUNT) == is_marked, "the TLB has another page"
        assert not is_marked or seen == MARK + (target - first) // PAGE_SIZE, "the TLB has another marked page"
    return 1 if expected != 0 else 0


def ask(address: u64, regime: Const[Regime], is_write: Const[bool]) -> u64:
    """The physical address that the CPU finds, or 0."""
    if regime == Regime.STAGE_2:
        if is_write:
            at("s12e1w", address)
        else:
            at("s12e1r", address)
    elif is_write:
        at("s1e2w", address)
    else:
        at("s1e2r", address)
    isb()
    result = PAR_EL1.read()
    return 0 if result.F else result.raw & ADDRESS_MASK
