"""Recursion, lock order, tables, NoReturn and extern functions, on typed programs built by hand."""

from itertools import pairwise

from compiler.check.whole_program import check_whole_program
from compiler.program import nodes
from compiler.program.nodes import Local, Statement
from compiler.program.program import AssemblyText, Function, Table
from compiler.program.types import BOOL
from compiler.syntax.diagnostics import Diagnostic
from tests.compiler.check.typed import HERE, at, call, const, function, if_, loop, program, read, ret

FLAG = Local("flag", BOOL)


def findings(*functions: Function) -> list[Diagnostic]:
    return check_whole_program(program(*functions))


def lock(name: str, rank: int) -> tuple[Function, Function]:
    enter, leave = function(f"{name}.__enter__", []), function(f"{name}.__exit__", [])
    enter.acquires = leave.releases = (name, rank)
    return enter, leave


LOW, LOW_EXIT = lock("Low", 1)
HIGH, HIGH_EXIT = lock("High", 2)
LOCKS = (LOW, LOW_EXIT, HIGH, HIGH_EXIT)


def test_recursion_names_the_cycle_and_its_calls() -> None:
    f, g, h, outside = (function(name, []) for name in ("f", "g", "h", "outside"))
    outside.body = (call(f, line=1),)
    f.body = (call(g, line=2),)
    g.body = (call(h, line=3), call(g, line=4))
    h.body = (call(f, line=5),)
    (found,) = findings(outside, f, g, h)
    assert found.code == "E0701"
    assert found.message == "`f` calls `g`, which calls `h`, which calls `f`: the stack they need has no bound"
    assert found.span == at(2)
    assert [(note.message, note.span) for note in found.notes] == [
        ("`g` calls `h` here", at(3)),
        ("`h` calls `f` here", at(5)),
    ]


def test_recursion_through_itself_a_table_and_a_block() -> None:
    f = function("f", [])
    f.body = (call(f, line=7),)
    assert findings(f)[0].message == "`f` calls itself, so the stack it needs has no bound"
    g = function("g", [])
    table = Table("app.T", [g], HERE)
    g.body = (nodes.Evaluate(nodes.TableCall(table, const(0), (), g.result, at(8)), at(8)),)
    assert findings(g)[0].span == at(8)
    block = function("block", [])
    block.assembly = AssemblyText("block:\n  bl {target}\n", "app.py", 1, {"target": "app.block"})
    assert [found.code for found in findings(block)] == ["E0701"]
    block.assembly = AssemblyText("block:\n  adr x0, {target}\n", "app.py", 1, {"target": "app.block"})
    assert findings(block) == []


def test_deep_chains_of_calls_need_no_recursion_here() -> None:
    chain = [function(f"f{n}", []) for n in range(3000)]
    for caller, callee in pairwise(chain):
        caller.body = (call(callee),)
    assert check_whole_program(program(*chain, *LOCKS)) == []


def test_locks_in_order() -> None:
    f = function("f", [call(LOW), call(HIGH), call(HIGH_EXIT), call(LOW_EXIT), call(HIGH), call(HIGH_EXIT)])
    assert findings(f, *LOCKS) == []


def test_locks_out_of_order_through_a_call() -> None:
    inner = function("inner", [call(LOW, line=5), call(LOW_EXIT)])
    middle = function("middle", [call(inner, line=4)])
    f = function("f", [call(HIGH, line=2), call(middle, line=3), call(HIGH_EXIT)])
    (found,) = findings(f, middle, inner, *LOCKS)
    assert found.code == "E0702"
    assert found.message == "`Low` (rank 1) is taken by the call of `middle` while `High` (rank 2) is held"
    assert found.span == at(3)
    assert [(note.message, note.span) for note in found.notes] == [
        ("`High` is taken here", at(2)),
        ("which calls `inner` here", at(4)),
        ("`Low` is taken here", at(5)),
    ]


def test_locks_follow_control_flow() -> None:
    early: list[Statement] = [if_(read(FLAG), [call(HIGH_EXIT), ret()]), call(HIGH_EXIT), call(LOW), call(LOW_EXIT)]
    assert findings(function("f", [call(HIGH), *early], [FLAG]), *LOCKS) == []
    maybe = function("f", [if_(read(FLAG), [call(HIGH, line=2)]), call(LOW, line=3)], [FLAG])
    assert [found.span for found in findings(maybe, *LOCKS)] == [at(3)]
    again = function("f", [loop(read(FLAG), [call(LOW, line=2)])], [FLAG])
    (found,) = findings(again, *LOCKS)
    assert found.message == "`Low` (rank 1) is taken while `Low` of the same rank is held"
    released = function("f", [loop(None, [call(LOW), if_(read(FLAG), [nodes.Break(HERE)]), call(LOW_EXIT)])], [FLAG])
    assert findings(released, *LOCKS) == []


def test_a_helper_may_take_and_another_release() -> None:
    take = function("take", [call(HIGH, line=2)])
    drop = function("drop", [call(HIGH_EXIT)])
    good = function("f", [call(take), call(drop), call(LOW), call(LOW_EXIT)])
    assert findings(good, take, drop, *LOCKS) == []
    bad = function("f", [call(take), call(LOW, line=9)])
    assert [found.span for found in findings(bad, take, *LOCKS)] == [at(9)]


def test_externs_that_nothing_defines() -> None:
    outside = function("outside", [])
    outside.extern = True
    user = function("user", [call(outside, line=6), call(outside, line=7)])
    assert check_whole_program(program(user, outside)) == []
    (found,) = check_whole_program(program(user, outside), defined_symbols=())
    assert (found.code, found.span) == ("E0705", at(6))
    assert check_whole_program(program(user, outside), defined_symbols=["app.outside"]) == []
