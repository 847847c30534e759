"""Branches, loops, switches, calls, tables: the same results at O0, O2 and on the host."""

from __future__ import annotations

import pytest

from compiler.lower import TrapSite
from compiler.program.nodes import BinaryOp as Op
from compiler.program.nodes import (
    Break,
    CompareOp,
    Conditional,
    Continue,
    Evaluate,
    Expression,
    If,
    Logical,
    Loop,
    MakeTuple,
    Overflow,
    Sequence,
    Statement,
    Switch,
    SwitchCase,
    TableCall,
    Trap,
    TrapKind,
    TupleElement,
    UnaryOp,
)
from compiler.program.program import Function, Table
from compiler.program.types import BOOL, I32, U8, U64, VOID, Tuple
from tests.compiler.lower.conftest import Run
from tests.compiler.lower.programs import (
    SPAN,
    assign,
    at,
    binary,
    call,
    compare,
    function,
    give,
    local,
    number,
    program,
    read,
    unary,
)

PAIR = Tuple((U64, BOOL))


def _collatz() -> Function:
    """Steps until 1, at most `limit`, with `continue` in one arm and `break` in another."""
    n, limit, steps = local("n"), local("limit"), local("steps")
    odd = compare(CompareOp.NE, binary(Op.AND, read(n), number(1)), number(0))
    body = (
        If(compare(CompareOp.EQ, read(n), number(1)), (Break(SPAN),), (), SPAN),
        If(
            odd,
            (
                assign(n, binary(Op.ADD, binary(Op.MUL, read(n), number(3)), number(1))),
                Continue(SPAN),
            ),
            (),
            SPAN,
        ),
        assign(n, binary(Op.FLOOR_DIV, read(n), number(2))),
    )
    step = (assign(steps, binary(Op.ADD, read(steps), number(1), Overflow.PROVEN)),)
    loop = Loop(compare(CompareOp.LT, read(steps), read(limit)), body, step, SPAN)
    return function(
        "collatz", [n, limit], U64, [assign(steps, number(0)), loop, give(read(steps))], [steps], exported=True
    )


def test_loops_break_and_continue(run: Run) -> None:
    compiled = run(program(_collatz()))
    for start in (1, 2, 3, 7, 27, 97):
        steps, n = 0, start
        while n != 1:
            n = 3 * n + 1 if n % 2 else n // 2
            steps += 1
        outcome = compiled("collatz", start, 1000)
        assert isinstance(outcome, tuple)
        assert outcome[0] == steps
        limited = compiled("collatz", start, 5)
        assert isinstance(limited, tuple)
        assert limited[0] == min(steps, 5)
    trapped = compiled("collatz", (1 << 64) - 1, 1000)
    assert isinstance(trapped, TrapSite)
    assert trapped.kind is TrapKind.OVERFLOW


def test_an_endless_loop_leaves_by_break(run: Run) -> None:
    n, i = local("n"), local("i")
    body = (
        If(compare(CompareOp.GE, read(i), read(n)), (Break(SPAN),), (), SPAN),
        assign(i, binary(Op.ADD, read(i), number(3))),
    )
    entry = function(
        "up", [n], U64, [assign(i, number(0)), Loop(None, body, (), SPAN), give(read(i))], [i], exported=True
    )
    outcome = run(program(entry))("up", 10)
    assert isinstance(outcome, tuple)
    assert outcome[0] == 12


def test_switch_of_a_signed_subject(run: Run) -> None:
    subject = local("subject", I32)
    cases = (
        SwitchCase((-1,), (give(number(1)),)),
        SwitchCase((0, 5), (give(number(2)),)),
        SwitchCase((1 << 30,), ()),
    )
    default = (Trap(TrapKind.MATCH, at(7), ""),)
    body: list[Statement] = [Switch(read(subject), cases, default, SPAN), give(number(3))]
    compiled = run(program(function("choose", [subject], U64, body, exported=True)))
    for value, expected in ((-1, 1), (0, 2), (5, 2), (1 << 30, 3)):
        outcome = compiled("choose", value)
        assert isinstance(outcome, tuple)
        assert outcome[0] == expected
    assert compiled("choose", 4) == TrapSite(TrapKind.MATCH, at(7))


def _noting(log: Expression, name: str) -> Function:
    """A function that tells what it was asked by trapping unless its argument is below 2."""
    value = local("value")
    trap = Trap(TrapKind.ASSERT, at(9), name)
    body: list[Statement] = [
        If(compare(CompareOp.GE, read(value), number(2)), (trap,), (), SPAN),
        give(compare(CompareOp.EQ, read(value), log)),
    ]
    return function(name, [value], BOOL, body, no_inline=True)


