"""Translation tables against a dictionary of pages: random maps, all regimes, errors; on the host and for AArch64."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from compiler.check import check_program
from compiler.host import Interpreter, Session
from compiler.host.native import Native
from compiler.language import PhysAddr
from compiler.lower import TargetOptions
from compiler.program.program import Program
from hypervisor.arch.aarch64.walk import walk
from hypervisor.memory import page_table, pages
from hypervisor.memory.descriptors import Access, Regime
from hypervisor.memory.page_table import AddressSpace
from hypervisor.memory.pages import PAGE_COUNT, MapError
from tests.emulated.session import Emulated

PAGE = 0x1000
LARGE_BLOCK = 1 << 30
SMALL_BLOCK = 2 << 20
ADDRESS_MASK = 0x0000_FFFF_FFFF_F000
ENTRIES: list[Callable[..., object]] = [
    pages.initialise,
    pages.allocate,
    pages.release,
    page_table.create,
    page_table.map_range,
    walk,
]
PROGRAM = check_program(ENTRIES, name="page_tables")


def emulated(program: Program) -> Session:
    """Compiled for AArch64, with the assembly block of the walk in place of its twin."""
    return Emulated(program, TargetOptions())


@pytest.fixture(params=[Interpreter, Native, emulated], ids=["cpython", "native", "aarch64"])
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    engine: Callable[..., Session] = request.param
    with engine(PROGRAM) as made:
        made.call(pages.initialise)
        yield made


def new_space(session: Session, regime: Regime = Regime.EL0_HOST) -> Any:
    space = session.new(AddressSpace)
    assert session.call(page_table.create, space, regime, 0) is None
    return space


def translate(session: Session, root: int, address: int) -> tuple[int, int] | None:
    """Output address and leaf descriptor by the rules of DDI 0487, D8.3, written independently of the hypervisor."""
    table = root
    for shift in (30, 21, 12):
        index = address >> shift & 511
        entry = int.from_bytes(session.read(table + 8 * index, 8), "little")
        if entry & 1 == 0:
            return None
        if shift == 12 or entry & 2 == 0:
            assert shift > 12 or entry & 2, "a page descriptor has bit 1 set"
            offset = address & ((1 << shift) - 1)
            return (entry & ADDRESS_MASK & -(1 << shift)) + offset, entry
        table = entry & ADDRESS_MASK
    raise AssertionError


@dataclass
class Model:
    """Which page maps where, and with what access."""

    pages: dict[int, tuple[int, Access]] = field(default_factory=dict[int, tuple[int, Access]])

    def is_free(self, start: int, size: int) -> bool:
        return all(start + offset not in self.pages for offset in range(0, size, PAGE))

    def add(self, start: int, target: int, size: int, access: Access) -> None:
        for offset in range(0, size, PAGE):
            self.pages[start + offset] = (target + offset, access)


def check(session: Session, space: Any, model: Model, samples: list[int]) -> None:
    for page in samples:
        found = translate(session, space.root.raw, page + 0x123)
        expected = model.pages.get(page)
        assert (found is None) == (expected is None), hex(page)
        leaf = session.call(walk, space.root.raw, page + 0x123, 0)
        if found is None or expected is None:
            assert leaf == 0
        else:
            assert found[0] == expected[0] + 0x123
            assert leaf == found[1]
            writable = found[1] & 1 << 7 == 0
            executable = found[1] & 1 << 54 == 0
            assert writable == (expected[1] in (Access.READ_WRITE, Access.DEVICE))
            assert executable == (expected[1] is Access.READ_EXECUTE)


def test_random_maps_agree_with_a_dictionary(session: Session) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    space, model = new_space(session), Model()
    for _ in range(150):
        start = chance.randrange(0x4000_0000, 0x4200_0000, PAGE)
        size = chance.randrange(1, 40) * PAGE
        target = chance.randrange(0x8000_0000, 0x9000_0000, PAGE)
        access = chance.choice(list(Access))
        result = session.call(page_table.map_range, space, start, PhysAddr(target), size, access)
        if model.is_free(start, size):
            assert result is None
            model.add(start, target, size, access)
        else:
            assert result is MapError.ALREADY_MAPPED
            for offset in range(0, size, PAGE):  # what comes before the page that was in the way is mapped
                if start + offset in model.pages:
                    break
                model.add(start + offset, target + offset, PAGE, access)
        samples = [start - PAGE, start, start + size - PAGE, start + size, *chance.sample(sorted(model.pages), 1)]
        check(session, space, model, samples)
    check(session, space, model, sorted(model.pages))


def test_aligned_ranges_use_the_largest_blocks(session: Session) -> None:
    space = new_space(session)
    before = session.static("hypervisor.memory.pages.POOL").free_count
    size = LARGE_BLOCK + SMALL_BLOCK + PAGE
    assert session.call(page_table.map_range, space, 0, PhysAddr(LARGE_BLOCK), size, Access.READ_WRITE) is None
    assert before - session.static("hypervisor.memory.pages.POOL").free_count == 2  # one level 2, one level 3 table
    for address in (0, LARGE_BLOCK - 1, LARGE_BLOCK, LARGE_BLOCK + SMALL_BLOCK, size - 1):
        found = translate(session, space.root.raw, address)
        assert found is not None
        assert found[0] == address + LARGE_BLOCK
    assert translate(session, space.root.raw, size) is None


@pytest.mark.parametrize(
    ("start", "target", "size", "error"),
    [
        (0x1001, 0x1000, 0x1000, MapError.MISALIGNED),
        (0x1000, 0x1008, 0x1000, MapError.MISALIGNED),
        (0x1000, 0x1000, 0x0FFF, MapError.MISALIGNED),
        (1 << 39, 0x1000, 0x1000, MapError.OUT_OF_RANGE),
        ((1 << 39) - PAGE, 0x1000, 2 * PAGE, MapError.OUT_OF_RANGE),
        (1 << 63, 0x1000, 1 << 63, MapError.OUT_OF_RANGE),
    ],
)
def test_bad_ranges_are_errors(session: Session, start: int, target: int, size: int, error: MapError) -> None:
    space = new_space(session)
    assert session.call(page_table.map_range, space, start, PhysAddr(target), size, Access.READ_ONLY) is error


def test_a_page_inside_a_block_is_not_replaced(session: Session) -> None:
    space = new_space(session)
    assert session.call(page_table.map_range, space, 0, PhysAddr(0), SMALL_BLOCK, Access.READ_ONLY) is None
    result = session.call(page_table.map_range, space, PAGE, PhysAddr(0), PAGE, Access.READ_WRITE)
    assert result is MapError.ALREADY_MAPPED


def test_an_exhausted_pool_is_an_error(session: Session) -> None:
    space = new_space(session)
    for index in range(PAGE_COUNT):
        result = session.call(page_table.map_range, space, index * LARGE_BLOCK, PhysAddr(0), PAGE, Access.READ_WRITE)
        if result is not None:
            assert result is MapError.NO_PAGES
            assert session.static("hypervisor.memory.pages.POOL").free_count == 0
            return
    raise AssertionError("the pool never ran out")


@pytest.mark.parametrize("access", Access)
@pytest.mark.parametrize("regime", Regime)
def test_leaf_attributes_are_those_of_the_architecture(session: Session, regime: Regime, access: Access) -> None:
    space = new_space(session, regime)
    assert session.call(page_table.map_range, space, 0, PhysAddr(0x5000), PAGE, access) is None
    found = translate(session, space.root.raw, 0)
    assert found is not None
    entry = found[1]
    assert entry & 1 << 10, "access flag"
    if regime is Regime.STAGE_2:
        assert entry >> 6 & 3 == (3 if access in (Access.READ_WRITE, Access.DEVICE) else 1), "S2AP"
        assert entry >> 2 & 15 == (0 if access is Access.DEVICE else 15), "MemAttr"
        assert bool(entry & 1 << 54) == (access is not Access.READ_EXECUTE), "XN"
        return
    assert entry >> 2 & 7 == (1 if access is Access.DEVICE else 0), "AttrIndx"
    assert bool(entry & 1 << 7) == (access in (Access.READ_ONLY, Access.READ_EXECUTE)), "AP[2]"
    assert bool(entry & 1 << 6) == (regime is not Regime.EL2_HOST), "AP[1]: EL0, or reserved as one"
    assert bool(entry & 1 << 11) == (regime is Regime.EL0_HOST), "nG"
    code = access is Access.READ_EXECUTE
    assert bool(entry & 1 << 54) == (not code or regime is Regime.EL2_HOST), "UXN, or XN"
    assert bool(entry & 1 << 53) == (regime is Regime.EL0_HOST or (regime is Regime.EL2_HOST and not code)), "PXN"
