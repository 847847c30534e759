"""Numbers of address spaces, with many CPUs whose TLBs remember everything: none ever sees another's translations."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from compiler.check import check_program
from compiler.host import Interpreter, Session, TrapError
from compiler.host.native import Native
from compiler.host.registers import SystemEvent
from compiler.program.program import Program
from hypervisor.memory import address_space_ids
from hypervisor.memory.address_space_ids import HOLDER_COUNT_MAX
from hypervisor.memory.pages import MapError
from tests.host.memory.tlb_model import Hook

PROGRAM = check_program([address_space_ids.allocate, address_space_ids.release], name="ids")
CPU_COUNT = 8
SIXTEEN_BITS = 2 << 4
"""ASIDBits and VMIDBits."""


@pytest.fixture(params=[Interpreter, Native], ids=["cpython", "native"])
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    engine: Callable[[Program], Session] = request.param
    with engine(PROGRAM) as made:
        yield made


@dataclass
class Cpu:
    """What a CPU's TLB may hold: which address space each number stood for."""

    tlb: dict[int, int] = field(default_factory=dict[int, int])

    def run(self, number: int, space: int) -> None:
        """Run an address space and remember translations of it."""
        assert self.tlb.get(number, space) == space, f"{number:#x} still has translations of another address space"
        self.tlb[number] = space


def test_no_cpu_sees_another_address_space(session: Session) -> None:
    cpus = [Cpu() for _ in range(CPU_COUNT)]

    def told(event: SystemEvent) -> None:
        if event.name == "alle1is":
            for cpu in cpus:
                cpu.tlb.clear()

    session.registers.events = Hook(told)
    chance = random.Random(11)
    live: dict[int, int] = {}
    for space in range(5000):
        if len(live) == HOLDER_COUNT_MAX or (live and chance.random() < 0.48):
            number = chance.choice(sorted(live))
            session.call(address_space_ids.release, number)
            del live[number]
        number = session.call(address_space_ids.allocate)
        assert 0 < number < 256
        assert number not in live
        live[number] = space
        for cpu in cpus:
            running = chance.choice(sorted(live))
            cpu.run(running, live[running])
    assert session.static("hypervisor.memory.address_space_ids.IDENTIFIERS").generation > 10


def test_there_are_as_many_as_places(session: Session) -> None:
    numbers = [session.call(address_space_ids.allocate) for _ in range(HOLDER_COUNT_MAX)]
    assert len(set(numbers)) == HOLDER_COUNT_MAX
    assert session.call(address_space_ids.allocate) is MapError.NO_IDENTIFIERS
    session.call(address_space_ids.release, numbers[3])
    assert session.call(address_space_ids.allocate) not in numbers


def test_wide_numbers_go_on_where_narrow_ones_begin_anew(session: Session) -> None:
    for name in ("ID_AA64MMFR0_EL1", "ID_AA64MMFR1_EL1"):
        session.registers.on_read(name, lambda: SIXTEEN_BITS)
    session.static("hypervisor.memory.address_space_ids.IDENTIFIERS").last = 0xF0
    for expected in (*range(0xF1, 0x110), 0xFFFE, 0xFFFF):
        if expected == 0xFFFE:
            session.static("hypervisor.memory.address_space_ids.IDENTIFIERS").last = 0xFFFD
        number = session.call(address_space_ids.allocate)
        assert number == expected
        session.call(address_space_ids.release, number)
    assert not any(event.kind == "tlbi" for event in session.registers.events)
    assert session.call(address_space_ids.allocate) == 1
    assert [event.name for event in session.registers.events if event.kind == "tlbi"] == ["alle1is", "alle1is"]


@pytest.mark.parametrize("wrong", [1, 0, 200])
def test_releasing_what_is_not_held_is_caught(session: Session, wrong: int) -> None:
    number = session.call(address_space_ids.allocate)
    assert number == 1
    session.call(address_space_ids.release, number)
    with pytest.raises(TrapError, match="released twice"):
        session.call(address_space_ids.release, wrong)
