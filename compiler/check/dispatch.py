"""Which rule checks which kind of tree node; the one place that knows all rules."""

from __future__ import annotations

import ast

from compiler.check import (
    arithmetic,
    assignments,
    calls,
    coercion,
    conditions,
    constants,
    constructors,
    expressions,
    formats,
    loops,
    matching,
    memory,
    mmio_atomics,
    names,
    numbers,
    pointers,
    registers,
    statements,
    tables,
)
from compiler.check.context import ExpressionRule, Rules, StatementRule
from compiler.check.intrinsics import Intrinsics

EXPRESSIONS: dict[type[ast.expr], ExpressionRule] = {
    ast.Name: names.name,
    ast.Attribute: names.attribute,
    ast.Constant: expressions.literal,
    ast.BinOp: arithmetic.binary,
    ast.UnaryOp: expressions.unary_or_not,
    ast.BoolOp: conditions.truth,
    ast.Compare: conditions.truth,
    ast.IfExp: expressions.choice,
    ast.NamedExpr: assignments.walrus,
    ast.Subscript: expressions.subscript,
    ast.Tuple: expressions.tuple_display,
    ast.Call: calls.call,
    ast.JoinedStr: formats.f_string,
}
STATEMENTS: dict[type[ast.stmt], StatementRule] = {
    ast.Assign: assignments.assign,
    ast.AnnAssign: assignments.assign_annotated,
    ast.AugAssign: assignments.assign_augmented,
    ast.Expr: statements.expression_statement,
    ast.If: statements.if_statement,
    ast.While: statements.while_loop,
    ast.For: loops.for_loop,
    ast.Break: statements.break_statement,
    ast.Continue: statements.continue_statement,
    ast.Return: statements.return_statement,
    ast.Assert: statements.assert_statement,
    ast.With: statements.with_statement,
    ast.Match: matching.match_statement,
    ast.Pass: statements.skip,
}
RULES = Rules(EXPRESSIONS, STATEMENTS, coercion.coerce, constants.default_constant, calls.call_bound)
INTRINSICS = Intrinsics(
    {
        isinstance: conditions.truth,
        **numbers.RULES,
        **memory.RULES,
        **pointers.RULES,
        **registers.RULES,
        **formats.RULES,
    },
    {**constructors.METHODS, **pointers.METHODS, **registers.METHODS, **mmio_atomics.METHODS},
    {**pointers.OPERATIONS, **mmio_atomics.OPERATIONS, **tables.OPERATIONS},
)
