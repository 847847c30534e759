"""Edits device trees in place: the host's for the primary VM, a partition's own copy for that partition.

The buffer may be longer than the tree in it: a tree grows into its own slack and into what the buffer has beyond it.
An edit that does not fit is an error and leaves the tree as it was. Memory that the primary may not use goes into the
tree's list of reservations, in front of its terminator, and the blocks behind it move up: every reader of trees knows
that list. Positions that were found before such an edit are stale.
"""

from __future__ import annotations

from compiler.language import Slice, address_of, cold, no_inline, struct, truncate, u8, u64, utf8
from hypervisor.boot.board import CELLS_MAX, DEPTH_OF_SECTIONS, Board, Place, Range
from hypervisor.boot.fdt import (
    PROPERTY_HEADER_SIZE,
    RESERVATION_SIZE,
    STRINGS_AT,
    STRINGS_SIZE_AT,
    STRUCTURE_AT,
    STRUCTURE_SIZE_AT,
    TOKEN_BEGIN_NODE,
    TOKEN_END_NODE,
    TOKEN_NOP,
    TOKEN_PROPERTY,
    TOTAL_SIZE_AT,
    WORD_SIZE,
    Cursor,
    Fdt,
    FdtError,
    Step,
    advance,
    long_at,
    node_is,
    number_of,
    open_tree,
    skip_node,
    text_is,
)
from hypervisor.boot.texts import round_up

LONG_SIZE = 8
BYTE_BITS = 8
NEW_STRINGS = "device_type\0reg\0"
REG_IN_STRINGS = NEW_STRINGS.index("reg")
MEMORY_NAME = "memory\0\0"
"""Padded to whole words, as a node's name and as the value of device_type."""
MEMORY_TYPE_SIZE = len("memory\0")


def set_initrd(data: Slice[u8], board: Board, start: u64, end: u64) -> FdtError | None:
    """Let /chosen of the tree that `board` was read from name another ramdisk."""
    if board.initrd_start_place.size_bytes == 0:
        return FdtError.NOT_FOUND
    if not _fits(board.initrd_start_place, start) or not _fits(board.initrd_end_place, end):
        return FdtError.NO_ROOM
    _put(data, board.initrd_start_place.offset, start, board.initrd_start_place.size_bytes)
    _put(data, board.initrd_end_place.offset, end, board.initrd_end_place.size_bytes)
    return None


def remove_initrd(data: Slice[u8], board: Board) -> None:
    """Let /chosen name no ramdisk: its properties become NOPs."""
    _remove_property(data, board.initrd_start_place)
    _remove_property(data, board.initrd_end_place)


def add_reservations(buffer: Slice[u8], ranges: Slice[Range]) -> FdtError | None:
    """Reserve memory in the tree that the buffer begins with."""
    tree = open_tree(buffer)
    if isinstance(tree, FdtError):
        return tree
    first = min(tree.structure, tree.strings)
    end = tree.reservations
    while end + RESERVATION_SIZE <= first and not _is_zero(buffer, end):
        end += RESERVATION_SIZE
    if end + RESERVATION_SIZE > first:
        return FdtError.BAD_BLOCKS
    grown = len(ranges) * RESERVATION_SIZE
    used = round_up(max(tree.structure_end, tree.strings_end), LONG_SIZE)
    if used + grown > len(buffer):
        return FdtError.NO_ROOM
    _move_up(buffer, end, used, grown)
    for index in range(len(ranges)):
        _put(buffer, end + index * RESERVATION_SIZE, ranges[index].base, LONG_SIZE)
        _put(buffer, end + index * RESERVATION_SIZE + LONG_SIZE, ranges[index].size_bytes, LONG_SIZE)
    _put(buffer, STRUCTURE_AT, tree.structure + grown, WORD_SIZE)
    _put(buffer, STRINGS_AT, tree.strings + grown, WORD_SIZE)
    _put(buffer, TOTAL_SIZE_AT, max(len(tree.data), used + grown), WORD_SIZE)
    return None


@struct
class Root:
    """What an edit has to know of a tree's root. `end`: where the token is that ends it."""

    address_cells: u64 = 2
    size_cells: u64 = 1
    end: u64 = 0


