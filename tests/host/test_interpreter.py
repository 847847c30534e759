"""Each node of the typed program under CPython: its value, its traps, its effects on the simulated machine."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.host.faults import HostFault, TrapError
from compiler.host.interpreter import Interpreter
from compiler.language import types as t
from compiler.program import nodes as n
from compiler.program.nodes import BinaryOp, CompareOp, Conversion, Overflow, TrapKind, UnaryOp
from compiler.program.program import Function, Relocation, StackSlot, StaticObject, Table
from compiler.program.types import (
    BOOL,
    I8,
    I16,
    I32,
    I64,
    POINTER,
    SLICE,
    U8,
    U16,
    U32,
    U64,
    VOID,
    Int,
    Tuple,
    ValueType,
)
from tests.host.programs import at, binary_function, function, local, number, program, read

INTEGERS = (U8, U16, U32, U64, I8, I16, I32, I64)


def run(tested: Function, *arguments: object) -> object:
    return Interpreter(program(tested)).call("f", *arguments)


def expression_function(value: n.Expression, *parameters: n.Local, result: ValueType | None = None) -> Function:
    return function("f", parameters, result or value.type, [n.Return(value, at(2))])


def trap_of(tested: Function, *arguments: object) -> TrapKind:
    with pytest.raises(TrapError) as caught:
        run(tested, *arguments)
    assert caught.value.span.line == 2
    return caught.value.kind


def edges(kind: Int) -> st.SearchStrategy[int]:
    special = [kind.lowest, kind.lowest + 1, 0, 1, kind.highest - 1, kind.highest]
    return st.one_of(st.sampled_from(special), st.integers(kind.lowest, kind.highest))


OPERATIONS = {BinaryOp.ADD: int.__add__, BinaryOp.SUB: int.__sub__, BinaryOp.MUL: int.__mul__}


@pytest.mark.parametrize("kind", INTEGERS, ids=str)
@pytest.mark.parametrize("op", OPERATIONS)
def test_arithmetic_gives_the_value_of_python_or_traps(op: BinaryOp, kind: Int) -> None:
    checked, wrapping, saturating = (
        Interpreter(program(binary_function(op, kind, overflow)))
        for overflow in (Overflow.TRAP, Overflow.WRAP, Overflow.SATURATE)
    )

    @settings(max_examples=30, deadline=None)
    @given(edges(kind), edges(kind))
    def check(left: int, right: int) -> None:
        exact = OPERATIONS[op](left, right)
        if kind.lowest <= exact <= kind.highest:
            assert checked.call("f", left, right) == exact
        else:
            with pytest.raises(TrapError) as caught:
                checked.call("f", left, right)
            assert caught.value.kind is TrapKind.OVERFLOW
        wrapped = wrapping.call("f", left, right)
        assert kind.lowest <= wrapped <= kind.highest and (wrapped - exact) % (1 << kind.bits) == 0
        assert saturating.call("f", left, right) == min(max(exact, kind.lowest), kind.highest)

    check()


@pytest.mark.parametrize("kind", INTEGERS, ids=str)
@pytest.mark.parametrize("op", [BinaryOp.FLOOR_DIV, BinaryOp.MOD])
def test_division_floors_and_traps_on_zero(op: BinaryOp, kind: Int) -> None:
    tested = Interpreter(program(binary_function(op, kind)))

    @settings(max_examples=30, deadline=None)
    @given(edges(kind), edges(kind))
    def check(left: int, right: int) -> None:
        try:
            result = tested.call("f", left, right)
        except TrapError as error:
            if right == 0:
                assert error.kind is TrapKind.DIVIDE
            else:
                assert (op, left, right) == (BinaryOp.FLOOR_DIV, kind.lowest, -1)
                assert error.kind is TrapKind.OVERFLOW
        else:
            assert result == (left // right if op is BinaryOp.FLOOR_DIV else left % right)

    check()


def test_shifts_trap_on_counts_and_on_lost_bits() -> None:
    left, right = binary_function(BinaryOp.SHL, U8), binary_function(BinaryOp.SHR, I8)
    assert run(left, 3, 6) == 192
    assert trap_of(left, 3, 7) is TrapKind.OVERFLOW
    assert trap_of(left, 0, 8) is TrapKind.SHIFT
    assert run(binary_function(BinaryOp.SHL, U8, Overflow.WRAP), 3, 7) == 128
    assert run(binary_function(BinaryOp.SHL, I8, Overflow.WRAP), 1, 7) == -128
    assert trap_of(binary_function(BinaryOp.SHL, U8, Overflow.WRAP), 3, 8) is TrapKind.SHIFT
    assert run(right, -128, 7) == -1
    assert trap_of(right, 1, 8) is TrapKind.SHIFT


@pytest.mark.parametrize(
    ("op", "kind", "left", "right", "result"),
    [
        (BinaryOp.ROTATE_LEFT, U8, 0x81, 1, 0x03),
        (BinaryOp.ROTATE_RIGHT, U32, 1, 33, 0x80000000),
        (BinaryOp.ROTATE_LEFT, I8, -128, 1, 1),
        (BinaryOp.MULTIPLY_HIGH, U64, 2**64 - 1, 2**64 - 1, 2**64 - 2),
        (BinaryOp.MULTIPLY_HIGH, I64, -1, 1, -1),
        (BinaryOp.MIN, I16, -3, 4, -3),
        (BinaryOp.MAX, U16, 3, 4, 4),
        (BinaryOp.XOR, I8, -1, 0x55, -0x56),
        (BinaryOp.AND, U64, 12, 10, 8),
        (BinaryOp.OR, U64, 12, 10, 14),
    ],
)
def test_other_binary_operations(op: BinaryOp, kind: Int, left: int, right: int, result: int) -> None:
    assert run(binary_function(op, kind), left, right) == result


@pytest.mark.parametrize(
    ("op", "kind", "operand", "result"),
    [
        (UnaryOp.NEGATE, I8, 127, -127),
        (UnaryOp.NEGATE, U8, 0, 0),
        (UnaryOp.NEGATE, I8, -128, TrapKind.OVERFLOW),
        (UnaryOp.NEGATE, U8, 1, TrapKind.OVERFLOW),
        (UnaryOp.WRAPPING_NEGATE, U8, 1, 255),
        (UnaryOp.WRAPPING_NEGATE, I8, -128, -128),
        (UnaryOp.INVERT, U16, 0x00FF, 0xFF00),
        (UnaryOp.INVERT, I16, 5, -6),
        (UnaryOp.LEADING_ZEROS, U32, 1, 31),
        (UnaryOp.LEADING_ZEROS, I8, -1, 0),
        (UnaryOp.LEADING_ZEROS, U64, 0, 64),
        (UnaryOp.TRAILING_ZEROS, U32, 8, 3),
        (UnaryOp.TRAILING_ZEROS, I8, -128, 7),
        (UnaryOp.TRAILING_ZEROS, U8, 0, 8),
        (UnaryOp.COUNT_ONES, I16, -1, 16),
        (UnaryOp.BYTE_SWAP, U32, 0x11223344, 0x44332211),
        (UnaryOp.BYTE_SWAP, I16, 0x0080, -0x8000),
        (UnaryOp.REVERSE_BITS, U8, 0b00010011, 0b11001000),
    ],
)
def test_unary_operations(op: UnaryOp, kind: Int, operand: int, result: object) -> None:
    a = local("a", kind)
    tested = expression_function(n.Unary(op, read(a), kind, at(2)), a)
    if isinstance(result, TrapKind):
        assert trap_of(tested, operand) is result
    else:
        assert run(tested, operand) == result


@pytest.mark.parametrize(
    ("conversion", "source", "target", "operand", "result"),
    [
        (Conversion.WIDEN, I8, I64, -1, -1),
        (Conversion.TRUNCATE, U64, U8, 0x1FF, 0xFF),
        (Conversion.TRUNCATE, U8, I8, 0x80, -128),
        (Conversion.TRUNCATE, I8, U32, -1, 2**32 - 1),
        (Conversion.CHECKED, U64, U8, 255, 255),
        (Conversion.CHECKED, U64, U8, 256, TrapKind.CONVERSION),
        (Conversion.CHECKED, I8, U64, -1, TrapKind.CONVERSION),
        (Conversion.BOOL_TO_INT, BOOL, U8, True, 1),
        (Conversion.INT_TO_BOOL, U8, BOOL, 2, True),
    ],
)
def test_conversions(
    conversion: Conversion, source: ValueType, target: ValueType, operand: int, result: object
) -> None:
    a = local("a", source)
    tested = expression_function(n.Convert(conversion, read(a), target, at(2)), a)
    if isinstance(result, TrapKind):
        assert trap_of(tested, operand) is result
    else:
        value = run(tested, operand)
        assert value == result and type(value) is type(result)


def test_checked_arithmetic_gives_value_and_whether_it_fits() -> None:
    a = local("a", U8)
    pair = n.CheckedBinary(BinaryOp.ADD, read(a), number(U8, 100), Tuple((U8, BOOL)), at(2))
    tested = expression_function(n.TupleElement(pair, 0, U8), a)
    fits = expression_function(n.TupleElement(pair, 1, BOOL), a)
    assert (run(tested, 155), run(fits, 155)) == (255, True)
    assert (run(tested, 156), run(fits, 156)) == (0, False)


def counting_call(counter: n.Local, value: n.Expression) -> n.Sequence:
    """`value` after `counter = counter * 10 + 1`: shows whether and how often an operand is evaluated."""
    moved = n.Binary(BinaryOp.MUL, read(counter), number(U64, 10), U64, Overflow.TRAP, at(2))
    raised = n.Binary(BinaryOp.ADD, moved, number(U64, 1), U64, Overflow.TRAP, at(2))
    return n.Sequence((n.Assign(counter, raised, at(2)),), value)


@pytest.mark.parametrize(("condition", "count"), [(True, 11), (False, 1)])
def test_and_evaluates_the_right_side_only_after_a_true_left(condition: bool, count: int) -> None:
    a, counter = local("a", BOOL), local("counter", U64)
    both = n.Logical(True, counting_call(counter, read(a)), counting_call(counter, number(BOOL, 1)))
    body: list[n.Statement] = [
        n.Assign(counter, number(U64, 0), at(2)),
        n.Evaluate(both, at(2)),
        n.Return(read(counter), at(2)),
    ]
    assert run(function("f", [a], U64, body), condition) == count


def test_an_earlier_operand_keeps_its_value_when_a_later_one_assigns() -> None:
    counter = local("counter", U64)
    total = n.Binary(BinaryOp.ADD, read(counter), counting_call(counter, read(counter)), U64, Overflow.TRAP, at(2))
    assert run(expression_function(total, counter), 5) == 5 + 51


@pytest.mark.parametrize("condition", [True, False])
def test_conditional_evaluates_one_side(condition: bool) -> None:
    a, counter = local("a", BOOL), local("counter", U64)
    chosen = n.Conditional(read(a), counting_call(counter, number(U64, 100)), number(U64, 200), U64)
    total = n.Binary(BinaryOp.ADD, chosen, read(counter), U64, Overflow.TRAP, at(2))
    body: list[n.Statement] = [n.Assign(counter, number(U64, 0), at(2)), n.Return(total, at(2))]
    assert run(function("f", [a], U64, body), condition) == (101 if condition else 200)


def test_continue_goes_to_the_step_and_break_leaves_the_inner_loop() -> None:
    index, total = local("index", U64), local("total", U64)

    def add(target: n.Local, amount: n.Expression) -> n.Assign:
        return n.Assign(target, n.Binary(BinaryOp.ADD, read(target), amount, U64, Overflow.TRAP, at(2)), at(2))

    def equals(value: int) -> n.Compare:
        return n.Compare(CompareOp.EQ, read(index), number(U64, value))

    loop = n.Loop(
        n.Compare(CompareOp.LT, counting_free(index), number(U64, 10)),
        (
            n.If(equals(3), (n.Continue(at(3)),), (), at(3)),
            n.If(equals(6), (n.Break(at(4)),), (), at(4)),
            add(total, read(index)),
        ),
        (add(index, number(U64, 1)),),
        at(2),
    )
    body: list[n.Statement] = [n.Assign(index, number(U64, 0), at(2)), n.Assign(total, number(U64, 0), at(2)), loop]
    assert run(function("f", [], U64, [*body, n.Return(read(total), at(5))])) == 0 + 1 + 2 + 4 + 5


def counting_free(variable: n.Local) -> n.Sequence:
    """The variable's value through a Sequence, so that a loop condition needs statements in front."""
    temporary = n.Local("temporary", variable.type)
    return n.Sequence((n.Assign(temporary, read(variable), at(2)),), read(temporary))


