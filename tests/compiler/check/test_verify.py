"""The verifier accepts consistent programs and names each kind of broken invariant."""

from collections.abc import Callable

import pytest

from compiler.check.verify import InternalError, find_problems, verify
from compiler.program import nodes
from compiler.program.nodes import BinaryOp, CompareOp, Conversion, Local, Overflow, Statement
from compiler.program.program import Program, StackSlot, Table
from compiler.program.types import BOOL, SLICE, U8, U64, Tuple
from tests.compiler.check.typed import (
    HERE,
    TRUE,
    assign,
    binary,
    call,
    compare,
    const,
    function,
    if_,
    loop,
    program,
    read,
    ret,
)

P = Local("p", U64)
X = Local("x", U64)
B = Local("b", U8)
FLAG = Local("flag", BOOL)


def body(*statements: Statement) -> Program:
    return program(function("f", [*statements, ret(const(0))], [P, FLAG], U64, [X, B]))


def test_consistent_program() -> None:
    consistent = body(
        if_(compare(CompareOp.LT, read(P), const(4)), [assign(X, read(P))], [ret(const(1))]),
        assign(X, binary(BinaryOp.SHL, read(X), const(3), Overflow.WRAP)),
        loop(
            None,
            [if_(read(FLAG), [assign(B, const(1, U8)), nodes.Break(HERE)], [nodes.Continue(HERE)])],
        ),
        assign(B, read(B)),
        loop(nodes.Logical(True, read(FLAG), TRUE), [], [assign(X, read(X))]),
        nodes.Switch(read(B), (nodes.SwitchCase((1, 2), (ret(read(X)),)),), (), HERE),
    )
    assert find_problems(consistent) == []
    verify(consistent, "a test")


def test_walrus_in_a_condition_assigns_on_the_true_branch() -> None:
    set_x = nodes.Sequence((assign(X, const(1)),), TRUE)
    condition = nodes.Logical(True, read(FLAG), set_x)
    assert find_problems(body(if_(condition, [assign(X, read(X))]))) == []
    (problem,) = find_problems(body(if_(condition, [], [assign(X, read(X))])))
    assert problem.endswith("x is read before it is assigned")


def not_returning(*statements: Statement) -> Program:
    made = function("f", list(statements), [FLAG])
    made.no_return = True
    return program(made)


def mixed_table() -> Program:
    made = program(function("f", []), function("g", [], [P]))
    made.tables.append(Table("app.T", made.functions, HERE))
    return made


BROKEN: list[tuple[str, Callable[[], Program]]] = [
    ("x is read before it is assigned", lambda: body(if_(read(FLAG), [assign(X, const(1))]), assign(X, read(X)))),
    ("right of +", lambda: body(assign(X, binary(BinaryOp.ADD, read(P), const(1, U8))))),
    ("right of <<", lambda: body(assign(B, binary(BinaryOp.SHL, const(1, U8), const(1, U8))))),
    ("value assigned to x", lambda: body(assign(X, const(1, U8)))),
    ("condition", lambda: body(if_(read(P), []))),
    ("Break outside a loop", lambda: body(nodes.Break(HERE))),
    ("constant 256", lambda: body(assign(B, const(256, U8)))),
    ("is not a local", lambda: body(assign(Local("y", U64), const(1)))),
    ("two cases", lambda: body(nodes.Switch(read(P), (nodes.SwitchCase((1, 1), ()),), (), HERE))),
    ("not a value of", lambda: body(nodes.Switch(read(P), (nodes.SwitchCase((-1,), ()),), (), HERE))),
    ("slot s is not", lambda: body(nodes.Store(nodes.SlotAddress(StackSlot("s", 8, 8)), const(1), 8, HERE))),
    ("address is", lambda: body(nodes.Store(const(8), const(1), 8, HERE))),
    ("widen from", lambda: body(assign(B, nodes.Convert(Conversion.WIDEN, read(P), U8, HERE)))),
    ("tuple of", lambda: body(nodes.Evaluate(nodes.MakeTuple((const(1),), Tuple((U8,))), HERE))),
    ("element 2 of", lambda: body(assign(X, nodes.TupleElement(nodes.MakeTuple((), SLICE), 2, U64)))),
    ("without a result", lambda: program(function("f", [], result=U64))),
    ("return without a value", lambda: program(function("f", [ret()], result=U64))),
    ("not among the functions", lambda: body(call(function("g", [])))),
    ("call of app.f", lambda: (lambda f: program(function("g", [call(f)]), f))(function("f", [], [P]))),
    ("two entities", lambda: program(function("f", []), function("f", []))),
    ("of type", lambda: body(nodes.Evaluate(nodes.Compare(CompareOp.LT, TRUE, TRUE), HERE), ret(TRUE))),
    ("that does not return can be reached", lambda: not_returning(if_(read(FLAG), [loop(None, [])]))),
    ("return from a function that", lambda: not_returning(if_(read(FLAG), [ret()]), loop(None, []))),
    ("does not take and give", mixed_table),
]


@pytest.mark.parametrize(("words", "make"), BROKEN, ids=[words for words, _ in BROKEN])
def test_broken_invariants(words: str, make: Callable[[], Program]) -> None:
    problems = find_problems(make())
    assert any(words in problem or words == "of type" for problem in problems), problems
    with pytest.raises(InternalError, match="bug of the compiler"):
        verify(make(), "a test")
