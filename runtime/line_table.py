"""From an address in the text to function, file and line: reads the table that the build puts into the image.

The format is defined in `compiler/image/line_table.py`. Reads are bounds-checked, so a damaged table ends in another
panic and not in a wild read.
"""

from __future__ import annotations

from compiler.language import (
    Ptr,
    Slice,
    Value,
    i8,
    i32,
    i64,
    linker_symbol,
    no_inline,
    slice_of,
    struct,
    truncate,
    u8,
    u64,
)
from runtime.text import SPACE, TextBuffer, render

TEXT_START = linker_symbol("__text_start")
TABLE_START = linker_symbol("__line_table_start")
TABLE_END = linker_symbol("__line_table_end")

MAGIC = 0x31544C54
HEADER_SIZE = 20
FUNCTION_SIZE = 6
FILE_SIZE = 4
WORD_SIZE = 4
RECORD_HEADER_SIZE = 6
FIRST_WORD = 0x80

ADVANCE = 0x01
LINE_ADD_8 = 0x02
LINE_ADD_32 = 0x03
CHANGE_FILE = 0x04
EXCHANGE_FILE = 0x05
CHANGE_FILE_SHORT = 0x06
FIRST_COMBINED = 0x10
COMBINED_LINE_BASE = 30


@struct
class Location:
    """Offsets of texts in the table, and a line."""

    name: u64 = 0
    file: u64 = 0
    line: u64 = 0


@struct
class Cursor:
    """State of a line program."""

    position: u64 = 0
    """Offset of the next byte of the program."""
    at: u64 = 0
    """Instructions covered so far."""
    file: u64 = 0
    line: u64 = 0
    saved_file: u64 = 0
    saved_line: u64 = 0


def own_table() -> Slice[u8]:
    """The table of the program that this is part of."""
    return slice_of(Ptr[u8].at(TABLE_START.address()), TABLE_END.address() - TABLE_START.address())


@no_inline
def little_endian(table: Slice[u8], offset: u64, size: u64) -> u64:
    """The number of `size` bytes at `offset`."""
    value: u64 = 0
    for index in range(size):
        value |= u64(table[offset + index]) << (8 * index)
    return value


def put_location(buffer: TextBuffer, table: Slice[u8], instruction: u64) -> None:
    """Append function, file and line of an instruction, each after a space; nothing where the table does not tell."""
    location = locate(table, instruction)
    if location is not None:
        buffer.put(SPACE)
        put_text(buffer, table, location.name)
        buffer.put(SPACE)
        put_text(buffer, table, location.file)
        render(buffer, f":{location.line}")


def locate(table: Slice[u8], instruction: u64) -> Value[Location] | None:
    """The location of the instruction with this index, counted from the start of the text."""
    if len(table) < HEADER_SIZE or little_endian(table, 0, 4) != MAGIC:
        return None
    function_count = little_endian(table, 4, 4)
    index = _last_function_up_to(table, function_count, instruction)
    if index is None:
        return None
    entry = HEADER_SIZE + FUNCTION_SIZE * index
    start = little_endian(table, entry, 3)
    record = little_endian(table, entry + 3, 3)
    if instruction - start >= little_endian(table, record, 2):
        return None
    name = record + RECORD_HEADER_SIZE
    cursor = Cursor(
        position=name + 1 + table[name],
        file=little_endian(table, record + 2, 2),
        line=little_endian(table, record + 4, 2),
    )
    while cursor.at <= instruction - start:
        _step(table, cursor)
    file_entry = HEADER_SIZE + FUNCTION_SIZE * function_count + FILE_SIZE * cursor.file
    return Location(name=name, file=little_endian(table, file_entry, 4), line=cursor.line)


def _last_function_up_to(table: Slice[u8], function_count: u64, instruction: u64) -> u64 | None:
    """Binary search for the last function that starts at or before an instruction."""
    low: u64 = 0
    high = function_count
    while low < high:
        middle = (low + high) // 2
        if little_endian(table, HEADER_SIZE + FUNCTION_SIZE * middle, 3) <= instruction:
            low = middle + 1
        else:
            high = middle
    if low == 0:
        return None
    return low - 1


def _step(table: Slice[u8], cursor: Cursor) -> None:
    """Run one byte of a line program, with its operands."""
    code = u64(table[cursor.position])
    operand = cursor.position + 1
    if code >= FIRST_COMBINED:
        cursor.position = operand
        cursor.line = cursor.line + (code - FIRST_COMBINED) // 4 - COMBINED_LINE_BASE
        cursor.at += (code - FIRST_COMBINED) % 4 + 1
    elif code == ADVANCE:
        cursor.position = operand + 1
        cursor.at += table[operand]
    elif code == LINE_ADD_8:
        cursor.position = operand + 1
        cursor.line = add_signed(cursor.line, truncate(i8, table[operand]))
    elif code == LINE_ADD_32:
        cursor.position = operand + 4
        cursor.line = add_signed(cursor.line, truncate(i32, little_endian(table, operand, 4)))
    elif code == CHANGE_FILE or code == CHANGE_FILE_SHORT:  # noqa: SIM109 - the dialect has no `in`
        file_size: u64 = 2 if code == CHANGE_FILE else 1
        cursor.position = operand + file_size * 3
        cursor.saved_file = cursor.file
        cursor.saved_line = cursor.line
        cursor.file = little_endian(table, operand, file_size)
        cursor.line = little_endian(table, operand + file_size, file_size * 2)
    else:
        assert code == EXCHANGE_FILE, "damaged line table"
        cursor.position = operand
        cursor.file, cursor.saved_file = cursor.saved_file, cursor.file
        cursor.line, cursor.saved_line = cursor.saved_line, cursor.line


def add_signed(line: u64, change: i64) -> u64:
    """Lines go up and down."""
    return u64(i64(line) + change)


def put_text(buffer: TextBuffer, table: Slice[u8], text: u64) -> None:
    """Append a text of the table, its words spelt out."""
    words = HEADER_SIZE + FUNCTION_SIZE * little_endian(table, 4, 4) + FILE_SIZE * little_endian(table, 8, 4)
    for byte in table[text + 1 : text + 1 + table[text]]:
        if byte < FIRST_WORD:
            buffer.put(byte)
        else:
            word = little_endian(table, words + WORD_SIZE * u64(byte - FIRST_WORD), 4)
            buffer.put_text(table[word + 1 : word + 1 + table[word]])