def test_switch_chooses_by_value() -> None:
    a = local("a", U8)
    cases = (
        n.SwitchCase((1,), (n.Return(number(U8, 10), at(2)),)),
        n.SwitchCase((2, 3), (n.Return(number(U8, 20), at(2)),)),
    )
    tested = function("f", [a], U8, [n.Switch(read(a), cases, (n.Trap(TrapKind.MATCH, at(2)),), at(2))])
    assert [run(tested, value) for value in (1, 2, 3)] == [10, 20, 20]
    assert trap_of(tested, 4) is TrapKind.MATCH


def test_traps_carry_their_message() -> None:
    tested = function("f", [], VOID, [n.Trap(TrapKind.PANIC, at(2), "no memory")])
    with pytest.raises(TrapError, match=r"sample\.py:2:5: panic: no memory") as caught:
        run(tested)
    assert caught.value.message == "no memory"


def slot_function() -> Function:
    """Writes its argument to element `index` of a stack array of four u16, gives the sum of elements 0 and 1."""
    index, value = local("index", U64), local("value", U16)
    slot = StackSlot("elements", 8, 2)

    def element(where: n.Expression) -> n.Element:
        return n.Element(n.SlotAddress(slot), where, number(U64, 4), 2, at(2))

    def loaded(where: int) -> n.Load:
        return n.Load(element(number(U64, where)), U16, 2)

    body: list[n.Statement] = [
        n.FillMemory(n.SlotAddress(slot), number(U8, 0), number(U64, 8), 2, at(2)),
        n.Store(element(read(index)), read(value), 2, at(2)),
        n.Return(n.Binary(BinaryOp.ADD, loaded(0), loaded(1), U16, Overflow.TRAP, at(2)), at(2)),
    ]
    return function("f", [index, value], U16, body, slots=[slot])


