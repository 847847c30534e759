"""Reads device trees (Devicetree Specification 0.4, chapter 5) where they lie, in one pass, without recursion.

`open_tree` checks the header; `advance` goes on by one token and checks what it passes: a walk that has come to
Step.END has seen a tree that is right as a whole. Every defect is an error result. Positions are offsets from the
start of the tree, which may lie at any address.
"""

from __future__ import annotations

from compiler.language import (
    EnumU8,
    ErrorEnum,
    Ptr,
    Slice,
    Value,
    address_of,
    byte_swap,
    cold,
    inline,
    no_inline,
    struct,
    u8,
    u32,
    u64,
    utf8,
    wrapping_add,
    wrapping_sub,
)
from hypervisor.boot.texts import begins_with, same

MAGIC = 0xD00D_FEED
VERSION = 17
VERSION_MIN = 16
HEADER_SIZE = 40
WORD_SIZE = 4
WORD_MASK = u64(WORD_SIZE - 1)
RESERVATION_SIZE = 16
DEPTH_MAX = 32
NUL = 0
AT_SIGN = ord("@")

MAGIC_AT = 0
TOTAL_SIZE_AT = 4
STRUCTURE_AT = 8
STRINGS_AT = 12
RESERVATIONS_AT = 16
VERSION_AT = 20
COMPATIBLE_VERSION_AT = 24
STRINGS_SIZE_AT = 32
STRUCTURE_SIZE_AT = 36

TOKEN_BEGIN_NODE = 1
TOKEN_END_NODE = 2
TOKEN_PROPERTY = 3
TOKEN_NOP = 4
TOKEN_END = 9
TOKEN_NONE = 0xFFFF_FFFF
"""What is found at the end of the structure."""
PROPERTY_HEADER_SIZE = 12


class FdtError(ErrorEnum):
    """What is wrong with a tree."""

    TRUNCATED = -1
    """It is shorter than its header says, or than a header."""
    BAD_MAGIC = -2
    BAD_VERSION = -3
    BAD_BLOCKS = -4
    """A block lies outside the tree, is misaligned, or the list of reservations does not end."""
    BAD_TOKEN = -5
    BAD_NAME = -6
    """A name lies outside its block or does not end there."""
    BAD_VALUE = -7
    """A property's value reaches beyond the structure."""
    BAD_NESTING = -8
    """Nodes and properties are not nested as they have to be."""
    TOO_DEEP = -9
    NOT_FOUND = -10
    NO_ROOM = -11
    """An edit needs more space than there is."""


class Step(EnumU8):
    """What `advance` has come to."""

    NODE = 0
    PROPERTY = 1
    END_NODE = 2
    END = 3


@struct
class Fdt:
    """A tree whose header is right."""

    data: Slice[u8]
    """The tree, as long as its header says."""
    start: Ptr[u8]
    """The same without checks, for `advance`, which stays within the structure."""
    structure: u64
    structure_end: u64
    strings: u64
    strings_end: u64
    reservations: u64


@struct
class Cursor:
    """A place in a tree. `depth`: how many nodes are open; 1 in the root."""

    position: u64 = 0
    depth: u64 = 0
    name: u64 = 0
    """Of the last node or property."""
    name_size: u64 = 0
    """Of the last node; properties' names are compared as they are, see `text_is`."""
    value: u64 = 0
    """Of the last property, as size_bytes is."""
    size_bytes: u64 = 0
    after_node: bool = False
    """Whether a child has ended: no property may follow."""
    seen_root: bool = False


@no_inline
def number_at(data: Slice[u8], position: u64) -> u32:
    """The big-endian number there; traps when it does not lie in `data`."""
    return _word_at(address_of(data[position : position + WORD_SIZE][0]))


@inline
def _word_at(place: Ptr[u8]) -> u32:
    """The big-endian number of four bytes that the caller knows to be there."""
    if place.address.raw % WORD_SIZE == 0:
        return byte_swap(place.cast(u32).value)
    return u32(place[0]) << 24 | u32(place[1]) << 16 | u32(place[2]) << 8 | place[3]


@no_inline
def long_at(data: Slice[u8], position: u64) -> u64:
    """The big-endian number of 8 bytes there."""
    return u64(number_at(data, position)) << 32 | number_at(data, position + WORD_SIZE)


@cold
@no_inline
def open_tree(data: Slice[u8]) -> Value[Fdt] | FdtError:
    """Check the header of the tree that `data` begins with; what follows the tree is not looked at."""
    if len(data) < HEADER_SIZE:
        return FdtError.TRUNCATED
    if number_at(data, MAGIC_AT) != MAGIC:
        return FdtError.BAD_MAGIC
    if number_at(data, VERSION_AT) < VERSION or not VERSION_MIN <= number_at(data, COMPATIBLE_VERSION_AT) <= VERSION:
        return FdtError.BAD_VERSION
    size_bytes = u64(number_at(data, TOTAL_SIZE_AT))
    if not HEADER_SIZE <= size_bytes <= len(data):
        return FdtError.TRUNCATED
    structure = u64(number_at(data, STRUCTURE_AT))
    strings = u64(number_at(data, STRINGS_AT))
    tree = Fdt(
        data=data[0:size_bytes],
        start=address_of(data[0]),
        structure=structure,
        structure_end=structure + number_at(data, STRUCTURE_SIZE_AT),
        strings=strings,
        strings_end=strings + number_at(data, STRINGS_SIZE_AT),
        reservations=u64(number_at(data, RESERVATIONS_AT)),
    )
    is_inside = (
        HEADER_SIZE <= structure <= tree.structure_end <= size_bytes
        and HEADER_SIZE <= strings <= tree.strings_end <= size_bytes
        and HEADER_SIZE <= tree.reservations <= size_bytes
    )
    if not is_inside or (structure | tree.structure_end) % WORD_SIZE != 0 or tree.reservations % 8 != 0:
        return FdtError.BAD_BLOCKS
    return tree


