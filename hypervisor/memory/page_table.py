"""Translation tables: what an input address of an address space means, and changes of that.

    create(space, regime, executable_bits)                  an empty root and a number; destroy(space) takes them back
    map_range(space, start, target, size_bytes, access)     empty -> mapped; largest blocks that fit
    unmap_range(space, start, size_bytes)                   anything -> empty
    protect_range(space, start, size_bytes, access)         mapped -> mapped with other permissions
    change_ownership(space, start, size_bytes, expected, wanted)
    query(space, address)                                   the leaf that an address selects
    common_leaf(space, start, size_bytes)                   attributes and state, if a range has the same everywhere

Stage 1 and stage 2 differ in the attributes of their leaves only (`descriptors.py`). Addresses and sizes are multiples
of the page size. Each call takes the address space's lock, is done or not done as a whole, and returns when no CPU
can use an old translation (`table_edit.py` says how). For the hypervisor's own address spaces input addresses count
from where the linear map begins.
"""

from __future__ import annotations

from compiler.language import PhysAddr, Value, cold, struct, u64
from hypervisor.memory import address_space_ids, pages
from hypervisor.memory.address_space import (
    ADDRESS_MASK,
    INPUT_BITS,
    INPUT_BITS_MAX,
    INPUT_BITS_MIN,
    AddressSpace,
    block_size,
    entry_at,
    find_entry,
    first_level,
    page_bit,
    root_page_count,
)
from hypervisor.memory.descriptors import (
    STATE_MASK,
    Access,
    Descriptor,
    Ownership,
    Regime,
    attributes,
    ownership_of,
    permissions_mask,
    state_bits,
)
from hypervisor.memory.pages import PAGE_SIZE, MapError, PageList
from hypervisor.memory.table_edit import Edit, commit, end_of_entry, plan

ALL_BITS = 0xFFFF_FFFF_FFFF_FFFF


@struct
class Mapping:
    """What an input address selects."""

    leaf: u64
    """The descriptor; 0: nothing. One that is not valid has no meaning but its state of ownership."""
    level: u64
    """1, 2, 3: of 1 GiB, 2 MiB, 4 KiB; 0 where not even a table begins."""
    output: PhysAddr
    """What the input address becomes; meaningful when the leaf is valid or owned."""

    def is_valid(self) -> bool:
        """Whether an access translates."""
        return Descriptor(self.leaf).VALID

    def ownership(self) -> Ownership:
        """The state."""
        return ownership_of(self.leaf)


@cold
def create(space: AddressSpace, regime: Regime, executable_bits: u64) -> MapError | None:
    """Give an address space an empty root of the regime's usual size, and a number if it is a partition's."""
    return create_sized(space, regime, executable_bits, INPUT_BITS[regime.value])


def create_sized(space: AddressSpace, regime: Regime, executable_bits: u64, input_bits: u64) -> MapError | None:
    """`create` with input addresses of 31 to 48 bits."""
    if input_bits < INPUT_BITS_MIN or input_bits > INPUT_BITS_MAX:
        return MapError.OUT_OF_RANGE
    root = pages.allocate_run(_order(root_page_count(regime, input_bits)))
    if isinstance(root, MapError):
        return root
    space.root = root
    space.regime = regime
    space.first_level = first_level(regime, input_bits)
    space.input_bits = input_bits
    space.executable_bits = executable_bits if regime != Regime.STAGE_2 else 0
    space.identifier = 0
    if not space.is_own():
        identifier = address_space_ids.allocate()
        if isinstance(identifier, MapError):
            _release_root(space)
            return identifier
        space.identifier = identifier
    return None


def destroy(space: AddressSpace) -> None:
    """Give back all tables and the number of a partition's address space that no vCPU will be entered with again."""
    assert not space.is_own(), "the hypervisor's own address space is destroyed"
    error = unmap_range(space, 0, space.input_size())
    assert not isinstance(error, MapError), "unmapping everything cannot fail"
    _release_root(space)
    address_space_ids.release(space.identifier)
    space.identifier = 0


def map_range(
    space: AddressSpace,
    start: u64,
    target: PhysAddr,
    size_bytes: u64,
    access: Access,
    ownership: Ownership = Ownership.OWNED,
    extra_bits: u64 = 0,
) -> MapError | None:
    """Map empty input addresses from `start` to `target`.

    `extra_bits` are set in each leaf too, such as Descriptor.NON_SECURE. Errors: MISALIGNED, OUT_OF_RANGE,
    ALREADY_MAPPED (owned counts), NOT_ALLOWED, NO_PAGES.
    """
    if target.raw & ~ADDRESS_MASK != 0 or size_bytes > ADDRESS_MASK - target.raw:
        return MapError.MISALIGNED if target.raw & (PAGE_SIZE - 1) != 0 else MapError.OUT_OF_RANGE
    if access == Access.READ_WRITE_EXECUTE and space.regime != Regime.STAGE_2:
        return MapError.NOT_ALLOWED
    assert ownership != Ownership.NOTHING, "what is mapped has a state"
    leaf = attributes(space.regime, access) | state_bits(ownership) | extra_bits
    if access == Access.READ_EXECUTE:
        leaf |= space.executable_bits
    edit = Edit(
        start=start,
        end=start,
        is_map=True,
        target=target.raw,
        expected_mask=ALL_BITS,
        mismatch=MapError.ALREADY_MAPPED,
        set_bits=leaf,
    )
    return _apply(space, edit, size_bytes)