def test_slots_elements_and_bounds() -> None:
    session = Interpreter(program(slot_function()))
    assert session.call("f", 1, 500) == 500
    assert session.call("f", 3, 500) == 0
    for _ in range(3):
        with pytest.raises(TrapError) as caught:
            session.call("f", 4, 500)
        assert caught.value.kind is TrapKind.BOUNDS
    assert session.call("f", 0, 7) == 7


def test_subslices_are_checked() -> None:
    run_of, start, stop = local("run", SLICE), local("start", U64), local("stop", U64)
    part = n.Subslice(read(run_of), read(start), read(stop), 4, at(2))
    declared = function("g", [start, stop], U64, [])
    tested = function("f", [], U64, [n.Return(n.TupleElement(part, 1, U64), at(2))])
    tested.parameters = [run_of, start, stop]
    tested.signature = type(tested.signature)(
        (("run", t.SliceType("Slice[u32]", t.U32)), *declared.signature.parameters), t.U64
    )
    assert run(tested, [1, 2, 3], 1, 3) == 2
    assert run(tested, [1, 2, 3], 3, 3) == 0
    assert trap_of(tested, [1, 2, 3], 2, 1) is TrapKind.SLICE
    assert trap_of(tested, [1, 2, 3], 0, 4) is TrapKind.SLICE


