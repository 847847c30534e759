"""What is read of the machine's tree, and every limit of it."""

from __future__ import annotations

from typing import Any

import pytest

from compiler.host import Interpreter
from compiler.host.native import Native
from hypervisor.boot.board import (
    CPU_COUNT_MAX,
    MEMORY_COUNT_MAX,
    RESERVED_COUNT_MAX,
    Board,
    BoardError,
)
from hypervisor.boot.fdt import FdtError
from tests.host.boot.device_trees import compiled, qemu_tree
from tests.host.boot.machine import ENGINES, session

Engine = type[Interpreter] | type[Native]
CPU = 'cpus { #address-cells = <1>; #size-cells = <0>; cpu@0 { device_type = "cpu"; reg = <0>; }; };'
MEMORY = 'memory@1000 { device_type = "memory"; reg = <0 0x1000 0 0x1000>; };'
CELLS = "#address-cells = <2>; #size-cells = <2>;"


def read(data: bytes, engine: Engine = Native) -> tuple[BoardError | None, Any]:
    board = session(engine).new(Board)
    return session(engine).call("read_whole_board", data, board), board


def ranges(array: Any, count: int) -> list[tuple[int, int]]:
    return [(array[index].base, array[index].size_bytes) for index in range(count)]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_board_of_qemu(engine: Engine) -> None:
    error, board = read(qemu_tree(4), engine)
    assert error is None
    assert ranges(board.memory, board.memory_count) == [(0x4000_0000, 0x4000_0000)]
    assert [board.cpus[index] for index in range(board.cpu_count)] == [0, 1, 2, 3]
    assert (board.initrd_start, board.initrd_end, board.reserved_count) == (0, 0, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_everything_that_is_read(engine: Engine) -> None:
    data = compiled(
        f"""
        /memreserve/ 0x100000000 0x2000;
        / {{
            {CELLS}
            memory@80000000 {{ device_type = "memory"; reg = <1 0 1 0>, <0 0x80000000 0 0x10000000>, <5 0 0 0>; }};
            memory@0 {{ device_type = "memory"; reg = <0 0 0 0x8000000>; extra {{ reg = <1>; }}; }};
            memory@9 {{ device_type = "memory"; status = "disabled"; reg = <9 0 0 0x8000000>; }};
            memory-controller@0 {{ reg = <0 0 0 1>; }};
            soc {{ memory@7 {{ device_type = "memory"; reg = <7>; }}; cpus {{ cpu@9 {{ reg = <9>; }}; }}; }};
            reserved-memory {{
                {CELLS}
                firmware@4000 {{ reg = <0 0x4000 0 0x1000>; no-map; }};
                later {{ size = <0 0x1000>; }};
            }};
            cpus {{
                #address-cells = <2>;
                #size-cells = <0>;
                cpu-map {{ cluster0 {{ core0 {{ cpu = <1>; }}; }}; }};
                cpu@0 {{ device_type = "cpu"; reg = <0 0>; cache {{ }}; }};
                cpu@100 {{ device_type = "cpu"; reg = <0 0x100>; status = "okay"; }};
                cpu@101 {{ device_type = "cpu"; reg = <0 0x101>; status = "fail"; }};
                cpu@100000000 {{ device_type = "cpu"; reg = <1 0>; }};
                l2-cache {{ reg = <4 4>; }};
            }};
            chosen {{ linux,initrd-end = <0x48001000>; linux,initrd-start = <0 0x48000000>; }};
        }};
        """
    )
    error, board = read(data, engine)
    assert error is None
    assert ranges(board.memory, board.memory_count) == [
        (0, 0x800_0000),
        (0x8000_0000, 0x1000_0000),
        (1 << 32, 1 << 32),
    ]
    assert ranges(board.reserved, board.reserved_count) == [(1 << 32, 0x2000), (0x4000, 0x1000)]
    assert [board.cpus[index] for index in range(board.cpu_count)] == [0, 0x100, 1 << 32]
    assert (board.initrd_start, board.initrd_end) == (0x4800_0000, 0x4800_1000)
    assert (board.initrd_start_place.size_bytes, board.initrd_end_place.size_bytes) == (8, 4)


def root(content: str) -> bytes:
    return compiled(f"/ {{ {CELLS} {content} }};")


def many_cpus(count: int) -> str:
    nodes = " ".join(f"cpu@{number:x} {{ reg = <{number}>; }};" for number in range(count))
    return f"cpus {{ #address-cells = <1>; #size-cells = <0>; {nodes} }};"


def many_ranges(name: str, count: int) -> str:
    cells = " ".join(f"<0 {index * 0x2000:#x} 0 0x1000>," for index in range(count)).rstrip(",")
    return f"{name} {{ reg = {cells}; }};"


DEFECTS = {
    "no memory": (root(CPU), BoardError.NO_MEMORY),
    "memory of no bytes": (root("memory { reg = <0 0 0 0>; };" + CPU), BoardError.NO_MEMORY),
    "no CPUs": (root(MEMORY), BoardError.NO_CPUS),
    "no enabled CPU": (root(MEMORY + 'cpus { cpu@0 { reg = <0 0 0>; status = "no"; }; };'), BoardError.NO_CPUS),
    "three cells": (compiled(f"/ {{ #address-cells = <3>; {MEMORY} {CPU} }};"), BoardError.CELLS),
    "three cells of size": (compiled(f"/ {{ #size-cells = <3>; {MEMORY} {CPU} }};"), BoardError.CELLS),
    "cells of two cells": (compiled(f"/ {{ #size-cells = <0 1>; {MEMORY} {CPU} }};"), BoardError.CELLS),
    "no cells": (compiled(f"/ {{ #address-cells = <0>; #size-cells = <0>; {MEMORY} }};"), BoardError.REG),
    "memory without reg": (root('memory { device_type = "memory"; };' + CPU), BoardError.REG),
    "half an entry": (root("memory { reg = <0 0x1000 0>; };" + CPU), BoardError.REG),
    "end of the address space": (root("memory { reg = <0xffffffff 0 0xffff 0>; };" + CPU), BoardError.REG),
    "CPU without reg": (root(MEMORY + "cpus { cpu@0 { }; };"), BoardError.REG),
    "CPU that is no affinity": (root(MEMORY + "cpus { cpu@0 { reg = <0 0x80000000 1>; }; };"), BoardError.REG),
    "reservation that wraps": (
        compiled(f"/memreserve/ 0xfffffffffffff000 0x2000; / {{ {CELLS} {MEMORY} {CPU} }};"),
        BoardError.REG,
    ),
    "same memory twice": (root("memory { reg = <0 0 0 9>, <0 0 0 9>; };" + CPU), BoardError.OVERLAP),
    "overlap with the next": (root("memory { reg = <0 8 0 9>, <0 0 0 9>; };" + CPU), BoardError.OVERLAP),
    "overlap with the one before": (root("memory { reg = <0 0 0 9>, <0 8 0 9>; };" + CPU), BoardError.OVERLAP),
    "too many ranges": (root(many_ranges("memory", MEMORY_COUNT_MAX + 1) + CPU), BoardError.TOO_MANY),
    "too many CPUs": (root(MEMORY + many_cpus(CPU_COUNT_MAX + 1)), BoardError.TOO_MANY),
    "too many reserved ranges": (
        root(f"reserved-memory {{ {CELLS} {many_ranges('x', RESERVED_COUNT_MAX + 1)} }};"),
        BoardError.TOO_MANY,
    ),
    "ramdisk without end": (root(MEMORY + CPU + "chosen { linux,initrd-start = <1>; };"), BoardError.INITRD),
    "ramdisk without start": (root(MEMORY + CPU + "chosen { linux,initrd-end = <1>; };"), BoardError.INITRD),
    "ramdisk of three cells": (root(MEMORY + CPU + "chosen { linux,initrd-end = <1 2 3>; };"), BoardError.INITRD),
    "ramdisk that ends before it starts": (
        root(MEMORY + CPU + "chosen { linux,initrd-start = <2>; linux,initrd-end = <1>; };"),
        BoardError.INITRD,
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("defect", DEFECTS)
def test_every_defect_is_an_error(engine: Engine, defect: str) -> None:
    data, expected = DEFECTS[defect]
    assert read(data, engine)[0] is expected


@pytest.mark.parametrize("count", [CPU_COUNT_MAX, 1])
def test_as_many_as_there_is_room_for(count: int) -> None:
    error, board = read(root(many_ranges("memory", MEMORY_COUNT_MAX) + many_cpus(count)))
    assert (error, board.cpu_count, board.memory_count) == (None, count, MEMORY_COUNT_MAX)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_malformed_tree_says_how(engine: Engine) -> None:
    data = root(MEMORY + CPU)
    error, board = read(data[: -len(data) + 60], engine)
    assert (error, board.tree_error) == (BoardError.TREE, FdtError.TRUNCATED.value)
    ends = data.rindex(b"\0\0\0\x09")
    error, board = read(data[:ends] + b"\0\0\0\x05" + data[ends + 4 :], engine)
    assert (error, board.tree_error) == (BoardError.TREE, FdtError.BAD_TOKEN.value)


@pytest.mark.parametrize("where", ["root", "memory", "cpus", "cpu", "soc"])
def test_a_defect_is_found_in_every_part_of_the_tree(where: str) -> None:
    nodes = {
        "root": "bad = <0x55>;" + MEMORY + CPU,
        "memory": "memory { bad = <0x55>; reg = <0 0 0 1>; };" + CPU,
        "cpus": MEMORY + CPU.replace("cpu@0", "x { bad = <0x55>; }; cpu@0"),
        "cpu": MEMORY + CPU.replace("reg = <0>", "bad = <0x55>; reg = <0>"),
        "soc": MEMORY + CPU + "soc { a { b { bad = <0x55>; }; }; };",
    }
    data = root(nodes[where])
    at = data.index(b"\0\0\0\x55") - 12
    assert data[at : at + 4] == b"\0\0\0\x03"
    error, board = read(data[:at] + b"\0\0\0\x07" + data[at + 4 :])
    assert (error, board.tree_error) == (BoardError.TREE, FdtError.BAD_TOKEN.value)


def test_a_list_of_reservations_that_does_not_end() -> None:
    data = bytearray(compiled(f"/ {{ {CELLS} {MEMORY} {CPU} }};"))
    data[16:20] = (len(data) // 8 * 8 - 8).to_bytes(4, "big")
    error, board = read(bytes(data))
    assert (error, board.tree_error) == (BoardError.TREE, FdtError.BAD_BLOCKS.value)
