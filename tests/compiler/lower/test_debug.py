"""What gdb-multiarch shows of compiled dialect code, stopped on QEMU and from the file alone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from compiler.check import check_source
from compiler.lower import Optimisation, TargetOptions, lower
from tests.tools import debian_tool

SOURCE = '''"""A program to debug."""

from __future__ import annotations

from compiler.language import (
    Array, Bits, EnumU8, PhysAddr, Ptr, Slice, array, bit, bits, export, no_inline, static, struct, u8, u32, u64,
)


class State(EnumU8):
    OFF = 0
    RUNNING = 3


class Control(Bits, base=u32):
    ENABLE = bit(0)
    LEVEL = bits(7, 4)


@struct
class Node:
    next: Ptr[Node] | None = None
    state: State = State.OFF
    control: Control = Control(0x50)
    values: Array[u32] = array(4)
    base: PhysAddr = PhysAddr(0x4000)


@struct
class Tree:
    root: Node = Node()
    count: u64 = 0


tree: Tree = static(Tree())


@no_inline
def total(values: Slice[u32], start: u64, node: Node, on: bool, level: u8) -> u64:
    result: u64 = start
    for value in values:
        result += value  # in the loop
    if on:
        node.values[1] = 7
    return result  # at the end


@export("entry")
def entry(count: u64, state: State) -> u64:
    tree.count = count
    tree.root.state = state
    answer = total(tree.root.values, count, tree.root, count > 3, 9)
    return answer
'''


def line_of(comment: str) -> int:
    """The line that ends with this comment."""
    return next(number for number, line in enumerate(SOURCE.splitlines(), 1) if line.endswith(comment))


def _linked(folder: Path, optimisation: Optimisation) -> Path:
    (folder / "program.py").write_text(SOURCE)
    lowered = lower(check_source(SOURCE, ["entry"]), TargetOptions(optimisation=optimisation))
    (folder / "x.o").write_bytes(lowered.object)
    command = [debian_tool("ld.lld"), "--image-base=0x40100000", "-e", "entry", "-o", "x.elf", "x.o"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "x.elf"


def _gdb(folder: Path, *commands: str) -> str:
    arguments = [part for command in commands for part in ("-ex", command)]
    command = [debian_tool("gdb-multiarch"), "-q", "-nx", "-batch", "-ex", "set confirm off", "x.elf", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False
    ).stdout


def test_gdb_stops_at_lines_and_shows_variables_as_the_source_means_them(tmp_path: Path) -> None:
    _linked(tmp_path, Optimisation.DEBUG)
    qemu = f"{debian_tool('qemu-system-aarch64')} -machine virt -cpu cortex-a72 -m 64 -display none -S -gdb stdio"
    start = ["set $sp=0x42000000", "set $x29=0", "set $x30=0", "set $x0=5", "set $x1=3", "set $pc=entry"]
    shown = _gdb(
        tmp_path,
        f"target remote | {qemu} -kernel x.elf",
        *start,
        f"break program.py:{line_of('# in the loop')}",
        "continue",
        "bt",
        "info args",
        "print node.state",
        "print *values.start@values.count",
        "delete 1",
        f"break program.py:{line_of('# at the end')}",
        "continue",
        "info locals",
        "print tree",
        "finish",
        "kill",  # ends QEMU, which would run on when gdb leaves
    )
    assert "result += value  # in the loop" in shown
    assert re.search(r"#0  total \(values=\.\.\., start=5, node=\.\.\., on=true, level=9 .*\) at program\.py", shown)
    assert re.search(r"#1  0x\w+ in entry \(count=5, state=RUNNING\) at program\.py", shown)
    assert "control = {ENABLE = 0, LEVEL = 5}, values = {0, 0, 0, 0}, base = 16384}" in shown
    assert "$1 = RUNNING" in shown
    assert "$2 = {0, 0, 0, 0}" in shown
    assert "result = 5\nvalue = 0\n" in shown
    assert re.search(r"\$3 = \{root = \{next = 0x0, state = RUNNING, .* values = \{0, 7, 0, 0\}.*count = 5\}", shown)
    assert "Value returned is $4 = 5" in shown


@pytest.mark.parametrize("optimisation", list(Optimisation))
def test_types_and_lines_are_in_the_file(tmp_path: Path, optimisation: Optimisation) -> None:
    _linked(tmp_path, optimisation)
    shown = _gdb(
        tmp_path,
        f"info line program.py:{line_of('# in the loop')}",
        "info address total",
        "whatis tree",
        "ptype tree.root",
        "ptype total",
        "print sizeof(tree)",
        "print (enum State)3",
        "info source",
        "list entry",
    )
    assert re.search(r'Line \d+ of "program\.py" starts at address 0x\w+ <total\+\d+> and ends at', shown)
    assert 'Symbol "total" is a function at address' in shown
    assert "type = struct Tree" in shown
    for member in (
        "struct Node *next;",
        "enum State state;",
        "struct Control control;",
        "u32 values[4];",
        "PhysAddr base;",
    ):
        assert member in shown
    assert "$1 = 48" in shown
    assert "$2 = RUNNING" in shown
    assert "def entry(count: u64, state: State) -> u64:" in shown


def test_paths_in_the_file_do_not_depend_on_the_machine(tmp_path: Path) -> None:
    data = _linked(tmp_path, Optimisation.SPEED).read_bytes()
    assert str(tmp_path).encode() not in data
    assert str(Path.cwd()).encode() not in data