def test_table_calls_choose_a_function_and_check_the_index() -> None:
    a = local("a", U64)
    total = n.Binary(BinaryOp.ADD, read(a), read(a), U64, Overflow.TRAP, at(9))
    doubled = function("double", [a], U64, [n.Return(total, at(9))])
    same = function("same", [a], U64, [n.Return(read(a), at(9))])
    table = Table("sample.TABLE", [same, doubled], at(1))
    index, value = local("index", U64), local("value", U64)
    call = n.TableCall(table, read(index), (read(value),), U64, at(2))
    tested = function("f", [index, value], U64, [n.Return(call, at(2))])
    session = Interpreter(program(same, doubled, tested, tables=[table]))
    assert (session.call("f", 0, 21), session.call("f", 1, 21)) == (21, 42)
    with pytest.raises(TrapError) as caught:
        session.call("f", 2, 21)
    assert caught.value.kind is TrapKind.BOUNDS


def test_static_objects_keep_state_and_hold_relocated_pointers() -> None:
    counter = StaticObject("sample.counter", "counter", "sample", t.U32, 4, 4, True, (41).to_bytes(4, "little"))
    pointer = StaticObject(
        "sample.pointer", "pointer", "sample", t.U64, 8, 8, False, bytes(8), [Relocation(0, "sample.counter", 2)]
    )
    where = n.StaticAddress(counter)
    raised = n.Binary(BinaryOp.ADD, n.Load(where, U32, 4), number(U32, 1), U32, Overflow.TRAP, at(2))
    tested = function("f", [], U32, [n.Store(where, raised, 4, at(2)), n.Return(n.Load(where, U32, 4), at(3))])
    session = Interpreter(program(tested, statics=[counter, pointer]))
    assert session.call("f") == 42
    assert session.call("f") == 43
    assert session.static("sample.counter") == 43
    assert session.static("sample.pointer") == session.static_address("sample.counter") + 2
    session.reset_statics()
    assert session.static("sample.counter") == 41


def test_atomics_wrap_and_compare() -> None:
    where, value = local("where", U64), local("value", U8)
    address = n.Convert(Conversion.INT_TO_POINTER, read(where), POINTER, at(2))
    added = expression_function(n.AtomicUpdate("add", address, read(value), U8, "acq_rel"), where, value)
    exchanged = expression_function(n.CompareExchange(address, read(value), number(U8, 9), "acq_rel"), where, value)
    exchanged.symbol = exchanged.source_name = "exchange"
    session = Interpreter(program(added, exchanged))
    session.memory.map(0x1000, 8, b"\xff")
    assert session.call("f", 0x1000, 2) == 0xFF
    assert session.read(0x1000, 2) == b"\x01\x00"
    assert (session.call("exchange", 0x1000, 5), session.call("exchange", 0x1000, 1)) == (False, True)
    assert session.read(0x1000, 1) == b"\x09"


