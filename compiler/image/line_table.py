"""The line table that panic code reads on the target: from an address to function, file and line, without a heap.

The table lies in the section `.line_table` between `__line_table_start` and `__line_table_end`. All numbers are
little-endian; offsets count from the table's start; addresses count from `__text_start`, so that the table holds at
whatever address the image runs.

    header, 20 bytes
        0   u32  magic, 0x31544C54 ("TLT1")
        4   u32  function_count
        8   u32  file_count
        12  u32  word_count
        16  u32  size of the table in bytes
    functions, 6 bytes each, sorted by start; function i is at 20 + 6 * i
        0   u24  start: address of the first instruction, divided by 4
        3   u24  record: offset of the function's record
    files, 4 bytes each; file i is at 20 + 6 * function_count + 4 * i
        0   u32  path: offset of a text
    words, 4 bytes each, at most 128; word i is at 20 + 6 * function_count + 4 * file_count + 4 * i
        0   u32  word: offset of a text, all of whose bytes are below 0x80
    texts, each a u8 count of bytes followed by that many bytes: one below 0x80 is an ASCII character, any other
        stands for the word of that number less 0x80; characters outside of ASCII are written as ?
    records, at any alignment
        0   u16   instruction_count: the function covers [start, start + 4 * instruction_count)
        2   u16   file
        4   u16   line
        6   text  name, without the file's module: `find` of `core/partitions.py` for `core.partitions.find`
        ...      the line program, up to the last instruction

To find an address: take the last function whose start is not above it, by binary search; it is a hit if the address
lies within its instructions. Then run the program with `file` and `line` from the record, `saved_file` = 0,
`saved_line` = 0 and `at` = 0, until `at` exceeds the wanted instruction's index; its file and line are those of that
moment. Bytes:

    0x10 to 0xFF   line += (byte - 0x10) / 4 - 30, then at += (byte - 0x10) % 4 + 1
    0x01 u8        at += operand
    0x02 i8        line += operand
    0x03 i32       line += operand
    0x04 u16 u32   saved_file = file, saved_line = line, file = first operand, line = second operand
    0x05           exchange file with saved_file and line with saved_line
    0x06 u8 u16    as 0x04, with shorter operands

Only instructions that reports are about have their own line: calls, traps, system instructions. What stands between
them (arithmetic, branches, accesses to memory, which fault only when a check is missing) has that of the one before it,
or of the function's first.

Operands have no alignment. A return address belongs to the call before it: look up the address minus 4. Where inlining
mixes functions, file and line are those of the source text, the name is that of the function in the machine code.
A first line above 0xFFFF is written as 0xFFFF, and the program starts by changing it.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from compiler.link import LinkedImage, Script, Symbol, link, write_data_object

LINE_TABLE_SECTION = ".line_table"
MAGIC = 0x31544C54
TEXT_START = "__text_start"

_HEADER = struct.Struct("<IIIII")
_FUNCTION_BYTES, _FUNCTION_FIELD_BYTES = 6, 3
_OFFSET = struct.Struct("<I")
_RECORD = struct.Struct("<HHH")
_INSTRUCTION_BYTES = 4
# 60 changes times 4 counts fill a byte above 0x10; these suit optimised code best, a median run has 2 instructions.
_SPECIAL, _LOWEST_CHANGE, _HIGHEST_CHANGE, _LONGEST_SPECIAL = 0x10, -30, 29, 4
_ADVANCE, _CHANGE_LINE, _CHANGE_LINE_FAR, _ENTER_FILE, _EXCHANGE, _ENTER_FILE_SHORT = 1, 2, 3, 4, 5, 6
_COUNT_MAX = 0xFFFF
_TEXT_BYTES_MAX = 255
_FIRST_WORD, _WORDS_MAX = 0x80, 128
_WORD = re.compile(r"[^_./]*[_./]|[^_./]+")


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
    runs = [_runs(image, function, _code(image, function)) for function in functions]
    files = {path: index for index, path in enumerate(sorted({path for each in runs for _, path, _ in each}))}
    names = [_short_name(function, lines) for function, lines in zip(functions, runs, strict=True)]
    words = _choose_words([*files, *names])
    numbers = {word: index for index, word in enumerate(words)}
    head_bytes = _HEADER.size + _FUNCTION_BYTES * len(functions) + _OFFSET.size * (len(files) + len(words))
    index, body = bytearray(), bytearray()
    for text in (*(_text(path, numbers) for path in files), *(_text(word, {}) for word in words)):
        index += _OFFSET.pack(head_bytes + len(body))
        body += text
    starts = bytearray()
    for function, lines, name in zip(functions, runs, names, strict=True):
        first = (function.address - start.address) // _INSTRUCTION_BYTES
        starts += _field(first, function) + _field(head_bytes + len(body), function)
        body += _record(function, lines, files, _text(name, numbers))
    header = _HEADER.pack(MAGIC, len(functions), len(files), len(words), head_bytes + len(body))
    return header + bytes(starts) + bytes(index) + bytes(body)


def _field(value: int, function: Symbol) -> bytes:
    try:
        return value.to_bytes(_FUNCTION_FIELD_BYTES, "little")
    except OverflowError as error:
        fix = "start at most 64 MiB of code with __text_start, and divide larger images"
        raise LineTableError(f"function {function.name} lies outside of the line table's reach; {fix}") from error


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


def can_be_reported(word: int) -> bool:
    """Whether an instruction calls, traps or reaches system registers (DDI 0487, C4.1)."""
    if word >> 26 & 0b111 != 0b101:
        return False  # data processing, loads and stores
    is_compare_branch = word >> 25 & 0b0111111 in (0b011010, 0b011011)
    is_plain_branch = word >> 26 == 0b000101 or word >> 25 == 0b0101010 or is_compare_branch
    return not is_plain_branch and word & 0xFFFF_F01F != 0xD503_201F  # hints


def _code(image: LinkedImage, function: Symbol) -> list[int]:
    """The words of a function's instructions."""
    section = next(item for item in image.sections if item.address <= function.address < item.end)
    start = function.address - section.address
    return [word for (word,) in struct.iter_unpack("<I", section.data[start : start + function.size & ~3])]


