"""Walking the typed program: the parts of each node, in order of evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from compiler.program import nodes
from compiler.program.nodes import Expression, Statement

Node = Expression | Statement


def operands(node: Expression) -> tuple[Expression, ...]:
    """The expressions that an expression evaluates directly, in order; not the statements of a Sequence."""
    match node:
        case nodes.Binary() | nodes.CheckedBinary() | nodes.Compare() | nodes.Logical():
            return (node.left, node.right)
        case nodes.Unary() | nodes.Convert() | nodes.TupleElement():
            return (node.operand,)
        case nodes.Load():
            return (node.address,)
        case nodes.Offset():
            return (node.base,)
        case nodes.Element():
            return (node.base, node.index) if node.count is None else (node.base, node.index, node.count)
        case nodes.Call():
            return node.arguments
        case nodes.MakeTuple():
            return node.elements
        case nodes.Conditional():
            return (node.condition, node.when_true, node.when_false)
        case nodes.Subslice():
            return (node.slice, node.start, node.stop)
        case nodes.TableCall():
            return (node.index, *node.arguments)
        case nodes.AtomicUpdate():
            return (node.address, node.value)
        case nodes.CompareExchange():
            return (node.address, node.expected, node.desired)
        case nodes.Sequence():
            return (node.value,)
        case _:
            return ()


def statement_operands(node: Statement) -> tuple[Expression, ...]:
    """The expressions that a statement evaluates directly, in order."""
    match node:
        case nodes.Assign():
            return (node.value,)
        case nodes.Store():
            return (node.address, node.value)
        case nodes.CopyMemory():
            return (node.destination, node.source, node.size)
        case nodes.FillMemory():
            return (node.destination, node.byte, node.size)
        case nodes.Evaluate():
            return (node.expression,)
        case nodes.If():
            return (node.condition,)
        case nodes.Switch():
            return (node.subject,)
        case nodes.Loop():
            return () if node.condition is None else (node.condition,)
        case nodes.Return() | nodes.SystemOperation():
            return () if node.value is None else (node.value,)
        case nodes.RegisterWrite():
            return (node.value,)
        case _:
            return ()


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
        if isinstance(node, Expression):
            parts += operands(node)
        else:
            parts += statement_operands(node)
            for block in blocks(node):
                parts += block
        pending.extend(reversed(parts))


def walk_expression(expression: Expression) -> Iterator[Node]:
    """The expression and every statement and expression in it."""
    yield expression
    if isinstance(expression, nodes.Sequence):
        yield from walk(expression.statements)
    for operand in operands(expression):
        yield from walk_expression(operand)


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
