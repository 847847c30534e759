"""A TLB that remembers as much as the architecture lets it, and finds what relies on its forgetting.

It caches leaves and pointers to tables of the addresses that are watched, whenever the program does anything that the
record of system events shows, and drops them only when a DSB ISH completes a TLBI that covers them. Two entries for one
address that differ in size, place or type of memory are a break without make; an entry that is left over at the end
of an operation is stale. Stage 2 is cached twice: by intermediate address, and combined with stage 1, which an
invalidation by intermediate address does not reach and which is filled from the first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from compiler.host import Session
from compiler.host.registers import SystemEvent, new_record
from hypervisor.memory.descriptors import Regime

ADDRESS_MASK = 0x0000_FFFF_FFFF_F000
VALID = 1
TGE = 1 << 27
E2H = 1 << 34
SOFTWARE = 0xF << 55
PERMISSIONS = {
    Regime.EL2: 1 << 7 | 1 << 50 | 3 << 53,
    Regime.EL2_HOST: 1 << 7 | 1 << 50 | 3 << 53,
    Regime.EL0_HOST: 1 << 7 | 1 << 50 | 3 << 53,
    Regime.STAGE_2: 3 << 6 | 1 << 54,
}

Key = tuple[int, int]
"""Level, and number of the region that an entry of the level covers."""
Cache = dict[Key, set[int]]


class Hook(deque[SystemEvent]):
    """A record of events that tells of each one."""

    def __init__(self, told: Callable[[SystemEvent], None]) -> None:
        super().__init__(maxlen=4096)
        self._told = told

    def append(self, event: SystemEvent, /) -> None:
        super().append(event)
        self._told(event)


def region(address: int, level: int) -> Key:
    """Which entry of a level covers an address."""
    return level, address >> 39 - 9 * level


@dataclass
class Tlb:
    """One regime's TLB of an address space; `watched` addresses are looked up at every event."""

    session: Session
    space: Any
    watched: Sequence[int] = ()
    bitmap: int = 0
    pool_origin: int = 0
    leaves: Cache = field(default_factory=Cache)
    tables: Cache = field(default_factory=Cache)
    combined: Cache = field(default_factory=Cache)
    pending: list[SystemEvent] = field(default_factory=list[SystemEvent])

    def attach(self) -> None:
        """Follow the session's events from here on."""
        boot_range = self.session.static("hypervisor.memory.pages.POOL").ranges[0]
        self.bitmap = boot_range.bitmap.raw
        self.pool_origin = boot_range.origin.raw
        self.session.registers.events = Hook(self._event)

    def detach(self) -> None:
        """Follow them no longer."""
        self.session.registers.events = new_record()

    def begin(self, watched: Sequence[int]) -> None:
        """Watch these addresses during the next operation."""
        self.watched = watched
        self.leaves.clear()
        self.tables.clear()
        self.combined.clear()
        self._fill()

    def finish(self) -> None:
        """The operation is over: nothing that is remembered may differ from the tables."""
        assert not self.pending, "a TLBI was not completed by a DSB ISH"
        remembered = [
            (key, value)
            for cache in (self.leaves, self.tables, self.combined)
            for key, values in cache.items()
            for value in values
        ]
        self.leaves, self.tables, self.combined = {}, {}, {}
        self._fill()
        for (level, number), value in remembered:
            now = [cache.get((level, number), set[int]()) for cache in (self.leaves, self.tables)]
            assert any(value in values for values in now), f"entry {number:#x} of level {level} is stale: {value:#x}"

    def _event(self, event: SystemEvent) -> None:
        self._fill()
        self._check_tables()
        if event.kind == "tlbi":
            self.pending.append(event)
            self._check_context(event)
        elif (event.kind, event.name) == ("dsb", "ish"):
            self._complete()
            self._fill()

    def _check_context(self, event: SystemEvent) -> None:
        configuration = self.session.registers["HCR_EL2"]
        stage_2 = event.name in ("ipas2e1is", "vmalle1is", "vmalls12e1is")
        if stage_2:
            assert self.session.registers["VTTBR_EL2"] == self.space.root.raw | self.space.identifier << 48
        if configuration & E2H and event.name != "alle2is":
            assert bool(configuration & TGE) == (not stage_2), f"TLBI {event.name.upper()} with the other TGE"

    def _check_tables(self) -> None:
        """No table that walks may still use is back in the pool, where another CPU could take it."""
        free = int.from_bytes(self.session.read(self.bitmap, 16), "little")
        for values in self.tables.values():
            for value in values:
                assert not free >> ((value & ADDRESS_MASK) - self.pool_origin >> 12) & 1, f"{value:#x} is free"

    def _complete(self) -> None:
        """TLBIs take effect in the order that is worst: combined entries go first and come back from stale ones."""
        done, self.pending = self.pending, []
        if any(event.name == "vmalle1is" for event in done):
            self.combined.clear()
            self._combine()
        for event in done:
            if event.name in ("alle2is", "vmalls12e1is"):
                self._forget_all()
            elif event.name == "aside1is":
                assert event.value == self.space.identifier << 48
                self._forget_all()
            elif event.name != "vmalle1is":
                self._forget(event)

    def _forget_all(self) -> None:
        self.leaves.clear()
        self.tables.clear()
        self.combined.clear()

    def _forget(self, event: SystemEvent) -> None:
        assert event.value is not None
        if event.name == "vae1is":
            assert event.value >> 48 == self.space.identifier, "another address space's ASID"
        address = (event.value & (1 << 44) - 1) << 12
        for level in range(4):
            self.leaves.pop(region(address, level), None)
            self.tables.pop(region(address, level), None)

    def _fill(self) -> None:
        for address in self.watched:
            self._look_up(address)
        self._combine()

    def _combine(self) -> None:
        if self.space.regime is Regime.STAGE_2:
            for key, values in self.leaves.items():
                self.combined.setdefault(key, set()).update(values)

    def _look_up(self, address: int) -> None:
        level = self.space.first_level
        place = self.space.root.raw + (address >> 39 - 9 * level) * 8
        while True:
            entry = int.from_bytes(self.session.read(place, 8), "little")
            if level == 3 or entry & 3 != 3:
                break
            self.tables.setdefault(region(address, level), set()).add(entry)
            level += 1
            place = (entry & ADDRESS_MASK) + (address >> 39 - 9 * level & 511) * 8
        if entry & VALID:
            self._check_conflicts(address, level, entry)
            self.leaves.setdefault(region(address, level), set()).add(entry)

    def _check_conflicts(self, address: int, level: int, entry: int) -> None:
        """Break-before-make: what may change in a live entry are permissions, and what software keeps in it."""
        ignored = PERMISSIONS[self.space.regime] | SOFTWARE
        for other in range(4):
            for cached in self.leaves.get(region(address, other), ()):
                assert other == level, f"{address:#x} is in the TLB with levels {other} and {level}"
                assert (cached ^ entry) & ~ignored == 0, f"{address:#x} is in the TLB twice: {cached:#x}, {entry:#x}"
