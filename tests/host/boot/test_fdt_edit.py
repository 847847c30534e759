"""Edited trees as libfdt sees them, and edits that do not fit."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.host import Interpreter
from compiler.host.native import Native
from compiler.host.views import ArrayView
from compiler.language import types
from hypervisor.boot.board import Board, Range
from hypervisor.boot.fdt import FdtError
from tests.host.boot.device_trees import Node, compiled, edited, qemu_tree, reservations_of, tree_of
from tests.host.boot.machine import ENGINES, session

Engine = type[Interpreter] | type[Native]
RANGES = [(0x4000_1000, 0x20_0000), (0x7FF0_0000, 0x10_0000), (1 << 40, 1 << 21)]


def with_initrd(data: bytes, start: int, end: int, size: int, slack: int) -> bytes:
    """The tree as QEMU (or a loader that packs trees) leaves it for a kernel with a ramdisk."""

    def add(fdt: Any) -> None:
        chosen = fdt.path_offset("/chosen")
        fdt.setprop(chosen, "linux,initrd-end", end.to_bytes(size, "big"))
        fdt.setprop(chosen, "linux,initrd-start", start.to_bytes(size, "big"))
        fdt.setprop_str(chosen, "bootargs", "console=ttyAMA0")

    return edited(data, slack, add)


def patched(
    engine: Engine, data: bytes, capacity: int, start: int, end: int, shift: int = 0
) -> tuple[bytes, FdtError | None]:
    """The buffer after the host's tree was patched in it."""
    s = session(engine)
    mark = s.allocation_mark()
    place = s.allocate(capacity + 16, 8) + shift
    s.write(place, data + bytes(capacity - len(data)))
    board = s.new(Board)
    assert s.call("read_whole_board", data, board) is None
    rows = s.new_array(Range, [{"base": base, "size_bytes": size} for base, size in RANGES])
    buffer = raw_slice(engine, place, capacity)
    result = s.call("patch", buffer, board, start, end, rows)
    content = s.read(place, capacity)
    s.release(mark)
    return content, result


def raw_slice(engine: Engine, address: int, count: int) -> Any:
    """Memory of the session as a view that can be given for a Slice[u8]."""
    return ArrayView(session(engine), address, types.ArrayType("bytes", types.INTEGERS["u8"], count))


def without(node: Node, *names: str) -> Node:
    return Node(
        node.name,
        tuple(row for row in node.properties if row[0] not in names),
        tuple(without(child, *names) for child in node.children),
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("slack", "extra"), [(0, 64), (1 << 16, 0), (16, 32), (13, 51)])
@pytest.mark.parametrize("size", [4, 8])
def test_the_tree_of_qemu_is_patched(engine: Engine, slack: int, extra: int, size: int) -> None:
    data = with_initrd(qemu_tree(2), 0x4800_0000, 0x4810_0000, size, slack)
    content, error = patched(engine, data, len(data) + extra, 0x5000_0000, 0x5000_1234)
    assert error is None
    assert reservations_of(content) == RANGES
    after, before = tree_of(content), tree_of(data)
    names = ("linux,initrd-start", "linux,initrd-end")
    assert without(after, *names) == without(before, *names)
    chosen = after.child("chosen")
    assert [int.from_bytes(chosen[name], "big") for name in names] == [0x5000_0000, 0x5000_1234]
    assert [len(chosen[name]) for name in names] == [size, size]
    assert len(content) >= struct.unpack(">I", content[4:8])[0] >= len(data)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shift", [0, 4])
def test_without_a_ramdisk_the_properties_go(engine: Engine, shift: int) -> None:
    data = with_initrd(qemu_tree(1), 0x4800_0000, 0x4810_0000, 4, 256)
    content, error = patched(engine, data, len(data), 0, 0, shift)
    assert error is None
    assert tree_of(content) == without(tree_of(data), "linux,initrd-start", "linux,initrd-end")
    assert reservations_of(content) == RANGES


@pytest.mark.parametrize("engine", ENGINES)
def test_reservations_come_after_those_that_are_there(engine: Engine) -> None:
    source = "/ { memory { reg = <0 0 1>; }; cpus { cpu@0 { reg = <0 0 0>; }; }; };"
    data = compiled(f"/memreserve/ 0x1000 0x2000; /memreserve/ 0x8000 0x1000; {source}", "-R", "4")
    content, error = patched(engine, data, len(data) + 56, 0, 0)
    assert error is None
    assert reservations_of(content)[:5] == [(0x1000, 0x2000), (0x8000, 0x1000), *RANGES]
    assert tree_of(content) == tree_of(data)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_packed_tree_in_a_buffer_of_its_size_has_no_room(engine: Engine) -> None:
    data = with_initrd(qemu_tree(1), 1, 2, 8, 0)
    content, error = patched(engine, data, len(data) + 47, 1, 2)
    assert error is FdtError.NO_ROOM
    assert content[: len(data)] == data


