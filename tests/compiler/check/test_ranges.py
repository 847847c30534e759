"""Range analysis proves the checks of ordinary code, and never one that can fail (random programs)."""

import copy
import os
import random

import pytest

from compiler.check.ranges import count_checks, remove_proven_checks
from compiler.check.verify import find_problems
from compiler.program import nodes
from compiler.program.nodes import (
    BinaryOp,
    CompareOp,
    Conversion,
    Expression,
    Local,
    Overflow,
    Statement,
    TrapKind,
    UnaryOp,
)
from compiler.program.program import Function, Program
from compiler.program.types import BOOL, I8, I32, I64, POINTER, SLICE, U8, U16, U32, U64, Int, ValueType
from tests.compiler.check.machine import Machine, OutOfSteps, Trapped
from tests.compiler.check.typed import (
    HERE,
    assign,
    binary,
    compare,
    const,
    function,
    if_,
    loop,
    program,
    read,
    ret,
)

S = Local("s", SLICE)
N, K, J = (Local(name, U64) for name in "nkj")
LOW, HIGH, MID = (Local(name, U64) for name in ("low", "high", "mid"))


def item(index: Expression, count: Expression | None = None) -> nodes.Evaluate:
    base = nodes.TupleElement(read(S), 0, POINTER)
    return nodes.Evaluate(nodes.Element(base, index, count or length(), 4, HERE), HERE)


def length() -> nodes.TupleElement:
    return nodes.TupleElement(read(S), 1, U64)


def add(left: Expression, right: Expression) -> nodes.Binary:
    return binary(BinaryOp.ADD, left, right)


def sub(left: Expression, right: Expression) -> nodes.Binary:
    return binary(BinaryOp.SUB, left, right)


def below(left: Expression, right: Expression) -> nodes.Compare:
    return compare(CompareOp.LT, left, right)


def mask(left: Expression, bits: int) -> nodes.Binary:
    return binary(BinaryOp.AND, left, const(bits))


def count_up(local: Local, stop: Expression, body: list[Statement], start: int = 0) -> list[Statement]:
    end = Local(f"stop_{local.name}", U64)
    EXTRA.append(end)
    return [
        assign(local, const(start)),
        assign(end, stop),
        loop(below(read(local), read(end)), body, [assign(local, add(read(local), const(1)))]),
    ]


EXTRA: list[Local] = []


def remaining(*body: Statement) -> list[TrapKind]:
    locals = [K, J, LOW, HIGH, MID, *EXTRA]
    EXTRA.clear()
    checked = program(function("f", list(body), [S, N], locals=locals))
    assert find_problems(checked) == []
    remove_proven_checks(checked)
    assert find_problems(checked) == []
    return sorted(count_checks(checked.functions[0]).elements(), key=lambda kind: kind.code)


def test_loop_over_a_slice() -> None:
    assert remaining(*count_up(K, length(), [item(read(K))])) == []
    assert remaining(*count_up(K, length(), [item(add(read(K), const(1)))])) == [TrapKind.BOUNDS]
    assert remaining(*count_up(K, length(), [item(sub(read(K), const(1)))], start=1)) == []


def test_loop_with_constant_bounds() -> None:
    back = [item(sub(read(K), const(back)), const(64)) for back in (2, 7, 15, 16)]
    assert remaining(*count_up(K, const(64), list(back), start=16)) == []
    assert remaining(*count_up(K, const(65), [item(read(K), const(64))])) == [TrapKind.BOUNDS]


def test_nested_loops() -> None:
    inner = count_up(J, read(K), [item(read(J)), item(add(read(J), const(1)))])
    assert remaining(*count_up(K, length(), inner)) == []


def test_masks_shifts_and_remainders() -> None:
    nine_bits = mask(binary(BinaryOp.SHR, read(N), const(39)), 511)
    assert remaining(item(nine_bits, const(512))) == []
    assert remaining(item(binary(BinaryOp.MOD, read(N), const(16)), const(16))) == []
    assert remaining(item(binary(BinaryOp.SHR, read(N), const(60)), const(16))) == []
    assert remaining(assign(K, binary(BinaryOp.SHL, mask(read(N), 0xFF), const(56)))) == []
    assert remaining(assign(K, binary(BinaryOp.SHL, mask(read(N), 0xFF), const(57)))) == [TrapKind.SHIFT]
    assert remaining(assign(K, binary(BinaryOp.SHR, const(1), read(N)))) == [TrapKind.SHIFT]


