"""Reads the properties of a node by a table: one row for each that matters, with its kind, its limits and its default.

What was read is in VALUES until the next node is read. Properties without a row are ignored; numbers may be of 4 or 8
bytes whatever their range, as bindings leave it open.
"""

from __future__ import annotations

from compiler.language import Array, EnumU8, Slice, array, cold, no_inline, static, string_at, struct, u8, u32, u64
from hypervisor.boot.fdt import WORD_SIZE, Cursor, Fdt, FdtError, Step, number_at, number_of, text_is, value_is
from hypervisor.boot.problems import PATH_COUNT_MAX, PROBLEM, Rule, fail, fail_wanted, next_step
from hypervisor.boot.texts import round_up

ROW_COUNT_MAX = 32
PAGE_SIZE = 4096
NUL = 0
U16_MAX = 0xFFFF
U32_MAX = 0xFFFF_FFFF
ADDRESS_MAX = 0xFFFF_FFFF_FFFF
"""48 bits; larger numbers are no addresses or sizes."""


class Kind(EnumU8):
    """What a value has to be."""

    NUMBER = 0
    FLAG = 1
    TEXT = 2
    CELLS = 3
    TEXTS = 4


@struct
class Property:
    """A row. `most` and `least`: the range of a number; `most`: characters of a text, entries of a list; `least`: cells
    of an entry."""

    name: str
    most: u64 = U32_MAX
    least: u32 = 0
    default: u32 = 0
    kind: Kind = Kind.NUMBER
    is_required: bool = False


def number(name: str, most: int = U32_MAX, least: int = 0, default: int = 0, is_required: bool = False) -> Property:
    """Row of a number."""
    return Property(name=name, most=most, least=least, default=default, is_required=is_required)


def flag(name: str) -> Property:
    """Row of a property that is there or is not."""
    return Property(name=name, kind=Kind.FLAG)


def text(name: str, most: int = U32_MAX, is_required: bool = False) -> Property:
    """Row of a text."""
    return Property(name=name, most=most, kind=Kind.TEXT, is_required=is_required)


def cells(name: str, most: int, entry_cells: int = 1, is_required: bool = False) -> Property:
    """Row of a list of at most `most` entries of `entry_cells` cells each."""
    return Property(name=name, most=most, least=entry_cells, kind=Kind.CELLS, is_required=is_required)


def texts(name: str) -> Property:
    """Row of a list of texts; see `check_texts`."""
    return Property(name=name, kind=Kind.TEXTS)


def index_of(rows: list[Property], name: str) -> int:
    """Where a row is, for the constants of code that uses its value."""
    return [row.name for row in rows].index(name)


@struct
class Values:
    """What was read for each row of a table."""

    is_present: Array[bool] = array(ROW_COUNT_MAX)
    numbers: Array[u64] = array(ROW_COUNT_MAX)
    """A number; for a list how many entries it has, for a text how many characters."""
    places: Array[u64] = array(ROW_COUNT_MAX)
    """Where a text or a list is in the tree."""


VALUES: Values = static(Values())


@cold
def read_properties(tree: Fdt, at: Cursor, rows: Slice[Property]) -> Step | Rule:
    """Read the properties of the node that the cursor has come to into VALUES; what comes after them.

    PROBLEM stays with the node: after a child was come to, `enter_node` goes there.
    """
    depth = PROBLEM.depth
    for index in range(len(rows)):
        VALUES.is_present[index] = False
        VALUES.numbers[index] = rows[index].default
    while True:
        step = next_step(tree, at)
        if isinstance(step, Rule) or step != Step.PROPERTY:
            break
        for index in range(len(rows)):
            if text_is(tree, at.name, rows[index].name):
                error = _read_value(tree, at, rows[index], index)
                if error is not None:
                    return error
                break
    if not isinstance(step, Rule):
        PROBLEM.depth = depth
        for index in range(len(rows)):
            if rows[index].is_required and not VALUES.is_present[index]:
                return fail(Rule.MISSING, rows[index].name)
    return step


