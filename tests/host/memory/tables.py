"""What tests of translation tables share: the program, its engines, calls by short names, and a walk of our own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compiler.check import check_program
from compiler.host import Interpreter, Session
from compiler.host.native import Native
from compiler.language import PhysAddr
from compiler.lower import TargetOptions
from compiler.program.program import Program
from hypervisor.arch.aarch64.walk import walk
from hypervisor.memory import page_table, pages
from hypervisor.memory.address_space import AddressSpace
from hypervisor.memory.descriptors import Access, Ownership, Regime, ownership_of
from hypervisor.memory.pages import MapError
from tests.emulated.session import Emulated

PAGE = 0x1000
BLOCK_2M = 2 << 20
BLOCK_1G = 1 << 30
ADDRESS_MASK = 0x0000_FFFF_FFFF_F000
VALID = 1
ENTRIES: list[Callable[..., object]] = [
    pages.initialise,
    pages.add,
    pages.allocate,
    pages.allocate_run,
    pages.release,
    page_table.create,
    page_table.create_sized,
    page_table.destroy,
    page_table.map_range,
    page_table.unmap_range,
    page_table.protect_range,
    page_table.change_ownership,
    page_table.query,
    page_table.common_leaf,
    ownership_of,
    walk,
]
PROGRAM = check_program(ENTRIES, name="page_tables")
ZEROING_PROHIBITED = 1 << 4
"""DCZID_EL0.DZP: Unicorn leaves DC ZVA to a hook that does nothing."""


def emulated(program: Program) -> Session:
    """Compiled for AArch64, with the assembly blocks in place of their twins."""
    session = Emulated(program, TargetOptions())
    session.registers["DCZID_EL0"] = ZEROING_PROHIBITED
    return session


ENGINES: list[Callable[[Program], Session]] = [Interpreter, Native, emulated]
ENGINE_NAMES = ["cpython", "native", "aarch64"]


class Tables:
    """A session with an initialised page pool, and one address space after another."""

    def __init__(self, session: Session, regime: Regime = Regime.EL0_HOST, input_bits: int | None = None) -> None:
        self.session = session
        session.call(pages.initialise)
        self.pool = session.static("hypervisor.memory.pages.POOL")
        self.space: Any = session.new(AddressSpace)
        self.create(regime, input_bits)

    def create(self, regime: Regime, input_bits: int | None = None, executable_bits: int = 0) -> None:
        """Begin with an empty address space."""
        if input_bits is None:
            result = self.session.call(page_table.create, self.space, regime, executable_bits)
        else:
            result = self.session.call(page_table.create_sized, self.space, regime, executable_bits, input_bits)
        assert result is None

    def map(
        self,
        start: int,
        target: int,
        size: int,
        access: Access = Access.READ_WRITE,
        ownership: Ownership = Ownership.OWNED,
        extra: int = 0,
    ) -> MapError | None:
        """Call `map_range`."""
        result: MapError | None = self.session.call(
            page_table.map_range, self.space, start, PhysAddr(target), size, access, ownership, extra
        )
        return result

    def unmap(self, start: int, size: int) -> MapError | None:
        """Call `unmap_range`."""
        result: MapError | None = self.session.call(page_table.unmap_range, self.space, start, size)
        return result

    def protect(self, start: int, size: int, access: Access) -> MapError | None:
        """Call `protect_range`."""
        result: MapError | None = self.session.call(page_table.protect_range, self.space, start, size, access)
        return result

    def own(self, start: int, size: int, expected: Ownership, wanted: Ownership) -> MapError | None:
        """Call `change_ownership`."""
        result: MapError | None = self.session.call(
            page_table.change_ownership, self.space, start, size, expected, wanted
        )
        return result

    def query(self, address: int) -> Any:
        """Call `query`."""
        return self.session.call(page_table.query, self.space, address)

    def walk(self, address: int) -> int:
        """Call the block, or its twin."""
        leaf: int = self.session.call(walk, self.space.root.raw, address, 0, self.space.first_level)
        return leaf

    @property
    def free_count(self) -> int:
        """Free pages of the pool."""
        count: int = self.pool.free_count
        return count

    def entry(self, address: int) -> tuple[int, int]:
        """The leaf or empty entry for an address, and its level; by DDI 0487, D8.3, independent of the hypervisor."""
        level = self.space.first_level
        place = self.space.root.raw + (address >> (39 - 9 * level)) * 8
        while True:
            entry = int.from_bytes(self.session.read(place, 8), "little")
            if level == 3 or entry & 3 != 3:
                return entry, level
            level += 1
            place = (entry & ADDRESS_MASK) + (address >> (39 - 9 * level) & 511) * 8

    def translate(self, address: int) -> tuple[int, int] | None:
        """Output address and leaf; None where an access faults."""
        entry, level = self.entry(address)
        if not entry & VALID:
            return None
        assert level < 3 or entry & 2, "a page descriptor has bit 1 set"
        assert level > 0, "there are no blocks of level 0"
        size = 1 << (39 - 9 * level)
        assert entry & ADDRESS_MASK & (size - 1) == 0, "the output address of a block is aligned"
        return (entry & ADDRESS_MASK) + (address & (size - 1)), entry