def test_conditions_bound_values() -> None:
    guard = if_(compare(CompareOp.GE, read(N), length()), [ret()])
    assert remaining(guard, item(read(N))) == []
    both = nodes.Logical(True, compare(CompareOp.GE, read(N), const(3)), compare(CompareOp.LE, read(N), length()))
    assert remaining(if_(both, [item(sub(read(N), const(3)))])) == []
    either = nodes.Logical(False, compare(CompareOp.GT, read(N), const(9)), compare(CompareOp.EQ, read(N), const(0)))
    assert remaining(if_(either, [ret()]), assign(K, sub(read(N), const(1))), item(read(K), const(9))) == []
    unequal = if_(compare(CompareOp.NE, read(N), length()), [item(read(N))])
    assert remaining(if_(compare(CompareOp.GT, read(N), length()), [ret()]), unequal) == []


def test_a_passed_check_is_known_afterwards() -> None:
    assert remaining(item(read(N)), item(read(N))) == [TrapKind.BOUNDS]
    byte = nodes.Convert(Conversion.CHECKED, read(N), U8, HERE)
    assert remaining(nodes.Evaluate(byte, HERE), item(read(N), const(256))) == [TrapKind.CONVERSION]
    assert remaining(assign(K, sub(length(), read(N))), assign(J, sub(length(), read(N)))) == [TrapKind.OVERFLOW]


def test_an_assert_is_used_and_a_proven_one_goes() -> None:
    def check(limit: int) -> nodes.If:
        fails = nodes.Unary(UnaryOp.NOT, below(read(N), const(limit)), BOOL, HERE)
        return if_(fails, [nodes.Trap(TrapKind.ASSERT, HERE)])

    assert remaining(check(16), item(read(N), const(16)), check(17)) == [TrapKind.ASSERT]


def test_binary_search() -> None:
    half = binary(BinaryOp.FLOOR_DIV, sub(read(HIGH), read(LOW)), const(2))
    step = if_(
        below(read(N), read(MID)),
        [assign(HIGH, read(MID))],
        [assign(LOW, add(read(MID), const(1)))],
    )
    search = loop(below(read(LOW), read(HIGH)), [assign(MID, add(read(LOW), half)), item(read(MID)), step])
    assert remaining(assign(LOW, const(0)), assign(HIGH, length()), search) == []


def test_ring_buffer_counter_stays_in_range() -> None:
    forward: list[Statement] = [
        item(read(K), const(8)),
        assign(K, add(read(K), const(1))),
        if_(compare(CompareOp.EQ, read(K), const(8)), [assign(K, const(0))]),
    ]
    assert remaining(assign(K, const(0)), loop(None, forward)) == []


def test_loop_variable_may_leave_by_break() -> None:
    leave = if_(below(read(N), read(K)), [nodes.Break(HERE)])
    assert remaining(*count_up(K, length(), [leave]), item(read(K))) == [TrapKind.BOUNDS]
    assert remaining(assign(K, const(3)), loop(None, [leave, assign(K, read(N))]), item(read(K), const(4))) == [
        TrapKind.BOUNDS
    ]


def test_results_of_calls_and_switches() -> None:
    small = function("small", [ret(mask(read(N), 7))], [N], U64)
    caller = function("f", [item(nodes.Call(small, (read(N),), U64, HERE), const(8))], [S, N])
    checked = program(caller, small)
    report = remove_proven_checks(checked)
    assert (report.total[TrapKind.BOUNDS], report.removed[TrapKind.BOUNDS]) == (1, 1)
    choose = nodes.Switch(read(N), (nodes.SwitchCase((2, 5), (item(read(N), const(6)),)),), (), HERE)
    assert remaining(choose) == []


def test_an_assignment_inside_an_operand_is_not_overlooked() -> None:
    change = nodes.Sequence((assign(K, read(N)),), const(4))
    stale = nodes.Evaluate(nodes.Element(nodes.TupleElement(read(S), 0, POINTER), read(K), change, 4, HERE), HERE)
    assert remaining(assign(K, const(9)), stale, item(read(K), const(4))) == [TrapKind.BOUNDS, TrapKind.BOUNDS]


