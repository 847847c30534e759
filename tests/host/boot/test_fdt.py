"""The reader of device trees against libfdt, and against everything that can be wrong with a tree."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.host import Interpreter
from compiler.host.native import Native
from compiler.language import types
from hypervisor.boot.fdt import DEPTH_MAX, FdtError, Step
from tests.host.boot.device_trees import Node, compiled, qemu_tree, tree_of
from tests.host.boot.machine import ENGINES, session
from tests.host.boot.walks import WORDS_PER_STEP

EVENT_COUNT = 2000
Engine = type[Interpreter] | type[Native]
SMALL = """
/memreserve/ 0x1000 0x2000;
/ {
    compatible = "a", "b";
    empty;
    odd = [01 02 03 04 05];
    a@1 { x = <1>; b { }; c-long-name { y = "text"; }; };
    z { };
};
"""


def text_at(data: bytes, position: int) -> str:
    return data[position : data.index(0, position)].decode()


def walked(engine: Engine, data: bytes) -> Node:
    """The tree put together from the reader's steps."""
    events = session(engine).new_array(types.INTEGERS["u64"], [0] * (EVENT_COUNT * WORDS_PER_STEP))
    count = session(engine).call("walk_tree", data, events)
    assert isinstance(count, int) and count <= EVENT_COUNT
    words = struct.unpack(f"<{count * WORDS_PER_STEP}Q", events.bytes_()[: 8 * count * WORDS_PER_STEP])
    open_nodes: list[tuple[str, list[tuple[str, bytes]], list[Node]]] = [("", [], [])]
    for index in range(0, len(words), WORDS_PER_STEP):
        step, name, name_size, value, size = words[index : index + WORDS_PER_STEP]
        if step == Step.NODE.value:
            open_nodes.append((data[name : name + name_size].decode(), [], []))
        elif step == Step.PROPERTY.value:
            open_nodes[-1][1].append((text_at(data, name), data[value : value + size]))
        else:
            closed = open_nodes.pop()
            open_nodes[-1][2].append(Node(closed[0], tuple(closed[1]), tuple(closed[2])))
    return open_nodes[0][2][0]


def error_of(engine: Engine, data: bytes) -> object:
    return session(engine).call("walk_tree", data, [0])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shift", [0, 1, 2, 4])
def test_a_tree_is_read_as_libfdt_reads_it_wherever_it_lies(engine: Engine, shift: int) -> None:
    data = compiled(SMALL)
    assert walked(engine, data) == tree_of(data)
    place = session(engine).allocate(len(data) + 16, 8) + shift
    session(engine).write(place, data)
    assert session(engine).invoke(session(engine).function("walk_tree"), [(place, len(data)), (place, 0)])


@pytest.mark.parametrize("cpu_count", [1, 8])
def test_the_tree_of_qemu_is_read_as_libfdt_reads_it(cpu_count: int) -> None:
    data = qemu_tree(cpu_count)
    assert walked(Native, data) == tree_of(data)


def set_word(data: bytes, offset: int, value: int) -> bytes:
    return data[:offset] + struct.pack(">I", value) + data[offset + 4 :]


def raw_tree(*tokens: int, strings: bytes = b"x\0", version: int = 17) -> bytes:
    """A tree of given words of structure."""
    words = struct.pack(f">{len(tokens)}I", *tokens)
    total = 40 + 16 + len(words) + len(strings)
    header = (0xD00DFEED, total, 56, 56 + len(words), 40, version, 16, 0, len(strings), len(words))
    return struct.pack(">10I", *header) + bytes(16) + words + strings