def _read_value(tree: Fdt, at: Cursor, row: Property, index: u64) -> Rule | None:
    if VALUES.is_present[index]:
        return fail(Rule.TWICE, row.name)
    VALUES.is_present[index] = True
    VALUES.places[index] = at.value
    match row.kind:
        case Kind.NUMBER:
            return _read_number(tree, at, row, index)
        case Kind.FLAG:
            return fail(Rule.NOT_FLAG, row.name, at.size_bytes) if at.size_bytes != 0 else None
        case Kind.TEXT:
            return _read_text(tree, at, row, index)
        case Kind.CELLS:
            entry_size = u64(row.least) * WORD_SIZE
            if at.size_bytes % entry_size != 0:
                return fail(Rule.NOT_CELLS, row.name, at.size_bytes, entry_size)
            VALUES.numbers[index] = at.size_bytes // entry_size
            if VALUES.numbers[index] > row.most:
                return fail(Rule.TOO_MANY, row.name, VALUES.numbers[index], row.most)
            return None
        case Kind.TEXTS:
            VALUES.numbers[index] = at.size_bytes
            return None


def _read_number(tree: Fdt, at: Cursor, row: Property, index: u64) -> Rule | None:
    value = number_of(tree, at)
    if isinstance(value, FdtError):
        return fail(Rule.NOT_NUMBER, row.name, at.size_bytes)
    VALUES.numbers[index] = value
    if row.least <= value <= row.most:
        return None
    return fail(Rule.ONLY if row.least == row.most else Rule.OUT_OF_RANGE, row.name, value, row.least, row.most)


def _read_text(tree: Fdt, at: Cursor, row: Property, index: u64) -> Rule | None:
    """A text ends with the only NUL in it and is not empty."""
    characters: u64 = 0
    while characters < at.size_bytes and tree.data[at.value + characters] != NUL:
        characters += 1
    if characters == 0 or characters + 1 != at.size_bytes:
        return fail(Rule.NOT_TEXT, row.name, at.size_bytes)
    VALUES.numbers[index] = characters
    return fail(Rule.TEXT_LONG, row.name, characters, row.most) if characters > row.most else None


def enter_node(at: Cursor) -> None:
    """What follows is about the node that the cursor has come to."""
    PROBLEM.depth = min(at.depth, PATH_COUNT_MAX)


@cold
def check_texts(tree: Fdt, name: str, index: u64, wanted: str) -> Rule | None:
    """Whether the list of texts that was read for a row, called `name`, holds one."""
    if not VALUES.is_present[index]:
        return fail_wanted(Rule.MISSING_TEXT, name, wanted)
    place = Cursor(value=VALUES.places[index], size_bytes=VALUES.numbers[index])
    if value_is(tree, place, wanted):
        return None
    end = place.value
    while end < place.value + place.size_bytes and tree.data[end] != NUL:
        end += 1
    PROBLEM.text = string_at(tree.data[place.value : end])
    return fail_wanted(Rule.WRONG_TEXT, name, wanted)


def check_pages(name: str, value: u64) -> Rule | None:
    """Whether a size or address, which is at most ADDRESS_MAX, is a whole number of pages."""
    if value % PAGE_SIZE == 0:
        return None
    return fail(Rule.NOT_PAGES, name, value, round_up(value, PAGE_SIZE))


@no_inline
def text_of(tree: Fdt, index: u64) -> Slice[u8]:
    """The text that was read for a row; empty when there is none."""
    if not VALUES.is_present[index]:
        return tree.data[0:0]
    return tree.data[VALUES.places[index] : VALUES.places[index] + VALUES.numbers[index]]


@no_inline
def cell_of(tree: Fdt, index: u64, position: u64) -> u32:
    """A cell of the list that was read for a row."""
    return number_at(tree.data, VALUES.places[index] + position * WORD_SIZE)
