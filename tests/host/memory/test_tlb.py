"""Which TLB instructions each change of tables needs: none for what was invalid, few for little, all twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from compiler.check import check_program
from compiler.host import Interpreter
from hypervisor.memory import tlb
from hypervisor.memory.descriptors import Access, Ownership, Regime
from hypervisor.platform import PLATFORM
from tests.host.memory.tables import BLOCK_2M, ENTRIES, PAGE, Tables

E2H, TGE = 1 << 34, 1 << 27
UPPER_HALF = 0xFFFF_FF80_0000_0000
PROGRAM = check_program([*ENTRIES, tlb.invalidate_all], name="tlb")
OUTSIDE = 0x0077_0000_4000_0000
"""VTTBR_EL2 of whoever ran before."""


@pytest.fixture
def session() -> Iterator[Interpreter]:
    with Interpreter(PROGRAM) as made:
        yield made


def events(tables: Tables, operation: Callable[[], object]) -> list[str]:
    """The TLBIs and DSBs of an operation; what it does after the first DSB ISHST."""
    tables.session.registers.events.clear()
    assert operation() is None
    found = [
        event.name if event.value is None or event.kind == "dsb" else f"{event.name} {event.value:#x}"
        for event in tables.session.registers.events
        if event.kind in ("tlbi", "dsb")
    ]
    assert found[-1] == "ishst", "the new entries are there for walks"
    assert not any("is" in name for name in found[:-1]) or found[0] == "ishst", "the change is there before the TLBI"
    return [name for name in found if name != "ishst"]


def space_with_page(session: Interpreter, regime: Regime, configuration: int) -> Tables:
    session.registers["HCR_EL2"] = configuration
    session.registers["VTTBR_EL2"] = OUTSIDE
    session.static("hypervisor.memory.linear_map.LINEAR_MAP").offset = 0
    tables = Tables(session, regime)
    assert tables.map(0x5000, 0x9000, PAGE) is None
    return tables


@pytest.mark.parametrize("configuration", [0, E2H, E2H | TGE, TGE])
@pytest.mark.parametrize("regime", Regime)
def test_what_was_invalid_needs_nothing(session: Interpreter, regime: Regime, configuration: int) -> None:
    tables = space_with_page(session, regime, configuration)
    assert events(tables, lambda: tables.map(0x6000, 0xA000, 3 * PAGE)) == []
    assert events(tables, lambda: tables.unmap(0x10_0000, 5 * PAGE)) == []
    assert tables.own(0x6000, 3 * PAGE, Ownership.OWNED, Ownership.LENT) is None
    assert events(tables, lambda: tables.own(0x6000, 3 * PAGE, Ownership.LENT, Ownership.SHARED)) == []
    assert events(tables, lambda: tables.protect(0x6000, 3 * PAGE, Access.READ_WRITE)) == []  # as it was


@pytest.mark.parametrize(
    ("regime", "configuration", "form", "running"),
    [
        (Regime.EL2, 0, "vae2is 0x5", 0),
        (Regime.EL2_HOST, E2H, "vaae1is 0x5", E2H | TGE),
        (Regime.EL2_HOST, E2H | TGE, "vaae1is 0x5", E2H | TGE),
        (Regime.EL0_HOST, E2H, "vae1is 0x1000000000005", E2H | TGE),
        (Regime.EL0_HOST, E2H | TGE, "vae1is 0x1000000000005", E2H | TGE),
        (Regime.STAGE_2, E2H, "ipas2e1is 0x5", E2H),
        (Regime.STAGE_2, E2H | TGE, "ipas2e1is 0x5", E2H),
        (Regime.STAGE_2, TGE, "ipas2e1is 0x5", TGE),
    ],
)
def test_one_page_is_one_address_twice(
    session: Interpreter, regime: Regime, configuration: int, form: str, running: int
) -> None:
    tables = space_with_page(session, regime, configuration)
    told: list[int] = []
    session.on_register_write("HCR_EL2", told.append)
    found = events(tables, lambda: tables.protect(0x5000, PAGE, Access.READ_ONLY))
    both_stages = ["vmalle1is", "ish"] if regime is Regime.STAGE_2 else []
    assert found == 2 * [form, "ish", *both_stages]
    assert told in ([running, configuration], [configuration])
    assert session.registers["HCR_EL2"] == configuration
    assert session.registers["VTTBR_EL2"] == OUTSIDE
    assert events(tables, lambda: tables.unmap(0x5000, PAGE)) == found


def test_addresses_of_the_upper_half_have_the_bits_that_the_operand_holds(session: Interpreter) -> None:
    tables = space_with_page(session, Regime.EL2_HOST, E2H)
    session.static("hypervisor.memory.linear_map.LINEAR_MAP").offset = UPPER_HALF
    session.call(tlb.invalidate_range, tables.space, 0x5000, 0x6000, PAGE)
    operands = {event.value for event in session.registers.events if event.kind == "tlbi"}
    assert operands == {(UPPER_HALF + 0x5000) >> 12 & (1 << 44) - 1}


def test_a_block_is_one_address(session: Interpreter) -> None:
    tables = space_with_page(session, Regime.EL0_HOST, E2H)
    assert tables.map(BLOCK_2M, BLOCK_2M, 3 * BLOCK_2M) is None
    identifier = tables.space.identifier << 48
    expected = [f"vae1is {identifier | number * 512:#x}" for number in (1, 2, 3)]
    found = events(tables, lambda: tables.protect(BLOCK_2M, 3 * BLOCK_2M, Access.READ_ONLY))
    assert found == 2 * [*expected, "ish"]
    found = events(tables, lambda: tables.unmap(2 * BLOCK_2M + PAGE, PAGE))  # splits
    assert found == 2 * [expected[1], "ish"]


@pytest.mark.parametrize(
    ("regime", "form"),
    [
        (Regime.EL2, "alle2is"),
        (Regime.EL2_HOST, "alle2is"),
        (Regime.EL0_HOST, "aside1is 0x1000000000000"),
        (Regime.STAGE_2, "vmalls12e1is"),
    ],
)
def test_many_pages_are_the_whole_address_space(session: Interpreter, regime: Regime, form: str) -> None:
    tables = space_with_page(session, regime, E2H)
    assert tables.map(BLOCK_2M, PAGE, 70 * PAGE) is None
    found = events(tables, lambda: tables.unmap(BLOCK_2M, 70 * PAGE))
    assert found == 2 * [form, "ish"]
    assert session.registers["VTTBR_EL2"] == OUTSIDE


def test_merging_forgets_every_page_of_the_table(session: Interpreter) -> None:
    tables = space_with_page(session, Regime.EL0_HOST, E2H)
    assert tables.map(BLOCK_2M, BLOCK_2M, BLOCK_2M) is None
    assert tables.unmap(BLOCK_2M, PAGE) is None
    found = events(tables, lambda: tables.map(BLOCK_2M, BLOCK_2M, PAGE))
    assert found == 2 * [f"aside1is {tables.space.identifier << 48:#x}", "ish"]


def test_the_last_page_of_a_table_takes_the_table_with_it(session: Interpreter) -> None:
    tables = space_with_page(session, Regime.STAGE_2, E2H)
    free = tables.free_count
    assert tables.map(BLOCK_2M, BLOCK_2M, PAGE) is None
    found = events(tables, lambda: tables.unmap(BLOCK_2M, PAGE))
    assert found == 2 * ["ipas2e1is 0x200", "ish", "vmalle1is", "ish"]
    assert tables.free_count == free


@pytest.mark.parametrize("configuration", [0, E2H])
def test_everything_of_both_stages(session: Interpreter, configuration: int) -> None:
    session.registers["HCR_EL2"] = configuration
    session.registers.events.clear()
    session.call(tlb.invalidate_all)
    found = [event.name for event in session.registers.events if event.kind in ("tlbi", "dsb", "isb")]
    host = ["alle2is"] if configuration else []
    assert found == ["ishst", *2 * ["alle1is", *host, "ish"], "sy"]


def test_the_erratum_is_worked_around_by_default() -> None:
    assert PLATFORM.repeat_tlb_invalidation is True