@pytest.mark.parametrize("is_and", [True, False])
def test_and_or_evaluate_the_right_side_only_when_needed(run: Run, is_and: bool) -> None:
    test = _noting(number(1), "sample.test")
    a, b, result = local("a"), local("b"), local("result", BOOL)
    both = Logical(is_and, call(test, read(a)), unary(UnaryOp.NOT, call(test, read(b))))
    as_value = function("value", [a, b], BOOL, [assign(result, both), give(read(result))], [result], exported=True)
    as_branch = function("branch", [a, b], BOOL, [If(both, (give(number(1, BOOL)),), (), SPAN), give(number(0, BOOL))])
    as_branch.exported = True
    compiled = run(program(test, as_value, as_branch))
    for symbol in ("value", "branch"):
        for left in (0, 1):
            for right in (0, 1, 2):
                decided = left == (0 if is_and else 1)
                outcome = compiled(symbol, left, right)
                if right == 2 and not decided:
                    assert isinstance(outcome, TrapSite)
                    assert outcome.message == "sample.test"
                else:
                    truth = (left and not right) if is_and else (left or not right)
                    assert isinstance(outcome, tuple)
                    assert outcome[0] & 1 == bool(truth)


def test_tuples_pass_through_calls_conditionals_and_locals(run: Run) -> None:
    pair, flag = local("pair", PAIR), local("flag", BOOL)
    swap = function("sample.keep", [flag, pair], PAIR, [give(read(pair))], no_inline=True)
    n, kept = local("n"), local("kept", PAIR)
    odd = compare(CompareOp.EQ, binary(Op.AND, read(n), number(1)), number(1))
    first = MakeTuple((read(n), number(1, BOOL)), PAIR)
    second = MakeTuple((number(7), number(0, BOOL)), PAIR)
    chosen = Conditional(odd, first, second, PAIR)
    nested = Sequence((assign(kept, call(swap, number(1, BOOL), chosen)),), read(kept))
    body: list[Statement] = [
        give(MakeTuple((TupleElement(nested, 1, BOOL), TupleElement(read(kept), 0, U64)), Tuple((BOOL, U64))))
    ]
    entry = function("entry", [n], Tuple((BOOL, U64)), body, [kept], exported=True)
    compiled = run(program(swap, entry))
    for value, expected in ((5, (1, 5)), (4, (0, 7))):
        outcome = compiled("entry", value)
        assert isinstance(outcome, tuple)
        assert (outcome[0] & 1, outcome[1]) == expected


def test_eight_results_in_registers(run: Run) -> None:
    parameters = [local(f"p{index}") for index in range(8)]
    kind = Tuple((U64,) * 8)
    values = tuple(binary(Op.ADD, read(parameter), number(1)) for parameter in reversed(parameters))
    entry = function("rotate", parameters, kind, [give(MakeTuple(values, kind))], exported=True)
    outcome = run(program(entry))("rotate", *range(8))
    assert isinstance(outcome, tuple)
    assert outcome == tuple(range(8, 0, -1))


def test_table_calls_are_direct_and_checked(run: Run) -> None:
    value = local("value")
    handlers = [
        function(
            f"sample.handler{n}", [value], U64, [give(binary(Op.MUL, read(value), number(n)))], no_inline=n % 2 == 0
        )
        for n in range(5)
    ]
    table = Table("sample.HANDLERS", handlers, SPAN)
    index, argument = local("index"), local("argument")
    node = TableCall(table, read(index), (read(argument),), U64, at(12))
    entry = function("dispatch", [index, argument], U64, [give(node)], exported=True)
    whole = program(*handlers, entry)
    whole.tables.append(table)
    compiled = run(whole)
    for n in range(5):
        outcome = compiled("dispatch", n, 11)
        assert isinstance(outcome, tuple)
        assert outcome[0] == 11 * n
    assert compiled("dispatch", 5, 11) == TrapSite(TrapKind.BOUNDS, at(12))
    assert compiled("dispatch", (1 << 64) - 1, 11) == TrapSite(TrapKind.BOUNDS, at(12))


def test_functions_without_a_value(run: Run) -> None:
    n = local("n", U8)
    check = function(
        "sample.check",
        [n],
        VOID,
        [If(compare(CompareOp.GT, read(n), number(9, U8)), (Trap(TrapKind.PANIC, at(3), "big"),), (), SPAN)],
    )
    entry = function("entry", [n], VOID, [Evaluate(call(check, read(n)), SPAN)], exported=True)
    compiled = run(program(check, entry))
    assert isinstance(compiled("entry", 9), tuple)
    assert compiled("entry", 10) == TrapSite(TrapKind.PANIC, at(3), "big")


def test_a_function_that_does_not_return_ends_its_caller(run: Run) -> None:
    stop = function("sample.stop", [], VOID, [Trap(TrapKind.PANIC, at(4), "stopped")], no_inline=True)
    stop.no_return = True
    n = local("n")
    small = compare(CompareOp.LT, read(n), number(3))
    body: list[Statement] = [If(small, (give(read(n)),), (), SPAN), Evaluate(call(stop), at(6)), give(number(0))]
    compiled = run(program(stop, function("entry", [n], U64, body, exported=True)))
    outcome = compiled("entry", 2)
    assert isinstance(outcome, tuple)
    assert outcome[0] == 2
    assert compiled("entry", 3) == TrapSite(TrapKind.PANIC, at(4), "stopped")