BEGIN, END_NODE, PROPERTY, NOP, END = 1, 2, 3, 4, 9
DEFECTS = {
    "empty": (b"", FdtError.TRUNCATED),
    "header cut off": (compiled(SMALL)[:39], FdtError.TRUNCATED),
    "tree cut off": (compiled(SMALL)[:-1], FdtError.TRUNCATED),
    "total size below a header": (set_word(compiled(SMALL), 4, 39), FdtError.TRUNCATED),
    "magic": (set_word(compiled(SMALL), 0, 0xEDFE0DD0), FdtError.BAD_MAGIC),
    "version 16": (raw_tree(BEGIN, 0, END_NODE, END, version=16), FdtError.BAD_VERSION),
    "compatible with 18 only": (set_word(compiled(SMALL), 24, 18), FdtError.BAD_VERSION),
    "compatible with 3 only": (set_word(compiled(SMALL), 24, 3), FdtError.BAD_VERSION),
    "structure misaligned": (set_word(compiled(SMALL), 8, 57), FdtError.BAD_BLOCKS),
    "structure outside": (set_word(compiled(SMALL), 8, 0x10000), FdtError.BAD_BLOCKS),
    "structure too long": (set_word(compiled(SMALL), 36, 0x10000), FdtError.BAD_BLOCKS),
    "structure wraps": (set_word(compiled(SMALL), 36, 0xFFFFFFFC), FdtError.BAD_BLOCKS),
    "structure in the header": (set_word(compiled(SMALL), 8, 36), FdtError.BAD_BLOCKS),
    "strings outside": (set_word(compiled(SMALL), 12, 0x7FFFFFFF), FdtError.BAD_BLOCKS),
    "strings too long": (set_word(compiled(SMALL), 32, 0x10000), FdtError.BAD_BLOCKS),
    "reservations outside": (set_word(compiled(SMALL), 16, 0x10000), FdtError.BAD_BLOCKS),
    "reservations misaligned": (set_word(compiled(SMALL), 16, 44), FdtError.BAD_BLOCKS),
    "no tokens": (raw_tree(), FdtError.TRUNCATED),
    "NOPs only": (raw_tree(NOP, NOP), FdtError.TRUNCATED),
    "no end": (raw_tree(BEGIN, 0, END_NODE), FdtError.TRUNCATED),
    "no root": (raw_tree(END), FdtError.BAD_NESTING),
    "end within the root": (raw_tree(BEGIN, 0, END), FdtError.BAD_NESTING),
    "end of no node": (raw_tree(END_NODE, END), FdtError.BAD_NESTING),
    "two roots": (raw_tree(BEGIN, 0, END_NODE, BEGIN, 0, END_NODE, END), FdtError.BAD_NESTING),
    "property before the root": (raw_tree(PROPERTY, 0, 0, BEGIN, 0, END_NODE, END), FdtError.BAD_NESTING),
    "property after a child": (
        raw_tree(BEGIN, 0, BEGIN, 0x61000000, END_NODE, PROPERTY, 0, 0, END_NODE, END),
        FdtError.BAD_NESTING,
    ),
    "token 5": (raw_tree(BEGIN, 0, 5, END_NODE, END), FdtError.BAD_TOKEN),
    "token 0": (raw_tree(BEGIN, 0, 0, END_NODE, END), FdtError.BAD_TOKEN),
    "node name without end": (raw_tree(BEGIN, 0x61616161), FdtError.BAD_NAME),
    "property name outside": (raw_tree(BEGIN, 0, PROPERTY, 0, 2, END_NODE, END), FdtError.BAD_NAME),
    "property name far outside": (raw_tree(BEGIN, 0, PROPERTY, 0, 0xFFFFFFFF, END_NODE, END), FdtError.BAD_NAME),
    "value too long": (raw_tree(BEGIN, 0, PROPERTY, 9, 0, END_NODE, END), FdtError.BAD_VALUE),
    "value far too long": (raw_tree(BEGIN, 0, PROPERTY, 0xFFFFFFFF, 0, END_NODE, END), FdtError.BAD_VALUE),
    "property cut off": (raw_tree(BEGIN, 0, PROPERTY, 4), FdtError.TRUNCATED),
    "too deep": (raw_tree(*[BEGIN, 0] * (DEPTH_MAX + 1)), FdtError.TOO_DEEP),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("defect", DEFECTS)
def test_every_defect_is_an_error(engine: Engine, defect: str) -> None:
    data, expected = DEFECTS[defect]
    assert error_of(engine, data) is expected


def test_the_deepest_tree_is_read() -> None:
    assert error_of(Native, raw_tree(*[BEGIN, 0] * DEPTH_MAX, *[END_NODE] * DEPTH_MAX, END)) == 2 * DEPTH_MAX


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, 400))
def test_damaged_bytes_never_trap(changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(compiled(SMALL))
    for offset, value in changes:
        data[offset % len(data)] = value
    session(Interpreter).call("walk_tree", bytes(data[: len(data) - cut % len(data)]), [0])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 2, 3, 4, 5, 9, 0x61000000, 0x61616161, 0xFFFFFFFF]), max_size=24))
def test_structures_of_any_tokens_never_trap(tokens: list[int]) -> None:
    session(Interpreter).call("walk_tree", raw_tree(*tokens), [0])
