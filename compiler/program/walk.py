"""Walking the typed program: the parts of each node, in order of evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any

from compiler.program import nodes
from compiler.program.nodes import Expression, Statement

Node = Expression | Statement


_TWO_SIDES = attrgetter("left", "right")
_OPERANDS: dict[type[Any], Callable[[Any], tuple[Expression, ...]]] = {
    nodes.Binary: _TWO_SIDES,
    nodes.CheckedBinary: _TWO_SIDES,
    nodes.Compare: _TWO_SIDES,
    nodes.Logical: _TWO_SIDES,
    nodes.Unary: lambda node: (node.operand,),
    nodes.Convert: lambda node: (node.operand,),
    nodes.TupleElement: lambda node: (node.operand,),
    nodes.Load: lambda node: (node.address,),
    nodes.Offset: lambda node: (node.base,),
    nodes.Element: lambda node: (node.base, node.index) if node.count is None else (node.base, node.index, node.count),
    nodes.Call: attrgetter("arguments"),
    nodes.MakeTuple: attrgetter("elements"),
    nodes.Conditional: attrgetter("condition", "when_true", "when_false"),
    nodes.Subslice: attrgetter("slice", "start", "stop"),
    nodes.TableCall: lambda node: (node.index, *node.arguments),
    nodes.AtomicUpdate: attrgetter("address", "value"),
    nodes.CompareExchange: attrgetter("address", "expected", "desired"),
    nodes.Sequence: lambda node: (node.value,),
    nodes.Assign: lambda node: (node.value,),
    nodes.Store: attrgetter("address", "value"),
    nodes.CopyMemory: attrgetter("destination", "source", "size"),
    nodes.FillMemory: attrgetter("destination", "byte", "size"),
    nodes.Evaluate: lambda node: (node.expression,),
    nodes.If: lambda node: (node.condition,),
    nodes.Switch: lambda node: (node.subject,),
    nodes.Loop: lambda node: () if node.condition is None else (node.condition,),
    nodes.Return: lambda node: () if node.value is None else (node.value,),
    nodes.SystemOperation: lambda node: () if node.value is None else (node.value,),
    nodes.RegisterWrite: lambda node: (node.value,),
}
"""For each class of node that evaluates expressions: which, in order."""


def operands(node: Node) -> tuple[Expression, ...]:
    """The expressions that a node evaluates directly, in order; not the statements of a Sequence, nor of blocks."""
    get = _OPERANDS.get(type(node))
    return () if get is None else get(node)


def blocks(node: Statement) -> tuple[tuple[Statement, ...], ...]:
    """The statement lists inside a statement."""
    match node:
        case nodes.If():
            return (node.then, node.otherwise)
        case nodes.Loop():
            return (node.body, node.step)
        case nodes.Switch():
            return (*(case.body for case in node.cases), node.default)
        case _:
            return ()


def walk(statements: Iterable[Statement]) -> Iterator[Node]:
    """Every statement and expression, each before its parts."""
    pending: list[Node] = list(statements)
    pending.reverse()
    while pending:
        node = pending.pop()
        yield node
        parts: list[Node] = []
        if isinstance(node, nodes.Sequence):
            parts += node.statements
        parts += operands(node)
        if isinstance(node, nodes.If | nodes.Loop | nodes.Switch):
            for block in blocks(node):
                parts += block
        parts.reverse()
        pending += parts


def ends(statements: Iterable[Statement]) -> bool:
    """Whether control never goes past these statements: they return, trap, leave the loop or loop for ever."""
    return any(_ends(statement) for statement in statements)


def _ends(node: Statement) -> bool:
    match node:
        case nodes.Return() | nodes.Trap() | nodes.Break() | nodes.Continue():
            return True
        case nodes.If():
            return ends(node.then) and ends(node.otherwise)
        case nodes.Switch():
            return ends(node.default) and all(ends(case.body) for case in node.cases)
        case nodes.Loop():
            return node.condition is None and not has_break(node.body)
        case nodes.Evaluate(expression=nodes.Call(function=function)):
            return function.no_return
        case _:
            return False


def has_break(statements: Iterable[Statement]) -> bool:
    """Whether these statements, the body of a loop, leave that loop with Break."""
    for statement in statements:
        if isinstance(statement, nodes.Break):
            return True
        if not isinstance(statement, nodes.Loop) and any(has_break(block) for block in blocks(statement)):
            return True
    return False