def add_memory_node(buffer: Slice[u8], base: u64, size_bytes: u64) -> FdtError | None:
    """Give the tree that the buffer begins with one /memory node, in place of those that it has."""
    tree = open_tree(buffer)
    if isinstance(tree, FdtError):
        return tree
    root = Root()
    error = _scan_root(tree, root, removes=False)
    if error is not None:
        return error
    address_size = root.address_cells * WORD_SIZE
    reg_size = address_size + root.size_cells * WORD_SIZE
    if not _fits_in(address_size, base) or not _fits_in(reg_size - address_size, size_bytes):
        return FdtError.BAD_VALUE
    if tree.reservations > tree.structure or tree.structure_end > tree.strings:
        return FdtError.BAD_BLOCKS
    grown = 2 * WORD_SIZE + 2 * PROPERTY_HEADER_SIZE + 2 * len(utf8(MEMORY_NAME)) + reg_size
    used = tree.strings_end + grown + len(utf8(NEW_STRINGS))
    if used > len(buffer):
        return FdtError.NO_ROOM
    _ = _scan_root(tree, root, removes=True)
    _move_up(buffer, tree.strings, tree.strings_end, grown)
    _put_text(buffer, tree.strings_end + grown, NEW_STRINGS)
    _move_up(buffer, root.end, tree.structure_end, grown)
    at = _put(buffer, root.end, TOKEN_BEGIN_NODE, WORD_SIZE)
    at = _put_text(buffer, at, MEMORY_NAME)
    at = _put_property(buffer, at, MEMORY_TYPE_SIZE, tree.strings_end - tree.strings)
    at = _put_text(buffer, at, MEMORY_NAME)
    at = _put_property(buffer, at, reg_size, tree.strings_end - tree.strings + REG_IN_STRINGS)
    at = _put(buffer, at, base, address_size)
    at = _put(buffer, at, size_bytes, reg_size - address_size)
    _put(buffer, at, TOKEN_END_NODE, WORD_SIZE)
    _put(buffer, STRUCTURE_SIZE_AT, tree.structure_end - tree.structure + grown, WORD_SIZE)
    _put(buffer, STRINGS_AT, tree.strings + grown, WORD_SIZE)
    _put(buffer, STRINGS_SIZE_AT, tree.strings_end - tree.strings + len(utf8(NEW_STRINGS)), WORD_SIZE)
    _put(buffer, TOTAL_SIZE_AT, max(len(tree.data), used), WORD_SIZE)
    return None


@cold
def _scan_root(tree: Fdt, root: Root, removes: bool) -> FdtError | None:
    """Find the root's end and cells, and make NOPs of the memory nodes if asked to."""
    at = Cursor()
    while True:
        step = advance(tree, at)
        if isinstance(step, FdtError):
            return step
        match step:
            case Step.NODE:
                if at.depth == DEPTH_OF_SECTIONS:
                    start = at.name - WORD_SIZE
                    is_memory = node_is(tree, at, "memory")
                    error = skip_node(tree, at)
                    if error is not None:
                        return error
                    if is_memory and removes:
                        _remove(tree.data, start, at.position)
            case Step.PROPERTY:
                if text_is(tree, at.name, "#address-cells") or text_is(tree, at.name, "#size-cells"):
                    count = number_of(tree, at)
                    if isinstance(count, FdtError) or not 1 <= count <= CELLS_MAX:
                        return FdtError.BAD_VALUE
                    if text_is(tree, at.name, "#size-cells"):
                        root.size_cells = count
                    else:
                        root.address_cells = count
            case Step.END_NODE:
                root.end = at.position - WORD_SIZE
            case Step.END:
                return None


def _is_zero(data: Slice[u8], position: u64) -> bool:
    return long_at(data, position) == 0 and long_at(data, position + LONG_SIZE) == 0


def _fits(place: Place, value: u64) -> bool:
    return _fits_in(place.size_bytes, value)


def _fits_in(size_bytes: u64, value: u64) -> bool:
    return size_bytes == LONG_SIZE or value >> 32 == 0


@no_inline
def _put(data: Slice[u8], position: u64, value: u64, size_bytes: u64) -> u64:
    """Write a big-endian number; where it ends."""
    rest = value
    for offset in reversed(range(size_bytes)):
        data[position + offset] = truncate(u8, rest)
        rest = rest >> BYTE_BITS
    return position + size_bytes


def _put_text(data: Slice[u8], position: u64, text: str) -> u64:
    for index, byte in enumerate(utf8(text)):
        data[position + index] = byte
    return position + len(utf8(text))


def _put_property(data: Slice[u8], position: u64, size_bytes: u64, name: u64) -> u64:
    at = _put(data, position, TOKEN_PROPERTY, WORD_SIZE)
    at = _put(data, at, size_bytes, WORD_SIZE)
    return _put(data, at, name, WORD_SIZE)


def _remove_property(data: Slice[u8], place: Place) -> None:
    if place.size_bytes != 0:
        _remove(data, place.offset - PROPERTY_HEADER_SIZE, place.offset + round_up(place.size_bytes, WORD_SIZE))


def _remove(data: Slice[u8], start: u64, end: u64) -> None:
    """Write NOPs over a part of the structure."""
    at = start
    while at < end:
        at = _put(data, at, TOKEN_NOP, WORD_SIZE)


def _move_up(data: Slice[u8], start: u64, end: u64, distance: u64) -> None:
    """Move bytes to higher addresses, eight at a time where everything is aligned."""
    left = end - start
    if left == 0:
        return
    place = address_of(data[start])
    if (place.address.raw | left | distance) % LONG_SIZE == 0:
        words = place.cast(u64)
        while left > 0:
            left -= LONG_SIZE
            words[(left + distance) // LONG_SIZE] = words[left // LONG_SIZE]
    while left > 0:
        left -= 1
        data[start + left + distance] = data[start + left]