def load_function(kind: Int, align: int) -> Function:
    where = local("where", U64)
    address = n.Convert(Conversion.INT_TO_POINTER, read(where), POINTER, at(2))
    return expression_function(n.Load(address, kind, align, n.Access.DEVICE, span=at(2)), where)


class Echo:
    """A device that answers a read with its offset and width, and remembers writes."""

    def __init__(self) -> None:
        self.written: list[tuple[int, int, int]] = []

    def read(self, offset: int, width: int) -> int:
        return -1 if offset == 0 else offset << 8 | width

    def write(self, offset: int, width: int, value: int) -> None:
        self.written.append((offset, width, value))


def test_devices_answer_loads_and_take_stores() -> None:
    value = local("value", I16)
    store = n.Store(n.Constant(POINTER, 0x9002), read(value), 2, at(2), n.Access.DEVICE)
    writer = function("writer", [value], VOID, [store])
    session = Interpreter(program(load_function(I32, 4), writer))
    device = Echo()
    session.device(0x9000, 0x100, device)
    assert session.call("f", 0x9010) == 0x1004
    assert session.call("f", 0x9000) == -1
    session.call("writer", -2)
    assert device.written == [(2, 2, 0xFFFE)]


def test_bad_accesses_fault() -> None:
    aligned, packed = Interpreter(program(load_function(U32, 4))), Interpreter(program(load_function(U32, 1)))
    for session in (aligned, packed):
        session.memory.map(0x1000, 16, bytes(range(16)))
    assert packed.call("f", 0x1001) == 0x04030201
    with pytest.raises(HostFault, match=r"misaligned access of 4 bytes \(address 0x1001\)"):
        aligned.call("f", 0x1001)
    for address in (0, 0xFFC, 0x100E, 0x1010, 2**64 - 4):
        with pytest.raises(HostFault) as caught:
            packed.call("f", address)
        assert caught.value.address == address


def test_system_registers_operations_and_barriers_are_recorded_in_order() -> None:
    changed = n.Binary(BinaryOp.OR, n.RegisterRead("HCR_EL2"), number(U64, 2), U64, Overflow.TRAP, at(2))
    body: list[n.Statement] = [
        n.RegisterWrite("HCR_EL2", changed, at(2)),
        n.SystemOperation("tlbi", "alle2is", None, at(3)),
        n.SystemOperation("tlbi", "vae2is", number(U64, 5), at(3)),
        n.Barrier("dsb", "ish", at(4)),
        n.Hint("wfi", at(5)),
        n.Return(n.RegisterRead("MPIDR_EL1"), at(6)),
    ]
    session = Interpreter(program(function("f", [], U64, body)))
    written: list[int] = []
    session.registers["hcr_el2"] = 1
    session.on_register_write("HCR_EL2", written.append)
    session.on_register_read("MPIDR_EL1", lambda: 0x80000003)
    assert session.call("f") == 0x80000003
    assert written == [3] and session.registers["HCR_EL2"] == 3
    assert [(event.kind, event.name, event.value) for event in session.registers.events] == [
        ("msr", "HCR_EL2", 3),
        ("tlbi", "alle2is", None),
        ("tlbi", "vae2is", 5),
        ("dsb", "ish", None),
        ("hint", "wfi", None),
    ]


def test_extern_functions_run_the_given_model() -> None:
    a = local("a", U64)
    outside = function("outside", [a], U64, [])
    outside.extern = True
    tested = expression_function(n.Call(outside, (read(a),), U64, at(2)), a)

    def model(value: int) -> int:
        return value + 1

    session = Interpreter(program(outside, tested), externs={"sample.outside": model})
    assert session.call("f", 4) == 5


def test_constants_cannot_be_written() -> None:
    table = StaticObject("sample.TABLE", "TABLE", "sample", t.U32, 4, 4, False, b"\x05\0\0\0")
    body: list[n.Statement] = [
        n.Store(n.StaticAddress(table), number(U32, 1), 4, at(2)),
        n.Return(number(U32, 0), at(2)),
    ]
    session = Interpreter(program(function("f", [], U32, body), statics=[table]))
    with pytest.raises(HostFault, match="written to read-only memory"):
        session.call("f")
    assert session.static("sample.TABLE") == 5