def unmap_range(space: AddressSpace, start: u64, size_bytes: u64) -> MapError | None:
    """Make input addresses mean nothing, whatever they meant.

    Errors: MISALIGNED, OUT_OF_RANGE, NO_PAGES, BLOCK_IN_USE.
    """
    return _apply(space, Edit(start=start, end=start, clear_bits=ALL_BITS), size_bytes)


def protect_range(space: AddressSpace, start: u64, size_bytes: u64, access: Access) -> MapError | None:
    """Give mapped addresses the permissions of `access`; the type of memory and the state of ownership stay.

    Errors: MISALIGNED, OUT_OF_RANGE, NOT_MAPPED, NOT_ALLOWED, NO_PAGES, BLOCK_IN_USE.
    """
    if access == Access.READ_WRITE_EXECUTE and space.regime != Regime.STAGE_2:
        return MapError.NOT_ALLOWED
    mask = permissions_mask(space.regime)
    wanted = attributes(space.regime, access) & mask
    if access == Access.READ_EXECUTE:
        wanted |= space.executable_bits
    edit = Edit(
        start=start,
        end=start,
        expected_mask=Descriptor.VALID,
        expected=Descriptor.VALID,
        clear_bits=mask,
        set_bits=wanted,
    )
    return _apply(space, edit, size_bytes)


def change_ownership(
    space: AddressSpace, start: u64, size_bytes: u64, expected: Ownership, wanted: Ownership
) -> MapError | None:
    """Change the state of a range that is in the `expected` one everywhere; access goes or comes with it.

    LENT addresses keep what they map to. Errors: MISALIGNED, OUT_OF_RANGE, WRONG_STATE, NO_PAGES, BLOCK_IN_USE.
    """
    assert expected != Ownership.NOTHING and wanted != Ownership.NOTHING, "use map_range and unmap_range"
    edit = Edit(
        start=start,
        end=start,
        expected_mask=STATE_MASK,
        expected=state_bits(expected),
        mismatch=MapError.WRONG_STATE,
        clear_bits=STATE_MASK,
        set_bits=state_bits(wanted),
    )
    return _apply(space, edit, size_bytes)


def query(space: AddressSpace, address: u64) -> Value[Mapping]:
    """What one input address, a multiple of anything, selects; nothing where it is out of range."""
    if address >= space.input_size():
        return Mapping(leaf=0, level=0, output=PhysAddr(0))
    with space.lock:
        place, level = find_entry(space.root, space.first_level, address)
        leaf = entry_at(place).value
    offset_mask = block_size(level) - 1
    output = PhysAddr((leaf & ADDRESS_MASK & ~offset_mask) | (address & offset_mask))
    return Mapping(leaf=leaf, level=level, output=output)


def common_leaf(space: AddressSpace, start: u64, size_bytes: u64) -> u64 | MapError:
    """Attributes and software bits that all leaves of a range have, 0 for empty ones.

    Errors: MISALIGNED, OUT_OF_RANGE, WRONG_STATE where they are not the same everywhere.
    """
    error = _check_range(space, start, size_bytes)
    if isinstance(error, MapError):
        return error
    end = start + size_bytes
    common: u64 = 0
    address = start
    with space.lock:
        while address < end:
            place, level = find_entry(space.root, space.first_level, address)
            found = entry_at(place).value & ~(ADDRESS_MASK | page_bit(level))
            if address == start:
                common = found
            if found != common:
                return MapError.WRONG_STATE
            address = end_of_entry(address, level, end)
    return common


@cold
def _apply(space: AddressSpace, edit: Edit, size_bytes: u64) -> MapError | None:
    """Do an edit of `size_bytes` from its start, as a whole or not at all."""
    error = _check_range(space, edit.start, size_bytes)
    if isinstance(error, MapError):
        return error
    edit.end = edit.start + size_bytes
    with space.lock:
        count = plan(space, edit)
        if isinstance(count, MapError):
            return count
        tables = PageList()
        if count != 0:
            error = pages.allocate_list(tables, count)
            if isinstance(error, MapError):
                return error
        commit(space, edit, tables)
    return None


def _check_range(space: AddressSpace, start: u64, size_bytes: u64) -> MapError | None:
    if (start | size_bytes) & (PAGE_SIZE - 1) != 0:
        return MapError.MISALIGNED
    if start >= space.input_size() or size_bytes > space.input_size() - start:
        return MapError.OUT_OF_RANGE
    return None


def _release_root(space: AddressSpace) -> None:
    pages.release_run(space.root, _order(root_page_count(space.regime, space.input_bits)))


def _order(page_count: u64) -> u64:
    """log2 of a number of tables."""
    order: u64 = 0
    while 1 << order < page_count:
        order += 1
    return order
