"""Random changes of live tables under a TLB that remembers everything: nothing conflicts, nothing is left over."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator

import pytest

from compiler.host import Interpreter, Session
from compiler.host.native import Native
from compiler.program.program import Program
from hypervisor.memory.descriptors import Regime
from tests.host.memory import sequence_driver as driver
from tests.host.memory.model import PAGE_SHIFT, REGION_PAGES, Operation, Window
from tests.host.memory.test_sequences import PROGRAM, Runner
from tests.host.memory.tlb_model import E2H, TGE, Tlb

SEQUENCE_COUNT = int(os.environ.get("TANTALUM_SEQUENCES", "100000")) // 100
OPERATION_COUNT = 6
CASES = [
    (Regime.EL0_HOST, 39, E2H | TGE),
    (Regime.EL0_HOST, 48, E2H),
    (Regime.STAGE_2, 40, E2H),
    (Regime.STAGE_2, 48, E2H | TGE),
    (Regime.STAGE_2, 40, TGE),
]
"""Regime, input bits, and HCR_EL2 when the hypervisor is called."""
WINDOW = Window((1 << 30 >> PAGE_SHIFT) - 2 * REGION_PAGES, 4 * REGION_PAGES)


def watched(chance: random.Random, operation: Operation) -> list[int]:
    """Addresses at the edges of a range, in it, and around it."""
    start, count = operation.page, operation.page_count
    numbers = {start - 1, start, start + count - 1, start + count, start & -REGION_PAGES, start | REGION_PAGES - 1}
    numbers |= {chance.randrange(start, start + count) for _ in range(3)}
    numbers |= {WINDOW.first_page + chance.randrange(WINDOW.page_count)}
    return [number << PAGE_SHIFT for number in sorted(numbers)]


def run_sequence(runner: Runner, chance: random.Random) -> None:
    session = runner.session
    regime, input_bits, configuration = chance.choice(CASES)
    session.registers["HCR_EL2"] = configuration
    session.registers["VTTBR_EL2"] = 0x1234_0000
    session.call(driver.begin, regime, input_bits, 30)
    tlb = Tlb(session, runner.space)
    tlb.attach()
    for operation in WINDOW.operations(chance, runner.accesses(regime), OPERATION_COUNT):
        tlb.begin(watched(chance, operation))
        runner.apply([operation])
        tlb.finish()
        assert session.registers["HCR_EL2"] == configuration
        assert session.registers["VTTBR_EL2"] == 0x1234_0000
    tlb.detach()
    session.call(driver.end)


@pytest.fixture(params=[Native, Interpreter], ids=["native", "cpython"])
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    engine: Callable[[Program], Session] = request.param
    with engine(PROGRAM) as session:
        yield Runner(session)


def test_a_tlb_never_conflicts_with_the_tables(runner: Runner) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(SEQUENCE_COUNT if isinstance(runner.session, Native) else 20):
        run_sequence(runner, chance)