@cold
def advance(tree: Fdt, at: Cursor) -> Step | FdtError:
    """Go on to the next token that is no NOP. A cursor starts with all fields zero, before the root."""
    token = _next_token(tree, at)
    if token == TOKEN_PROPERTY:
        return _pass_property(tree, at)
    if token == TOKEN_BEGIN_NODE:
        return _pass_node_name(tree, at)
    if token == TOKEN_END_NODE:
        if at.depth == 0:
            return FdtError.BAD_NESTING
        at.depth -= 1
        at.after_node = True
        return Step.END_NODE
    if token == TOKEN_END:
        return FdtError.BAD_NESTING if at.depth != 0 or not at.seen_root else Step.END
    return FdtError.TRUNCATED if token == TOKEN_NONE else FdtError.BAD_TOKEN


def _next_token(tree: Fdt, at: Cursor) -> u32:
    """Pass NOPs and the token after them; TOKEN_NONE at the end of the structure."""
    position = max(at.position, tree.structure)
    token: u32 = TOKEN_NOP
    while token == TOKEN_NOP and position < tree.structure_end:
        token = _word_at(tree.start.offset(position))  # both ends of the structure are whole words
        position = wrapping_add(position, WORD_SIZE)
    at.position = position
    return TOKEN_NONE if token == TOKEN_NOP else token


def _pass_node_name(tree: Fdt, at: Cursor) -> Step | FdtError:
    if at.depth == DEPTH_MAX:
        return FdtError.TOO_DEEP
    if at.depth == 0 and at.seen_root:
        return FdtError.BAD_NESTING
    end = at.position
    while end < tree.structure_end and tree.start[end] != NUL:
        end = wrapping_add(end, 1)
    if end == tree.structure_end:
        return FdtError.BAD_NAME
    at.name = at.position
    at.name_size = wrapping_sub(end, at.position)
    at.position = wrapping_add(end, WORD_SIZE) & ~WORD_MASK
    at.depth += 1
    at.seen_root = True
    at.after_node = False
    return Step.NODE


def _pass_property(tree: Fdt, at: Cursor) -> Step | FdtError:
    if at.depth == 0 or at.after_node:
        return FdtError.BAD_NESTING
    rest = wrapping_sub(tree.structure_end, at.position)
    if rest < 2 * WORD_SIZE:
        return FdtError.TRUNCATED
    header = tree.start.offset(at.position)
    size_bytes = u64(_word_at(header))
    name = wrapping_add(tree.strings, _word_at(header.offset(WORD_SIZE)))
    if name >= tree.strings_end:
        return FdtError.BAD_NAME
    if size_bytes > wrapping_sub(rest, 2 * WORD_SIZE):
        return FdtError.BAD_VALUE
    at.name = name
    at.size_bytes = size_bytes
    at.value = wrapping_add(at.position, 2 * WORD_SIZE)
    at.position = wrapping_add(at.value, size_bytes + WORD_MASK) & ~WORD_MASK
    return Step.PROPERTY


def skip_node(tree: Fdt, at: Cursor) -> FdtError | None:
    """Pass the rest of the node that the cursor is in, its children too."""
    outside = at.depth - 1
    while at.depth > outside:
        step = advance(tree, at)
        if isinstance(step, FdtError):
            return step
    return None


@no_inline
def text_is(tree: Fdt, position: u64, text: str) -> bool:
    """Whether the text there, up to its NUL, is `text`."""
    end = position + len(utf8(text))
    return end < len(tree.data) and tree.data[end] == NUL and same(tree.data[position:end], utf8(text))


@no_inline
def node_is(tree: Fdt, at: Cursor, name: str) -> bool:
    """Whether the node that the cursor has come to has that name, with or without a unit address."""
    size_bytes = len(utf8(name))
    if not begins_with(tree.data[at.name : at.name + at.name_size], utf8(name)):
        return False
    return at.name_size == size_bytes or tree.data[at.name + size_bytes] == AT_SIGN


@no_inline
def value_is(tree: Fdt, at: Cursor, text: str) -> bool:
    """Whether the value of the property is a list of texts that holds `text`."""
    start = at.value
    end = at.value + at.size_bytes
    for position in range(at.value, end):
        if tree.data[position] == NUL:
            if position - start == len(utf8(text)) and text_is(tree, start, text):
                return True
            start = position + 1
    return False


def cells_at(tree: Fdt, position: u64, count: u64) -> u64:
    """The number of `count` cells there, of which there are at most two."""
    if count == 0:
        return 0
    return number_at(tree.data, position) if count == 1 else long_at(tree.data, position)


@no_inline
def number_of(tree: Fdt, at: Cursor) -> u64 | FdtError:
    """The value of the property as a number, of one cell or two."""
    if at.size_bytes != WORD_SIZE and at.size_bytes != 2 * WORD_SIZE:
        return FdtError.BAD_VALUE
    return cells_at(tree, at.value, at.size_bytes // WORD_SIZE)
