"""Native sessions: the same API as the Interpreter, and bulk calls."""

from __future__ import annotations

import time
from array import array

import pytest

from compiler.host.faults import HostError, HostFault, TrapError
from compiler.host.native import Native
from compiler.language import types as t
from compiler.program import nodes as n
from compiler.program.nodes import BinaryOp, Overflow, TrapKind
from compiler.program.program import Function, Relocation, StaticObject
from compiler.program.types import I16, I32, POINTER, U32, U64, VOID, Int
from tests.host.programs import at, binary_function, function, local, number, program, read


def test_calls_give_values_and_traps() -> None:
    with Native(program(binary_function(BinaryOp.ADD, I16))) as session:
        assert session.call("f", -3, 1) == -2
        with pytest.raises(TrapError) as caught:
            session.call("f", 32767, 1)
        assert (caught.value.kind, caught.value.span.line) == (TrapKind.OVERFLOW, 2)
        with pytest.raises(HostError, match=r"40000 does not fit in i16"):
            session.call("f", 40000, 1)


def load_function(kind: Int, access: n.Access) -> Function:
    where = local("where", U64)
    address = n.Convert(n.Conversion.INT_TO_POINTER, read(where), POINTER, at(2))
    load = n.Load(address, kind, kind.bits // 8, access, span=at(2))
    return function("f", [where], kind, [n.Return(load, at(2))])


class Echo:
    """A device that answers with offset and width, or fails."""

    def __init__(self) -> None:
        self.written: list[tuple[int, int, int]] = []

    def read(self, offset: int, width: int) -> int:
        if offset == 0x80:
            raise RuntimeError("no such register")
        return offset << 8 | width

    def write(self, offset: int, width: int, value: int) -> None:
        self.written.append((offset, width, value))


def test_simulated_memory_is_mapped_where_it_is_wanted() -> None:
    with Native(program(load_function(U32, n.Access.PLAIN))) as session:
        session.memory.map(0x8000_0000, 0x2000, b"\x01\x02\x03\x04")
        assert session.call("f", 0x8000_0000) == 0x04030201
        session.write(0x8000_1FFC, b"\xff\0\0\0")
        assert session.call("f", 0x8000_1FFC) == 0xFF
        with pytest.raises(HostFault):
            session.read(0x8000_1FFE, 4)
        with pytest.raises(HostError, match=r"cannot be mapped in this process"):
            session.memory.map(0x8000_0000, 0x1000)


def test_devices_answer_and_their_exceptions_come_through() -> None:
    store = n.Store(n.Constant(POINTER, 0x9002), number(I16, -2), 2, at(2), n.Access.DEVICE)
    writer = function("writer", [], VOID, [store])
    with Native(program(load_function(I32, n.Access.DEVICE), writer)) as session:
        device = Echo()
        session.device(0x9000, 0x100, device)
        assert session.call("f", 0x9010) == 0x1004
        session.call("writer")
        assert device.written == [(2, 2, 0xFFFE)]
        with pytest.raises(RuntimeError, match="no such register"):
            session.call("f", 0x9080)
        with pytest.raises(HostFault):
            session.call("f", 0xA000)
        assert session.call("f", 0x9020) == 0x2004


def test_registers_and_events() -> None:
    changed = n.Binary(BinaryOp.OR, n.RegisterRead("HCR_EL2"), number(U64, 2), U64, Overflow.TRAP, at(2))
    body: list[n.Statement] = [
        n.RegisterWrite("HCR_EL2", changed, at(2)),
        n.SystemOperation("tlbi", "alle2is", None, at(3)),
        n.SystemOperation("tlbi", "vae2is", number(U64, 5), at(3)),
        n.Barrier("dsb", "ish", at(4)),
        n.Barrier("isb", "sy", at(4)),
        n.Hint("wfi", at(5)),
        n.Return(n.RegisterRead("MPIDR_EL1"), at(6)),
    ]
    with Native(program(function("f", [], U64, body))) as session:
        written: list[int] = []
        session.registers["hcr_el2"] = 1
        session.registers["VBAR_EL2"] = 7
        session.on_register_write("HCR_EL2", written.append)
        session.on_register_read("MPIDR_EL1", lambda: 0x80000003)
        assert session.call("f") == 0x80000003
        assert written == [3] and session.registers["HCR_EL2"] == 3 and session.registers["VBAR_EL2"] == 7
        assert [(event.kind, event.name, event.value) for event in session.registers.events] == [
            ("msr", "HCR_EL2", 3),
            ("tlbi", "alle2is", None),
            ("tlbi", "vae2is", 5),
            ("dsb", "ish", None),
            ("isb", "sy", None),
            ("hint", "wfi", None),
        ]


def test_static_objects_keep_state() -> None:
    counter = StaticObject("sample.counter", "counter", "sample", t.U32, 4, 4, True, (41).to_bytes(4, "little"))
    relocations = [Relocation(0, "sample.counter", 2)]
    pointer = StaticObject("sample.pointer", "pointer", "sample", t.U64, 8, 8, False, bytes(8), relocations)
    where = n.StaticAddress(counter)
    raised = n.Binary(BinaryOp.ADD, n.Load(where, U32, 4), number(U32, 1), U32, Overflow.TRAP, at(2))
    where_pointer = n.Load(n.StaticAddress(pointer), U64, 8)
    tested = function("f", [], U32, [n.Store(where, raised, 4, at(2)), n.Return(n.Load(where, U32, 4), at(3))])
    reader = function("g", [], U64, [n.Return(where_pointer, at(2))])
    with Native(program(tested, reader, statics=[counter, pointer])) as session:
        assert (session.call("f"), session.call("f"), session.static("sample.counter")) == (42, 43, 43)
        assert session.call("g") == session.static_address("sample.counter") + 2
        session.reset_statics()
        assert session.static("sample.counter") == 41


def test_a_million_short_calls_take_a_second_at_most() -> None:
    with Native(program(binary_function(BinaryOp.ADD, U32)), coverage=True) as session:
        count = 1_000_000
        words = array("Q", range(2 * count))
        start = time.perf_counter()
        calls = session.call_words("f", words, count)
        seconds = time.perf_counter() - start
        assert len(calls) == count and calls.trap(5) is None and list(calls.words(5)) == [21]
        assert seconds <= 1.0, f"{count} calls took {seconds:.2f} s"
        assert session.lines()["sample.py", 2]


def test_bulk_calls_give_results_and_traps_by_row() -> None:
    with Native(program(binary_function(BinaryOp.ADD, I16))) as session:
        calls = session.call_many("f", [(1, 2), (32767, 1), (-5, 3)])
        assert [list(calls.words(index)) for index in (0, 2)] == [[3], [2**64 - 2]]
        trap = calls.trap(1)
        assert trap is not None and trap.kind is TrapKind.OVERFLOW and calls.trap(0) is None
