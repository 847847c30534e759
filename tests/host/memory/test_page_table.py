"""Each operation on translation tables: what it does, what it refuses, in all regimes and sizes, in every engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compiler.host import Session, TrapError
from hypervisor.memory import page_table
from hypervisor.memory.address_space import AddressSpace
from hypervisor.memory.descriptors import Access, Descriptor, Ownership, Regime, ownership_of
from hypervisor.memory.pages import BOOT_PAGE_COUNT, MapError
from tests.host.memory.tables import BLOCK_1G, BLOCK_2M, ENGINE_NAMES, ENGINES, PAGE, PROGRAM, Tables


@pytest.fixture(params=ENGINES, ids=ENGINE_NAMES, scope="module")
def engine(request: pytest.FixtureRequest) -> Iterator[Session]:
    with request.param(PROGRAM) as made:
        yield made


@pytest.fixture
def session(engine: Session) -> Session:
    engine.reset_statics()
    return engine


@pytest.fixture
def tables(session: Session) -> Tables:
    return Tables(session)


def test_aligned_ranges_use_the_largest_blocks(tables: Tables) -> None:
    before = tables.free_count
    size = BLOCK_1G + BLOCK_2M + PAGE
    assert tables.map(0, BLOCK_1G, size) is None
    assert before - tables.free_count == 2  # one level 2, one level 3 table
    for address, level in ((0, 1), (BLOCK_1G - 1, 1), (BLOCK_1G, 2), (BLOCK_1G + BLOCK_2M, 3), (size - 1, 3)):
        found = tables.translate(address)
        assert found is not None
        assert found[0] == address + BLOCK_1G
        assert tables.walk(address) == found[1]
        mapping = tables.query(address)
        assert (mapping.leaf, mapping.level, mapping.output.raw) == (found[1], level, found[0])
    assert tables.translate(size) is None
    assert tables.walk(size) == 0


@pytest.mark.parametrize("regime", Regime)
@pytest.mark.parametrize("input_bits", [31, 39, 40, 43, 44, 48])
def test_every_size_of_address_space_reaches_its_ends(session: Session, regime: Regime, input_bits: int) -> None:
    tables = Tables(session, regime, input_bits)
    tables_at_once = {40: 2, 43: 16}.get(input_bits, 1) if regime is Regime.STAGE_2 else 1
    assert BOOT_PAGE_COUNT - tables.free_count == tables_at_once
    assert tables.space.root.raw % (tables_at_once * PAGE) == 0
    direct = 43 if regime is Regime.STAGE_2 else 39
    assert tables.space.first_level == (1 if input_bits <= direct else 0)
    end = 1 << input_bits
    for address in (0, end // 2, end - PAGE):
        assert tables.map(address, 0x8000_0000 + address % BLOCK_1G, PAGE) is None
        found = tables.translate(address + 0x123)
        assert found is not None
        assert found[0] == 0x8000_0000 + address % BLOCK_1G + 0x123
        assert tables.walk(address + 0x123) == found[1]
    assert tables.map(end, 0, PAGE) is MapError.OUT_OF_RANGE
    assert tables.query(end).leaf == 0


@pytest.mark.parametrize("input_bits", [30, 49])
def test_sizes_out_of_range_are_errors(session: Session, input_bits: int) -> None:
    tables = Tables(session)
    before = tables.free_count
    result = session.call(page_table.create_sized, session.new(AddressSpace), Regime.STAGE_2, 0, input_bits)
    assert result is MapError.OUT_OF_RANGE
    assert tables.free_count == before


@pytest.mark.parametrize(
    ("start", "target", "size", "error"),
    [
        (0x1001, 0x1000, 0x1000, MapError.MISALIGNED),
        (0x1000, 0x1008, 0x1000, MapError.MISALIGNED),
        (0x1000, 0x1000, 0x0FFF, MapError.MISALIGNED),
        (1 << 39, 0x1000, 0x1000, MapError.OUT_OF_RANGE),
        ((1 << 39) - PAGE, 0x1000, 2 * PAGE, MapError.OUT_OF_RANGE),
        (1 << 63, 0x1000, 1 << 63, MapError.OUT_OF_RANGE),
        (0, 1 << 48, 0x1000, MapError.OUT_OF_RANGE),
        (0, (1 << 48) - 0x1000, 0x2000, MapError.OUT_OF_RANGE),
    ],
)
def test_bad_ranges_are_errors(tables: Tables, start: int, target: int, size: int, error: MapError) -> None:
    assert tables.map(start, target, size) is error
    if target <= 0x1000 and target % PAGE == 0:
        assert tables.unmap(start, size) is error
        assert tables.protect(start, size, Access.READ_ONLY) is error
        assert tables.own(start, size, Ownership.OWNED, Ownership.SHARED) is error


def test_a_range_that_is_mapped_in_part_is_left_alone(tables: Tables) -> None:
    assert tables.map(0x20_5000, 0x5000, PAGE) is None
    before = tables.free_count
    assert tables.map(0, 0, 0x20_6000) is MapError.ALREADY_MAPPED
    assert tables.free_count == before
    assert tables.translate(0) is None
    assert tables.translate(0x20_5000) is not None


def test_a_page_inside_a_block_is_not_replaced(tables: Tables) -> None:
    assert tables.map(0, 0, BLOCK_2M, Access.READ_ONLY) is None
    assert tables.map(PAGE, 0, PAGE) is MapError.ALREADY_MAPPED


def test_unmapping_inside_blocks_splits_them_and_mapping_again_merges_them(tables: Tables) -> None:
    before = tables.free_count
    assert tables.map(0, BLOCK_1G, BLOCK_1G) is None
    assert tables.free_count == before
    assert tables.unmap(5 * PAGE, PAGE) is None
    assert before - tables.free_count == 2
    assert tables.translate(5 * PAGE) is None
    for address in (4 * PAGE, 6 * PAGE, BLOCK_2M, BLOCK_1G - PAGE):
        found = tables.translate(address)
        assert found is not None
        assert found[0] == address + BLOCK_1G
    assert tables.map(5 * PAGE, BLOCK_1G + 5 * PAGE, PAGE) is None
    assert tables.free_count == before
    assert tables.query(0).level == 1


def test_pages_of_other_places_or_permissions_are_not_merged(tables: Tables) -> None:
    assert tables.map(0, BLOCK_1G, BLOCK_2M - PAGE) is None
    assert tables.map(BLOCK_2M - PAGE, BLOCK_1G, PAGE) is None
    assert tables.query(0).level == 3
    assert tables.map(BLOCK_2M, BLOCK_1G, BLOCK_2M - PAGE) is None
    assert tables.map(2 * BLOCK_2M - PAGE, BLOCK_1G + BLOCK_2M - PAGE, PAGE, Access.READ_ONLY) is None
    assert tables.query(BLOCK_2M).level == 3
    assert tables.protect(2 * BLOCK_2M - PAGE, PAGE, Access.READ_WRITE) is None
    assert tables.query(BLOCK_2M).level == 2


def test_tables_that_became_empty_are_given_back(tables: Tables) -> None:
    before = tables.free_count
    assert tables.map(7 * BLOCK_1G - PAGE, 0x5000, 2 * PAGE) is None
    assert before - tables.free_count == 4
    assert tables.unmap(7 * BLOCK_1G, PAGE) is None
    assert before - tables.free_count == 2
    assert tables.unmap(0, 1 << 39) is None
    assert tables.free_count == before


def test_holes_may_be_unmapped_but_not_protected(tables: Tables) -> None:
    assert tables.map(PAGE, PAGE, PAGE) is None
    assert tables.protect(0, 2 * PAGE, Access.READ_ONLY) is MapError.NOT_MAPPED
    assert tables.protect(PAGE, 2 * PAGE, Access.READ_ONLY) is MapError.NOT_MAPPED
    assert tables.protect(BLOCK_1G, PAGE, Access.READ_ONLY) is MapError.NOT_MAPPED
    assert Descriptor(tables.query(PAGE).leaf).READ_ONLY is False
    assert tables.unmap(0, 16 * PAGE) is None
    assert tables.query(PAGE).leaf == 0


def test_protection_keeps_type_and_state(session: Session) -> None:
    for regime in Regime:
        tables = Tables(session, regime)
        assert tables.map(0, 0x9000_0000, PAGE, Access.DEVICE) is None
        assert tables.protect(0, PAGE, Access.READ_ONLY) is None
        lowered = tables.query(0).leaf
        assert tables.unmap(0, PAGE) is None
        assert tables.map(0, 0x9000_0000, PAGE, Access.DEVICE_READ_ONLY) is None
        assert tables.query(0).leaf == lowered


def test_an_exhausted_pool_is_an_error_that_changes_nothing(tables: Tables) -> None:
    for index in range(BOOT_PAGE_COUNT):
        free = tables.free_count
        result = tables.map((index + 1) * BLOCK_1G - PAGE, 0, PAGE)
        if result is not None:
            assert result is MapError.NO_PAGES
            assert free < 2
            assert tables.free_count == free
            assert tables.translate((index + 1) * BLOCK_1G - PAGE) is None
            return
    raise AssertionError("the pool never ran out")


def test_writable_code_is_for_guests_only(session: Session) -> None:
    for regime in Regime:
        tables = Tables(session, regime)
        expected = None if regime is Regime.STAGE_2 else MapError.NOT_ALLOWED
        assert tables.map(0, 0, PAGE, Access.READ_WRITE_EXECUTE) is expected
        assert tables.map(PAGE, PAGE, PAGE) is None
        assert tables.protect(PAGE, PAGE, Access.READ_WRITE_EXECUTE) is expected


def test_the_hypervisors_own_blocks_are_not_split(session: Session) -> None:
    for regime in (Regime.EL2, Regime.EL2_HOST):
        tables = Tables(session, regime)
        assert tables.map(0, 0, BLOCK_2M) is None
        assert tables.unmap(PAGE, PAGE) is MapError.BLOCK_IN_USE
        assert tables.protect(0, PAGE, Access.READ_ONLY) is MapError.BLOCK_IN_USE
        assert tables.query(0).level == 2
        assert tables.unmap(0, BLOCK_2M) is None
        assert tables.map(0, 0, PAGE) is None
        assert tables.map(PAGE, PAGE, BLOCK_2M - PAGE) is None
        assert tables.query(0).level == 3  # nor merged
        assert tables.unmap(0, BLOCK_2M) is None
        assert BOOT_PAGE_COUNT - tables.free_count == 1


STATES = [state for state in Ownership if state is not Ownership.NOTHING]


@pytest.mark.parametrize("first", STATES)
def test_states_follow_each_other_and_keep_the_mapping(session: Session, first: Ownership) -> None:
    tables = Tables(session, Regime.STAGE_2)
    assert tables.map(0, 0x9000_0000, 4 * PAGE, Access.READ_ONLY, first) is None
    for state in STATES:
        assert tables.own(PAGE, 2 * PAGE, first, state) is None
        mapping = tables.query(PAGE)
        assert session.call(ownership_of, mapping.leaf) is state
        assert (tables.translate(PAGE) is None) == (state is Ownership.LENT)
        assert tables.query(3 * PAGE).leaf & 0xFFF == tables.query(0).leaf & 0xFFF
        for other in STATES:
            if other is not state:
                assert tables.own(2 * PAGE, PAGE, other, first) is MapError.WRONG_STATE
        assert tables.own(PAGE, 2 * PAGE, state, first) is None
        found = tables.query(2 * PAGE)
        assert found.output.raw == 0x9000_2000


def test_a_range_must_be_in_one_state(tables: Tables) -> None:
    assert tables.map(0, 0, 3 * PAGE) is None
    assert tables.own(PAGE, PAGE, Ownership.OWNED, Ownership.LENT) is None
    assert tables.own(0, 3 * PAGE, Ownership.OWNED, Ownership.SHARED) is MapError.WRONG_STATE
    assert tables.own(3 * PAGE, PAGE, Ownership.OWNED, Ownership.SHARED) is MapError.WRONG_STATE
    assert tables.map(PAGE, 0, PAGE) is MapError.ALREADY_MAPPED  # lent, not free
    assert tables.protect(PAGE, PAGE, Access.READ_ONLY) is MapError.NOT_MAPPED


def test_lent_blocks_stay_blocks(tables: Tables) -> None:
    before = tables.free_count
    assert tables.map(0, BLOCK_1G, BLOCK_1G) is None
    assert tables.own(0, BLOCK_1G, Ownership.OWNED, Ownership.LENT) is None
    assert tables.free_count == before
    assert tables.translate(BLOCK_2M) is None
    assert tables.own(BLOCK_2M, PAGE, Ownership.LENT, Ownership.OWNED) is None
    assert before - tables.free_count == 2
    found = tables.translate(BLOCK_2M)
    assert found is not None
    assert found[0] == BLOCK_1G + BLOCK_2M
    assert tables.own(BLOCK_2M, PAGE, Ownership.OWNED, Ownership.LENT) is None
    assert tables.own(0, BLOCK_1G, Ownership.LENT, Ownership.OWNED) is None
    assert tables.free_count == before


def test_common_leaf_tells_whether_a_range_is_alike(session: Session) -> None:
    tables = Tables(session)
    assert tables.map(0, 0, BLOCK_2M + 2 * PAGE) is None
    leaf = session.call(page_table.common_leaf, tables.space, 0, BLOCK_2M + 2 * PAGE)
    assert leaf == tables.query(0).leaf
    assert session.call(page_table.common_leaf, tables.space, BLOCK_1G, BLOCK_1G) == 0
    assert session.call(page_table.common_leaf, tables.space, 0, BLOCK_1G) is MapError.WRONG_STATE
    assert tables.protect(PAGE, PAGE, Access.READ_ONLY) is None
    assert session.call(page_table.common_leaf, tables.space, 0, BLOCK_2M) is MapError.WRONG_STATE
    assert session.call(page_table.common_leaf, tables.space, 1, BLOCK_2M) is MapError.MISALIGNED


def test_destroying_gives_everything_back(session: Session) -> None:
    for regime in (Regime.EL0_HOST, Regime.STAGE_2):
        tables = Tables(session, regime)
        for address in range(0, 4 * BLOCK_1G, BLOCK_1G + 3 * BLOCK_2M + PAGE):
            assert tables.map(address, 0, 3 * PAGE) is None
        session.call(page_table.destroy, tables.space)
        assert tables.free_count == BOOT_PAGE_COUNT


def test_the_hypervisors_own_tables_are_not_destroyed(session: Session) -> None:
    tables = Tables(session, Regime.EL2)
    with pytest.raises(TrapError, match="own address space is destroyed"):
        session.call(page_table.destroy, tables.space)


@pytest.mark.parametrize("access", Access)
@pytest.mark.parametrize("regime", Regime)
def test_leaf_attributes_are_those_of_the_architecture(session: Session, regime: Regime, access: Access) -> None:
    if access is Access.READ_WRITE_EXECUTE and regime is not Regime.STAGE_2:
        return
    tables = Tables(session, regime)
    assert tables.map(0, 0x5000, PAGE, access, extra=Descriptor.NON_SECURE if regime is Regime.EL0_HOST else 0) is None
    found = tables.translate(0)
    assert found is not None
    entry = found[1]
    device = access in (Access.DEVICE, Access.DEVICE_READ_ONLY)
    writable = access in (Access.READ_WRITE, Access.DEVICE, Access.READ_WRITE_EXECUTE)
    code = access in (Access.READ_EXECUTE, Access.READ_WRITE_EXECUTE)
    assert entry & 1 << 10, "access flag"
    if regime is Regime.STAGE_2:
        assert entry >> 6 & 3 == (3 if writable else 1), "S2AP"
        assert entry >> 2 & 15 == (0 if device else 15), "MemAttr"
        assert bool(entry & 1 << 54) == (not code), "XN"
        return
    assert entry >> 2 & 7 == (1 if device else 0), "AttrIndx"
    assert bool(entry & 1 << 5) == (regime is Regime.EL0_HOST), "NS"
    assert bool(entry & 1 << 7) == (not writable), "AP[2]"
    assert bool(entry & 1 << 6) == (regime is not Regime.EL2_HOST), "AP[1]: EL0, or reserved as one"
    assert bool(entry & 1 << 11) == (regime is Regime.EL0_HOST), "nG"
    assert bool(entry & 1 << 54) == (not code or regime is Regime.EL2_HOST), "UXN, or XN"
    assert bool(entry & 1 << 53) == (regime is Regime.EL0_HOST or (regime is Regime.EL2_HOST and not code)), "PXN"


def test_only_code_of_stage_1_has_guarded_pages(session: Session) -> None:
    guarded = Descriptor.GUARDED
    for regime in Regime:
        tables = Tables(session, regime)
        tables.create(regime, executable_bits=guarded)
        assert tables.map(0, 0, PAGE, Access.READ_EXECUTE) is None
        assert tables.map(PAGE, PAGE, PAGE, Access.READ_ONLY) is None
        assert bool(tables.query(0).leaf & guarded) == (regime is not Regime.STAGE_2)
        assert not tables.query(PAGE).leaf & guarded
        assert tables.protect(0, PAGE, Access.READ_ONLY) is None
        assert tables.protect(PAGE, PAGE, Access.READ_EXECUTE) is None
        assert not tables.query(0).leaf & guarded
        assert bool(tables.query(PAGE).leaf & guarded) == (regime is not Regime.STAGE_2)