def test_a_node_that_stands_twice_keeps_its_check() -> None:
    shared = add(read(K), const(1))
    assert remaining(assign(K, const(1)), assign(J, shared), assign(K, read(N)), assign(J, shared)) == [
        TrapKind.OVERFLOW,
        TrapKind.OVERFLOW,
    ]


def test_warning_for_a_check_that_always_fails() -> None:
    checked = program(function("f", [assign(K, const(8)), item(read(K), const(8))], [S, N], locals=[K]))
    (warning,) = remove_proven_checks(checked).warnings
    assert (warning.code, warning.message) == ("W0701", "this always stops the program: index out of bounds")


class Generator:
    """Random functions over integers: nested loops and choices, with values near the interesting bounds."""

    KINDS = (U8, U16, U32, U64, I8, I32, I64)

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.locals = [Local(f"x{n}", self.random.choice(self.KINDS)) for n in range(5)]
        self.counters = 0
        self.extra: list[Local] = []

    def function(self) -> Function:
        parameters = self.locals[:3]
        start: list[Statement] = [assign(local, self.number(local.type)) for local in self.locals[3:]]
        body = [*start, *self.block(3), ret(read(self.locals[0]))]
        return function("f", body, parameters, parameters[0].type, [*self.locals[3:], *self.extra])

    def number(self, kind: ValueType) -> nodes.Constant:
        assert isinstance(kind, Int)
        near = self.random.choice((0, 1, 2, 7, 8, 64, 255, kind.lowest, kind.highest))
        value = near + self.random.choice((-1, 0, 1))
        return const(min(max(value, kind.lowest), kind.highest), kind)

    def expression(self, kind: Int, depth: int = 3) -> Expression:
        same = [local for local in self.locals if local.type == kind]
        choice = self.random.random()
        if depth == 0 or choice < 0.3:
            return read(self.random.choice(same)) if same and self.random.random() < 0.8 else self.number(kind)
        if choice < 0.5:
            source = self.random.choice(self.locals).type
            assert isinstance(source, Int)
            operand = self.expression(source, depth - 1)
            wider = source.bits <= kind.bits
            conversion = Conversion.CHECKED if wider or self.random.random() < 0.6 else Conversion.TRUNCATE
            return nodes.Convert(conversion, operand, kind, HERE)
        if choice < 0.55:
            op = self.random.choice((UnaryOp.NEGATE, UnaryOp.INVERT, UnaryOp.COUNT_ONES, UnaryOp.LEADING_ZEROS))
            return nodes.Unary(op, self.expression(kind, depth - 1), kind, HERE)
        if choice < 0.62:
            return nodes.Conditional(
                self.condition(depth - 1), self.expression(kind, depth - 1), self.expression(kind, depth - 1), kind
            )
        if choice < 0.66:
            local = self.random.choice(self.locals)
            assert isinstance(local.type, Int)
            change = assign(local, self.expression(local.type, depth - 1))
            return nodes.Sequence((change,), self.expression(kind, depth - 1))
        return self.binary(kind, depth - 1)

    def binary(self, kind: Int, depth: int) -> Expression:
        ops = ["ADD", "ADD", "SUB", "SUB", "MUL", "FLOOR_DIV", "MOD", "AND", "OR", "XOR", "SHL", "SHR", "MIN", "MAX"]
        op = BinaryOp[self.random.choice(ops)]
        left = self.expression(kind, depth)
        if op in (BinaryOp.SHL, BinaryOp.SHR):
            right: Expression = const(self.random.randrange(0, kind.bits + 1), U64)
            overflow = self.random.choice((Overflow.TRAP, Overflow.WRAP))
        else:
            right = self.number(kind) if self.random.random() < 0.4 else self.expression(kind, depth)
            overflow = Overflow.TRAP
            if op in (BinaryOp.ADD, BinaryOp.SUB, BinaryOp.MUL):
                overflow = self.random.choice((Overflow.TRAP, Overflow.TRAP, Overflow.WRAP))
        return binary(op, left, right, overflow)

    def condition(self, depth: int = 2) -> Expression:
        choice = self.random.random()
        if depth and choice < 0.3:
            return nodes.Logical(self.random.random() < 0.5, self.condition(depth - 1), self.condition(depth - 1))
        if depth and choice < 0.4:
            return nodes.Unary(UnaryOp.NOT, self.condition(depth - 1), BOOL, HERE)
        local = self.random.choice(self.locals)
        assert isinstance(local.type, Int)
        other = self.number(local.type) if self.random.random() < 0.5 else self.expression(local.type, 1)
        return compare(self.random.choice(list(CompareOp)), read(local), other)

    def block(self, depth: int, in_loop: bool = False) -> list[Statement]:
        return [self.statement(depth, in_loop) for _ in range(self.random.randrange(1, 5))]

    def statement(self, depth: int, in_loop: bool) -> Statement:
        choice = self.random.random()
        if depth and choice < 0.25:
            return if_(self.condition(), self.block(depth - 1, in_loop), self.block(depth - 1, in_loop))
        if depth and choice < 0.45:
            return self.loop(depth - 1)
        if depth and choice < 0.5:
            subject = self.random.choice(self.locals)
            values = sorted({self.number(subject.type).value for _ in range(3)})
            cases = tuple(nodes.SwitchCase((value,), tuple(self.block(depth - 1, in_loop))) for value in values)
            return nodes.Switch(read(subject), cases, tuple(self.block(depth - 1, in_loop)), HERE)
        if in_loop and choice < 0.56:
            return if_(self.condition(), [self.random.choice((nodes.Break(HERE), nodes.Continue(HERE)))])
        if choice < 0.62:
            index = self.expression(U64, 2)
            base = nodes.Constant(POINTER, 0)
            count = self.expression(U64, 1) if self.random.random() < 0.5 else const(self.random.randrange(1, 70))
            return nodes.Evaluate(nodes.Element(base, index, count, 4, HERE), HERE)
        local = self.random.choice(self.locals)
        assert isinstance(local.type, Int)
        return assign(local, self.expression(local.type))

    def loop(self, depth: int) -> Statement:
        if self.random.random() < 0.3:
            return loop(self.condition(), self.block(depth, True), self.block(0))
        counter = self.random.choice(self.locals)
        assert isinstance(counter.type, Int)
        stop = self.number(counter.type) if self.random.random() < 0.4 else self.expression(counter.type, 0)
        op = self.random.choice((BinaryOp.ADD, BinaryOp.SUB))
        step = assign(counter, binary(op, read(counter), const(self.random.choice((1, 1, 2)), counter.type)))
        tests = (CompareOp.LT, CompareOp.LE, CompareOp.NE) if op is BinaryOp.ADD else (CompareOp.GT, CompareOp.NE)
        return loop(compare(self.random.choice(tests), read(counter), stop), self.block(depth, True), [step])