def _runs(image: LinkedImage, function: Symbol, code: Sequence[int]) -> list[_Run]:
    """The function's instructions as runs of equal file and line; code without a line belongs to what precedes it."""
    places = [(path, line) for run_count, path, line in _all_runs(image, function) for _ in range(run_count)]
    current = next((place for place, word in zip(places, code, strict=True) if can_be_reported(word)), places[0])
    kept: list[tuple[str, int]] = []
    for place, word in zip(places, code, strict=True):
        current = place if can_be_reported(word) else current
        kept.append(current)
    return [(len(list(group)), path, line) for (path, line), group in groupby(kept)]


def _all_runs(image: LinkedImage, function: Symbol) -> list[_Run]:
    """The same for every instruction."""
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


def _words_of(text: str) -> list[str]:
    """The pieces of a name or path, each with the separator after it: `page_`, `table.`, `walk`."""
    return _WORD.findall(text)


def _choose_words(texts: Sequence[str]) -> list[str]:
    """The words that save most bytes when each use takes one."""
    uses = Counter(word for text in texts for word in _words_of(text) if word.isascii())
    saved = {word: (count - 1) * (len(word) - 1) - _OFFSET.size - 2 for word, count in uses.items()}
    worthwhile = sorted((word for word in saved if saved[word] > 0), key=lambda word: (-saved[word], word))
    return worthwhile[:_WORDS_MAX]


def _text(text: str, numbers: Mapping[str, int]) -> bytes:
    data = b"".join(
        bytes([_FIRST_WORD + numbers[word]]) if word in numbers else word.encode("ascii", "replace")
        for word in _words_of(text)
    )
    data = data[-_TEXT_BYTES_MAX:]
    return bytes([len(data)]) + data


def _short_name(function: Symbol, lines: Sequence[_Run]) -> str:
    module = lines[0][1].removesuffix(".py").replace("/", ".")
    return function.name.removeprefix(module + ".")


def _record(function: Symbol, lines: Sequence[_Run], files: Mapping[str, int], name: bytes) -> bytes:
    _, path, line = lines[0]
    first = min(line, _COUNT_MAX)
    fixed = _RECORD.pack(function.size // _INSTRUCTION_BYTES, files[path], first)
    return fixed + name + _program(lines, files, path, first)


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
                short = files[wanted_path] <= 0xFF and wanted_line <= 0xFFFF
                opcode, form = (_ENTER_FILE_SHORT, "<BBH") if short else (_ENTER_FILE, "<BHI")
                code += struct.pack(form, opcode, files[wanted_path], wanted_line)
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
    magic, function_count, file_count, _, size = _HEADER.unpack_from(table)
    if magic != MAGIC or size > len(table):
        raise LineTableError(f"this is no line table: it starts with {magic:#x}, not with {MAGIC:#x}")
    wanted = offset // _INSTRUCTION_BYTES
    found = bisect_right(range(function_count), wanted, key=lambda index: _function(table, index)[0]) - 1
    if found < 0:
        return None
    start, record = _function(table, found)
    instruction_count, file, line = _RECORD.unpack_from(table, record)
    index = wanted - start
    if index >= instruction_count:
        return None
    name_at: int = record + _RECORD.size
    file, line = _execute(table, name_at + 1 + table[name_at], file, line, index)
    files = _HEADER.size + _FUNCTION_BYTES * function_count
    words = files + _OFFSET.size * file_count
    (path_at,) = _OFFSET.unpack_from(table, files + _OFFSET.size * file)
    return Location(
        _read_text(table, name_at, words), offset - start * _INSTRUCTION_BYTES, _read_text(table, path_at, words), line
    )


def _function(table: bytes, index: int) -> tuple[int, int]:
    """Start (in instructions) and record of a function."""
    at = _HEADER.size + _FUNCTION_BYTES * index
    middle, end = at + _FUNCTION_FIELD_BYTES, at + _FUNCTION_BYTES
    return int.from_bytes(table[at:middle], "little"), int.from_bytes(table[middle:end], "little")


def _read_text(table: bytes, at: int, words: int) -> str:
    """The text at `at`; `words` is the offset of the word index."""
    result = ""
    for byte in table[at + 1 : at + 1 + table[at]]:
        if byte < _FIRST_WORD:
            result += chr(byte)
        else:
            (word_at,) = _OFFSET.unpack_from(table, words + _OFFSET.size * (byte - _FIRST_WORD))
            result += table[word_at + 1 : word_at + 1 + table[word_at]].decode("ascii")
    return result


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
        elif opcode in (_ENTER_FILE, _ENTER_FILE_SHORT):
            saved_file, saved_line = file, line
            form = "<HI" if opcode == _ENTER_FILE else "<BH"
            file, line = struct.unpack_from(form, table, program)
            program += struct.calcsize(form)
        else:
            file, line, saved_file, saved_line = saved_file, saved_line, file, line
    return file, line
