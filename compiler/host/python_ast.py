"""Short ways to build the Python syntax trees that functions are re-emitted as."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TypeVar

from compiler.program.nodes import Span

Node = TypeVar("Node", bound=ast.expr | ast.stmt)

LOAD = ast.Load()
STORE = ast.Store()


def located(node: Node, span: Span | None) -> Node:
    """`node` with the place of `span`; without one it takes the place of what it becomes part of."""
    if span is not None:
        node.lineno, node.col_offset = span.line, max(span.column - 1, 0)
        node.end_lineno, node.end_col_offset = _end(span)
    return node


def _end(span: Span) -> tuple[int, int]:
    start, end = (span.line, span.column), (span.end_line, span.end_column)
    line, column = max(start, end)
    return line, max(column - 1, 0)


def constant(value: int | bool | None) -> ast.expr:
    """A literal; build-time integers of a width become plain ones."""
    return ast.Constant(value if value is None or isinstance(value, bool) else int(value))


def name(identifier: str) -> ast.expr:
    """A variable's value."""
    return ast.Name(identifier, LOAD)


def target(identifier: str) -> ast.Name:
    """A variable to assign."""
    return ast.Name(identifier, STORE)


def walrus(identifier: str, value: ast.expr) -> ast.expr:
    """`(identifier := value)`."""
    return ast.NamedExpr(target(identifier), value)


def call(function: str, *arguments: ast.expr) -> ast.expr:
    """`function(arguments)`."""
    return ast.Call(name(function), list(arguments), [])


def binary(left: ast.expr, operator: ast.operator, right: ast.expr) -> ast.expr:
    """`left operator right`."""
    return ast.BinOp(left, operator, right)


def compare(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.expr:
    """`left operator right`."""
    return ast.Compare(left, [operator], [right])


def between(low: int, value: ast.expr, high: int) -> ast.expr:
    """`low <= value <= high`."""
    return ast.Compare(constant(low), [ast.LtE(), ast.LtE()], [value, constant(high)])


def choose(condition: ast.expr, when_true: ast.expr, when_false: ast.expr) -> ast.expr:
    """`when_true if condition else when_false`."""
    return ast.IfExp(condition, when_true, when_false)


def tuple_of(elements: Sequence[ast.expr]) -> ast.expr:
    """`(elements,)`."""
    return ast.Tuple(list(elements), LOAD)


def subscript(value: ast.expr, index: ast.expr) -> ast.expr:
    """`value[index]`."""
    return ast.Subscript(value, index, LOAD)


def assign(identifier: str, value: ast.expr) -> ast.stmt:
    """`identifier = value`."""
    return ast.Assign([target(identifier)], value)


def negated(condition: ast.expr) -> ast.expr:
    """`not condition`."""
    return ast.UnaryOp(ast.Not(), condition)


def function_definition(identifier: str, parameters: Sequence[str], body: list[ast.stmt]) -> ast.FunctionDef:
    """`def identifier(parameters): body`."""
    template = ast.parse(f"def {identifier}({', '.join(parameters)}): pass").body[0]
    assert isinstance(template, ast.FunctionDef)
    template.body = body
    return template