@pytest.mark.parametrize("engine", ENGINES)
def test_an_address_that_does_not_fit(engine: Engine) -> None:
    data = with_initrd(qemu_tree(1), 1, 2, 4, 256)
    content, error = patched(engine, data, len(data), 1 << 32, (1 << 32) + 1)
    assert error is FdtError.NO_ROOM
    assert content == data


def test_a_tree_that_names_no_ramdisk_cannot_name_another() -> None:
    data = qemu_tree(1)
    assert patched(Native, data, len(data), 1, 2) == (data, FdtError.NOT_FOUND)


def moved_strings(data: bytes) -> bytes:
    """The same tree with its strings in front of its structure."""
    structure, strings = struct.unpack(">2I", data[8:16])
    strings_size, structure_size = struct.unpack(">2I", data[32:40])
    padding = bytes(-strings_size % 4)
    content = data[strings : strings + strings_size] + padding + data[structure : structure + structure_size]
    header = bytearray(data[:structure])
    struct.pack_into(">2I", header, 8, structure + strings_size + len(padding), structure)
    struct.pack_into(">I", header, 4, structure + len(content))
    return bytes(header) + content


def memory_added(engine: Engine, data: bytes, capacity: int, base: int, size: int) -> tuple[bytes, FdtError | None]:
    buffer = bytearray(data + bytes(capacity - len(data)))
    result = session(engine).call("add_memory_node", buffer, base, size)
    return bytes(buffer), result


PARTITION = """
/ {{
    {cells}
    compatible = "arm,ffa-manifest-1.0";
    {memory}
    regions {{ memory@1 {{ kept; }}; }};
    {memory}
}};
"""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("cells", [(1, 1), (2, 1), (1, 2), (2, 2), None])
@pytest.mark.parametrize("memory", ["", "memory@0 { reg = <1>; deep { a; }; };"])
def test_a_partition_gets_one_memory_node(engine: Engine, cells: tuple[int, int] | None, memory: str) -> None:
    text = f"#address-cells = <{cells[0]}>; #size-cells = <{cells[1]}>;" if cells else ""
    source = PARTITION.format(cells=text, memory="").replace("regions", f"{memory} regions")
    data = compiled(source)
    content, error = memory_added(engine, data, len(data) + 120, 0x7000_0000, 0x10_0000)
    assert error is None
    address, size = cells or (2, 1)
    node = tree_of(content).children[-1]
    expected = (0x7000_0000).to_bytes(4 * address, "big") + (0x10_0000).to_bytes(4 * size, "big")
    assert node == Node("memory", (("device_type", b"memory\0"), ("reg", expected)), ())
    before = tree_of(data)
    kept = tuple(child for child in before.children if not child.name.startswith("memory"))
    assert tree_of(content) == Node("", before.properties, (*kept, node))
    again, error = memory_added(engine, content, len(content) + 120, 0x1000, 0x2000)
    assert error is None
    assert [child.name for child in tree_of(again).children] == ["regions", "memory"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("content", "base", "expected"),
    [
        ("#address-cells = <1>;", 1 << 32, FdtError.BAD_VALUE),
        ("#size-cells = <3>;", 0, FdtError.BAD_VALUE),
        ("#size-cells = <0>;", 0, FdtError.BAD_VALUE),
        ("#size-cells = [01];", 0, FdtError.BAD_VALUE),
    ],
)
def test_memory_that_cannot_be_written_down(engine: Engine, content: str, base: int, expected: FdtError) -> None:
    data = compiled(f"/ {{ {content} }};")
    buffer, error = memory_added(engine, data, len(data) + 256, base, 1)
    assert error is expected
    assert buffer[: len(data)] == data


@pytest.mark.parametrize("engine", ENGINES)
def test_a_memory_node_needs_room_and_order(engine: Engine) -> None:
    data = compiled("/ { memory { }; };")
    for capacity in range(len(data), len(data) + 8):
        assert memory_added(engine, data, capacity, 0, 1) == (data + bytes(capacity - len(data)), FdtError.NO_ROOM)
    odd = moved_strings(data)
    assert tree_of(odd) == tree_of(data)
    assert memory_added(engine, odd, len(odd) + 256, 0, 1)[1] is FdtError.BAD_BLOCKS


def test_reservations_do_not_care_for_the_order_of_the_other_blocks() -> None:
    data = moved_strings(compiled("/ { memory { reg = <0 0 1>; }; cpus { cpu@0 { reg = <0 0 0>; }; }; };"))
    content, error = patched(Native, data, len(data) + 64, 0, 0)
    assert error is None
    assert (tree_of(content), reservations_of(content)) == (tree_of(data), RANGES)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_trees_are_edited_or_refused(changes: list[tuple[int, int]]) -> None:
    data = bytearray(compiled(PARTITION.format(cells="#address-cells = <1>;", memory="")) + bytes(128))
    for offset, value in changes:
        data[offset % len(data)] = value
    s = session(Interpreter)
    s.call("add_memory_node", bytearray(data), 0, 1)
    s.call("add_reservations", bytearray(data), [])
