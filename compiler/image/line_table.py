"""The line table that panic code reads on the target: from an address to function, file and line, without a heap.

The table lies in the section `.line_table` between `__line_table_start` and `__line_table_end`. All numbers are
little-endian; offsets count from the table's start; addresses count from `__text_start`, so that the table holds at
whatever address the image runs.

    header, 16 bytes
        0   u32  magic, 0x31544C54 ("TLT1")
        4   u32  function_count
        8   u32  file_count
        12  u32  size of the table in bytes
    functions, 8 bytes each, sorted by start; function i is at 16 + 8 * i
        0   u32  start: address of the first instruction
        4   u32  record: offset of the function's record
    files, 4 bytes each; file i is at 16 + 8 * function_count + 4 * i
        0   u32  path: offset of a text
    texts, each a u8 count of bytes followed by that many bytes of UTF-8
    records, at any alignment
        0   u16   instruction_count: the function covers [start, start + 4 * instruction_count)
        2   u16   file
        4   u16   line
        6   text  name, without the file's module: `find` of `core/partitions.py` for `core.partitions.find`
        ...      the line program, up to the last instruction

To find an address: take the last function whose start is not above it, by binary search; it is a hit if the address lies
within its instructions. Then run the program with `file` and `line` from the record, `saved_file` = `saved_line` = 0
and `at` = 0, until `at` exceeds the wanted instruction's index; its file and line are those of that moment. Bytes:

    0x10 to 0xFF   line += (byte - 0x10) / 4 - 30, then at += (byte - 0x10) % 4 + 1
    0x01 u8        at += operand
    0x02 i8        line += operand
    0x03 i32       line += operand
    0x04 u16 u32   saved_file = file, saved_line = line, file = first operand, line = second operand
    0x05           exchange file with saved_file and line with saved_line

Operands have no alignment. A return address belongs to the call before it: look up the address minus 4. Where inlining
mixes functions, file and line are those of the source text, the name is that of the function in the machine code.
A first line above 0xFFFF is written as 0xFFFF, and the program starts by changing it.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from compiler.link import LinkedImage, Script, Symbol, link, write_data_object

LINE_TABLE_SECTION = ".line_table"
MAGIC = 0x31544C54
TEXT_START = "__text_start"

_HEADER = struct.Struct("<IIII")
_FUNCTION = struct.Struct("<II")
_FILE = struct.Struct("<I")
_RECORD = struct.Struct("<HHH")
_INSTRUCTION_BYTES = 4
# 60 changes times 4 counts fill a byte above 0x10; these suit optimised code best, a median run has 2 instructions.
_SPECIAL, _LOWEST_CHANGE, _HIGHEST_CHANGE, _LONGEST_SPECIAL = 0x10, -30, 29, 4
_ADVANCE, _CHANGE_LINE, _CHANGE_LINE_FAR, _ENTER_FILE, _EXCHANGE = 1, 2, 3, 4, 5
_COUNT_MAX = 0xFFFF
_TEXT_BYTES_MAX = 255


class LineTableError(Exception):
    """The table cannot be built or placed; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where an address lies: `offset` is in bytes from the function's start."""

    function: str
    offset: int
    file: str
    line: int


_Run = tuple[int, str, int]
"""A number of instructions that belong to a line: (count, path, line)"""


def link_with_line_table(
    objects: Sequence[tuple[str, bytes]],
    script: Script,
    *,
    symbols: Mapping[str, int] | None = None,
    entry: str | None = None,
    relocatable: bool = False,
    keep: Sequence[str] = (),
) -> LinkedImage:
    """Links twice, as `compiler.link.link` does: to learn where the code lies, and with the table of it.

    The script places `.line_table` after the code, so that the second link moves no instruction; this is checked.
    Raises `LinkError` and `LineTableError`.
    """
    first = link(objects, script, symbols=symbols, entry=entry, relocatable=relocatable, keep=keep)
    table = write_data_object(LINE_TABLE_SECTION, build_line_table(first), {})
    extended = [*objects, ("<line table>", table)]
    second = link(extended, script, symbols=symbols, entry=entry, relocatable=relocatable, keep=keep)
    if first.functions != second.functions:
        raise LineTableError(
            f"the line table moves the code of {script.path}; place *({LINE_TABLE_SECTION}) after the code"
        )
    return second


def build_line_table(image: LinkedImage) -> bytes:
    """The table for `image`, from its function symbols and DWARF. Raises `LineTableError` and `DwarfError`."""
    start = image.symbols.get(TEXT_START)
    if start is None:
        raise LineTableError(f"the linker script does not define {TEXT_START}; assign it at the start of the code")
    functions = _disjoint(image.functions)
    runs = [_runs(image, function) for function in functions]
    files = {path: index for index, path in enumerate(sorted({path for each in runs for _, path, _ in each}))}
    head_bytes = _HEADER.size + _FUNCTION.size * len(functions) + _FILE.size * len(files)
    texts = bytearray()
    index = bytearray()
    for path in files:
        index += _FILE.pack(head_bytes + len(texts))
        texts += _text(path)
    records = bytearray()
    starts = bytearray()
    for function, lines in zip(functions, runs, strict=True):
        starts += _FUNCTION.pack(function.address - start.address, head_bytes + len(texts) + len(records))
        records += _record(function, lines, files)
    size = head_bytes + len(texts) + len(records)
    header = _HEADER.pack(MAGIC, len(functions), len(files), size)
    return header + bytes(starts) + bytes(index) + bytes(texts) + bytes(records)


