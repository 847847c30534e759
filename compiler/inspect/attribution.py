"""Which source line each instruction came from, as rows, as JSON, and counted by line.

Invariant: every instruction of a function is attributed exactly once; code without a line is attributed to none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from compiler.inspect.disassembly import Instruction, disassemble
from compiler.inspect.executable import Executable, Function


@dataclass(frozen=True, slots=True)
class Attributed:
    """An instruction and its place in the source; `line` is 0 and `path` empty where none is known."""

    instruction: Instruction
    path: str
    line: int


def attribute(executable: Executable, function: Function) -> Iterator[Attributed]:
    """Every instruction of `function` with its line, in address order."""
    rows = executable.lines.rows_between(function.address, function.end)
    position = -1
    for instruction in disassemble(function.code, function.address):
        while position + 1 < len(rows) and rows[position + 1].address <= instruction.address:
            position += 1
        row = rows[position] if position >= 0 else None
        if row is None or not row.line:
            yield Attributed(instruction, "", 0)
        else:
            yield Attributed(instruction, row.path, row.line)


def listing_json(executable: Executable) -> str:
    """The whole listing as JSON: functions with name, address, size_bytes and instructions, in address order.

    An instruction has address, word, mnemonic and operands; path and line where known, and refers_to (a name, maybe
    with an offset) where it branches to or forms an address.
    """
    functions = [
        {
            "name": function.name,
            "address": function.address,
            "size_bytes": len(function.code),
            "instructions": [_row(executable, item) for item in attribute(executable, function)],
        }
        for function in executable.functions
    ]
    return json.dumps({"entry": executable.entry, "functions": functions}, indent=1) + "\n"


def _row(executable: Executable, item: Attributed) -> dict[str, int | str]:
    instruction = item.instruction
    row: dict[str, int | str] = {
        "address": instruction.address,
        "word": instruction.word,
        "mnemonic": instruction.mnemonic,
        "operands": instruction.operands,
    }
    if item.line:
        row |= {"path": item.path, "line": item.line}
    target = executable.place(instruction.refers_to) if instruction.refers_to is not None else ""
    if target:
        row["refers_to"] = target
    return row


def instructions_by_line(executable: Executable) -> dict[str, dict[int, list[tuple[str, Instruction]]]]:
    """Path to line to (function, instruction) of everything that has a line; paths and lines in order.

    Where functions overlap, as an assembly block and the labels that it exports do, an instruction is the innermost's.
    """
    owners: dict[int, tuple[str, Attributed]] = {}
    for function in sorted(executable.functions, key=lambda function: (function.address, -len(function.code))):
        for item in attribute(executable, function):
            owners[item.instruction.address] = (function.name, item)
    found: dict[str, dict[int, list[tuple[str, Instruction]]]] = {}
    for _, (name, item) in sorted(owners.items()):
        if item.line:
            found.setdefault(item.path, {}).setdefault(item.line, []).append((name, item.instruction))
    return {path: dict(sorted(found[path].items())) for path in sorted(found)}