def outcome(function: Function, arguments: list[int]) -> object:
    try:
        return Machine().call(function, arguments)
    except Trapped as trap:
        return trap.kind
    except OutOfSteps:
        return None


CASES = int(os.environ.get("TANTALUM_RANGE_CASES", "400"))


@pytest.mark.parametrize("chunk", range(4))
def test_random_programs_keep_their_meaning(chunk: int) -> None:
    proven = 0
    for seed in range(chunk, CASES, 4):
        original = program(Generator(seed).function())
        changed = copied(original)
        proven += remove_proven_checks(changed).removed.total()
        assert find_problems(changed) == [], seed
        inputs = random.Random(seed)
        for _ in range(12):
            arguments = [argument(local.type, inputs) for local in original.entries[0].parameters]
            expected = outcome(original.entries[0], arguments)
            found = outcome(changed.entries[0], arguments)
            assert found == expected or expected is None, (seed, arguments)
    assert proven > CASES // 4


def copied(original: Program) -> Program:
    """A program whose functions can be changed; the nodes are shared, since they never change."""
    return program(*(copy.copy(function) for function in original.functions))


def argument(kind: ValueType, source: random.Random) -> int:
    assert isinstance(kind, Int)
    near = source.choice((0, 1, 5, 8, 64, 255, kind.lowest, kind.highest, source.randint(kind.lowest, kind.highest)))
    return min(max(near + source.randrange(-2, 3), kind.lowest), kind.highest)