def _disjoint(functions: Sequence[Symbol]) -> list[Symbol]:
    """The functions without those of size 0 and those that begin inside another."""
    result: list[Symbol] = []
    for function in functions:
        if function.size >= _INSTRUCTION_BYTES and (not result or function.address >= result[-1].end):
            if function.size // _INSTRUCTION_BYTES > _COUNT_MAX:
                raise LineTableError(
                    f"function {function.name} has {function.size} bytes, more than the line table's "
                    f"{_COUNT_MAX * _INSTRUCTION_BYTES}; divide it, or keep callees from being inlined"
                )
            result.append(function)
    return result


def _runs(image: LinkedImage, function: Symbol) -> list[_Run]:
    """The function's instructions as runs of equal file and line; code without a line belongs to what precedes it."""
    rows = image.lines.rows_between(function.address, function.end)
    known = [(max(row.address, function.address), row.path, row.line) for row in rows if row.line]
    if not known:
        return [(function.size // _INSTRUCTION_BYTES, "", 0)]
    known[0] = (function.address, *known[0][1:])
    ends = [address for address, _, _ in known[1:]] + [function.end]
    counted = [
        ((end - address) // _INSTRUCTION_BYTES, path, line)
        for (address, path, line), end in zip(known, ends, strict=True)
    ]
    merged = groupby((run for run in counted if run[0]), key=lambda run: run[1:])
    return [(sum(run[0] for run in group), path, line) for (path, line), group in merged]


def _text(text: str) -> bytes:
    data = text.encode()[-_TEXT_BYTES_MAX:]
    return bytes([len(data)]) + data


def _record(function: Symbol, lines: Sequence[_Run], files: Mapping[str, int]) -> bytes:
    _, path, line = lines[0]
    name = function.name.removeprefix(_module(path) + ".")
    first = min(line, _COUNT_MAX)
    fixed = _RECORD.pack(function.size // _INSTRUCTION_BYTES, files[path], first)
    return fixed + _text(name) + _program(lines, files, path, first)


def _module(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


def _program(lines: Sequence[_Run], files: Mapping[str, int], path: str, line: int) -> bytes:
    """The line program; the state before it is (`path`, `line`)."""
    code = bytearray()
    saved_path, saved_line = "", 0
    for count, wanted_path, wanted_line in lines:
        if wanted_path != path:
            if wanted_path == saved_path:
                code.append(_EXCHANGE)
                path, line, saved_path, saved_line = saved_path, saved_line, path, line
            else:
                code += struct.pack("<BHI", _ENTER_FILE, files[wanted_path], wanted_line)
                saved_path, saved_line, path, line = path, line, wanted_path, wanted_line
        change = wanted_line - line
        if not _LOWEST_CHANGE <= change <= _HIGHEST_CHANGE:
            near = -128 <= change <= 127
            code += struct.pack("<Bb" if near else "<Bi", _CHANGE_LINE if near else _CHANGE_LINE_FAR, change)
            change = 0
        line = wanted_line
        special = min(count, _LONGEST_SPECIAL)
        code.append(_SPECIAL + (change - _LOWEST_CHANGE) * _LONGEST_SPECIAL + special - 1)
        count -= special
        while count:
            step = min(count, 255)
            code += bytes([_ADVANCE, step])
            count -= step
    return bytes(code)


def find_location(table: bytes, offset: int) -> Location | None:
    """Reads the table as the code on the target does: the location of the address `__text_start` + `offset`."""
    magic, function_count, file_count, size = _HEADER.unpack_from(table)
    if magic != MAGIC or size > len(table):
        raise LineTableError(f"this is no line table: it starts with {magic:#x}, not with {MAGIC:#x}")
    starts = [_FUNCTION.unpack_from(table, _HEADER.size + _FUNCTION.size * i) for i in range(function_count)]
    found = bisect_right(starts, (offset, 0xFFFFFFFF)) - 1
    if found < 0:
        return None
    start, record = starts[found]
    instruction_count, file, line = _RECORD.unpack_from(table, record)
    index = (offset - start) // _INSTRUCTION_BYTES
    if index >= instruction_count:
        return None
    name_at: int = record + _RECORD.size
    name = _read_text(table, name_at)
    file, line = _execute(table, name_at + 1 + table[name_at], file, line, index)
    assert file < file_count
    (path_at,) = _FILE.unpack_from(table, _HEADER.size + _FUNCTION.size * function_count + _FILE.size * file)
    return Location(name, offset - start, _read_text(table, path_at), line)


def _read_text(table: bytes, at: int) -> str:
    return table[at + 1 : at + 1 + table[at]].decode("utf-8", "replace")


def _execute(table: bytes, program: int, file: int, line: int, index: int) -> tuple[int, int]:
    """Runs the line program at `program` until it covers instruction `index`; returns its file and line."""
    saved_file = saved_line = at = 0
    while at <= index:
        opcode = table[program]
        program += 1
        if opcode >= _SPECIAL:
            line += (opcode - _SPECIAL) // _LONGEST_SPECIAL + _LOWEST_CHANGE
            at += (opcode - _SPECIAL) % _LONGEST_SPECIAL + 1
        elif opcode == _ADVANCE:
            at += table[program]
            program += 1
        elif opcode in (_CHANGE_LINE, _CHANGE_LINE_FAR):
            form = "<b" if opcode == _CHANGE_LINE else "<i"
            line += struct.unpack_from(form, table, program)[0]
            program += struct.calcsize(form)
        elif opcode == _ENTER_FILE:
            saved_file, saved_line = file, line
            file, line = struct.unpack_from("<HI", table, program)
            program += 6
        else:
            file, line, saved_file, saved_line = saved_file, saved_line, file, line
    return file, line
