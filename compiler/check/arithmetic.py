"""Operators on integers, Distinct numbers and build-time objects.

Operands of an operator go to the wider of their types when that loses nothing; a build-time int adapts to the other
operand. Operations on build-time objects alone are done by Python, here and now.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from compiler.check.coercion import widen, widens
from compiler.check.constants import adapt, describe, fits, int_constant, is_plain_int, own_type
from compiler.check.context import FunctionChecker
from compiler.check.flow import ERROR
from compiler.check.names import untested
from compiler.check.values import Abandon, Known, Result, Value, integer_hint, value_type
from compiler.language.types import (
    U64,
    BitsType,
    BoolType,
    DistinctType,
    EnumType,
    IntType,
    OptionalType,
    ResultType,
    Type,
)
from compiler.program import types as value_types
from compiler.program.nodes import Binary, BinaryOp, Constant, Expression, Overflow, Unary, UnaryOp

_OPERATORS: dict[type[ast.operator], BinaryOp] = {
    ast.Add: BinaryOp.ADD,
    ast.Sub: BinaryOp.SUB,
    ast.Mult: BinaryOp.MUL,
    ast.FloorDiv: BinaryOp.FLOOR_DIV,
    ast.Mod: BinaryOp.MOD,
    ast.BitAnd: BinaryOp.AND,
    ast.BitOr: BinaryOp.OR,
    ast.BitXor: BinaryOp.XOR,
    ast.LShift: BinaryOp.SHL,
    ast.RShift: BinaryOp.SHR,
}
_AT_BUILD_TIME: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: lambda left, right: left % right,
    ast.BitAnd: lambda left, right: left & right,
    ast.BitOr: lambda left, right: left | right,
    ast.BitXor: lambda left, right: left ^ right,
    ast.LShift: lambda left, right: left << right,
    ast.RShift: lambda left, right: left >> right,
    ast.Div: lambda left, right: left / right,
    ast.Pow: lambda left, right: left**right,
}
_BITWISE = (BinaryOp.AND, BinaryOp.OR, BinaryOp.XOR)
_SHIFTS = (BinaryOp.SHL, BinaryOp.SHR)
_LARGEST_SHIFT = 4096


def binary(fn: FunctionChecker, node: ast.BinOp, expected: Type | None) -> Result:
    """`left op right`."""
    hint = integer_hint(expected)
    left = fn.expression(node.left, hint)
    if isinstance(left, Value) and isinstance(left.type, IntType):
        hint = left.type
    right = fn.expression(node.right, None if isinstance(node.op, ast.LShift | ast.RShift) else hint)
    return operate(fn, node.op, left, right, node, hint)


def operate(
    fn: FunctionChecker,
    op: ast.operator,
    left: Result,
    right: Result,
    node: ast.BinOp | ast.AugAssign,
    hint: Type | None,
) -> Result:
    """The operation on operands already checked."""
    left_tree, right_tree = _operand_trees(node)
    if isinstance(left, Known) and isinstance(right, Known):
        return _fold(fn, op, left, right, node)
    kind = _OPERATORS.get(type(op))
    if kind is None:
        code, fix = ("E0113", "`//`") if isinstance(op, ast.Div) else ("E0114", None)
        fn.fail(code, f"`{_symbol(op)}` is not an operator of the dialect", node, fix=fix)
    left_type, right_type = _type(left), _type(right)
    if left_type is ERROR or right_type is ERROR:
        raise Abandon
    if isinstance(left_type, DistinctType) or isinstance(right_type, DistinctType):
        return _distinct(fn, kind, left, right, node)
    _demand_int(fn, left, left_tree, kind)
    _demand_int(fn, right, right_tree, kind)
    if kind in _SHIFTS:
        return _shift(fn, kind, left, right, node, hint)
    left_node, right_node, common = unify(fn, left, right, left_tree, right_tree, node)
    overflow = _overflow(fn, kind, right_node, common, node)
    return Value(common, Binary(kind, left_node, right_node, value_type(common), overflow, fn.span(node)))


def _operand_trees(node: ast.BinOp | ast.AugAssign) -> tuple[ast.expr, ast.expr]:
    if isinstance(node, ast.BinOp):
        return node.left, node.right
    return node.target, node.value


def _type(result: Result) -> Type | None:
    if isinstance(result, Known):
        return own_type(result)
    return result.type if isinstance(result, Value) else None


def _symbol(op: ast.operator) -> str:
    sample = ast.BinOp(ast.Name("a"), op, ast.Name("b"))
    return ast.unparse(ast.fix_missing_locations(sample))[2:-2]


def _demand_int(fn: FunctionChecker, result: Result, tree: ast.expr, op: BinaryOp) -> None:
    kind = _type(result)
    if isinstance(kind, IntType) or is_plain_int(result):
        return
    if isinstance(kind, OptionalType | ResultType):
        untested(fn, kind, tree)
    fix = None
    text = fn.text(tree)
    if isinstance(kind, BoolType):
        words = {BinaryOp.AND: "`and`", BinaryOp.OR: "`or`", BinaryOp.XOR: "`!=`"}
        fix = words.get(op, f"`u64({text})`")
    elif isinstance(kind, BitsType):
        fix = f"`{text}.raw`"
    elif isinstance(kind, EnumType):
        fix = f"`{text}.value`"
    fn.fail("E0305", f"`{op.value}` needs integers, `{text}` is {describe(result)}", tree, fix=fix)


def unify(
    fn: FunctionChecker, left: Result, right: Result, left_tree: ast.expr, right_tree: ast.expr, node: ast.AST
) -> tuple[Expression, Expression, IntType]:
    """Both operands in the wider of their types."""
    left_type, right_type = _type(left), _type(right)
    if left_type is None:
        assert isinstance(left, Known)
        assert isinstance(right_type, IntType)
        return int_constant(right_type, adapt(fn, left, right_type, left_tree)), _node(right), right_type
    assert isinstance(left_type, IntType)
    if right_type is None:
        assert isinstance(right, Known)
        return _node(left), int_constant(left_type, adapt(fn, right, left_type, right_tree)), left_type
    assert isinstance(right_type, IntType)
    common = common_type(left_type, right_type)
    if common is None:
        mixed_signs(fn, left_type, right_type, left_tree, right_tree, node)
    assert common is not None
    return widen(fn, _node(left), common, left_tree), widen(fn, _node(right), common, right_tree), common


def common_type(left: IntType, right: IntType) -> IntType | None:
    """The type of the two that holds all values of both."""
    if widens(left, right):
        return right
    return left if widens(right, left) else None


def mixed_signs(
    fn: FunctionChecker, left: IntType, right: IntType, left_tree: ast.expr, right_tree: ast.expr, node: ast.AST
) -> None:
    """Report operands without a common type."""
    signed, other, tree = (left, right, right_tree) if left.signed else (right, left, left_tree)
    wide = (
        signed if signed.bits > other.bits else next((k for k in ("i16", "i32", "i64") if int(k[1:]) > other.bits), "")
    )
    target = wide if isinstance(wide, str) else wide.name
    text = fn.text(tree)
    fix = f"`{target}({text})`" if target else f"convert one of them, such as `{signed.name}({text})`"
    fn.fail("E0303", f"{left.name} and {right.name} have no common type that loses nothing", node, fix=fix)


def _node(result: Result) -> Expression:
    if isinstance(result, Known):
        kind = own_type(result)
        assert isinstance(kind, IntType)
        return int_constant(kind, int(result.object))
    assert isinstance(result, Value)
    return result.node


def _overflow(fn: FunctionChecker, op: BinaryOp, right: Expression, kind: IntType, node: ast.AST) -> Overflow:
    if op in _BITWISE:
        return Overflow.PROVEN
    if op in (BinaryOp.FLOOR_DIV, BinaryOp.MOD) and isinstance(right, Constant):
        if right.value == 0:
            fn.fail("E0316", "division by zero", node)
        return Overflow.TRAP if right.value == -1 else Overflow.PROVEN
    return Overflow.TRAP


def _shift(
    fn: FunctionChecker, op: BinaryOp, left: Result, right: Result, node: ast.BinOp | ast.AugAssign, hint: Type | None
) -> Value:
    left_tree, right_tree = _operand_trees(node)
    if is_plain_int(left):
        kind = hint if isinstance(hint, IntType) else U64
        assert isinstance(left, Known)
        value: Expression = int_constant(kind, adapt(fn, left, kind, left_tree))
    else:
        own = _type(left)
        assert isinstance(own, IntType)
        kind, value = own, _node(left)
    overflow = Overflow.TRAP
    if isinstance(right, Known):
        count = int(right.object)
        if not 0 <= count < kind.bits:
            fn.fail(
                "E0315", f"shift count {count} is not in 0 to {kind.bits - 1}, the width of {kind.name}", right_tree
            )
        amount: Expression = Constant(value_types.U64, count)
        if op is BinaryOp.SHR or count == 0:
            overflow = Overflow.PROVEN
    else:
        assert isinstance(right, Value)
        amount = shift_count(fn, right, right_tree)
    return Value(kind, Binary(op, value, amount, value_type(kind), overflow, fn.span(node)))


def shift_count(fn: FunctionChecker, value: Value, tree: ast.expr) -> Expression:
    """A shift count as U64."""
    assert isinstance(value.type, IntType)
    if value.type.signed:
        fix = f"`u64({fn.text(tree)})`"
        fn.fail("E0315", f"a shift count is unsigned, `{fn.text(tree)}` is {value.type.name}", tree, fix=fix)
    return widen(fn, value.node, U64, tree)


def _fold(fn: FunctionChecker, op: ast.operator, left: Known, right: Known, node: ast.AST) -> Known:
    """An operation on two build-time objects."""
    function = _AT_BUILD_TIME.get(type(op))
    if function is None:
        fn.fail("E0115", f"`{_symbol(op)}` is not an operator of the dialect", node)
    for side in (left, right):
        if isinstance(side.object, str | bytes | list | tuple | dict | set | bool):
            message = f"`{_symbol(op)}` is not defined for {describe(side)} in a function"
            fn.fail("E0305", message, node, fix="compute the value at module level")
    if isinstance(op, ast.LShift | ast.Pow) and isinstance(right.object, int) and right.object > _LARGEST_SHIFT:
        fn.fail("E0316", f"`{_symbol(op)}` by {right.object} is too large", node)
    try:
        found = function(left.object, right.object)
    except Exception as error:
        fn.fail("E0316", f"`{ast.unparse(node)}` fails: {error}", node)
    if not _both_ints(left, right):
        return Known(found)
    left_type, right_type = own_type(left), own_type(right)
    kind = _folded_type(fn, left_type, right_type, op, node)
    inverted = (left.inverted or right.inverted) and isinstance(op, ast.BitAnd | ast.BitOr | ast.BitXor)
    if kind is None:
        return Known(found, inverted=inverted)
    if not fits(found, kind):
        fn.fail("E0316", f"the result, {found}, does not fit in {kind.name}", node)
    return Known(found, kind)


def _both_ints(left: Known, right: Known) -> bool:
    return all(isinstance(side.object, int) and not isinstance(side.object, bool) for side in (left, right))


def _folded_type(
    fn: FunctionChecker, left: Type | None, right: Type | None, op: ast.operator, node: ast.AST
) -> IntType | None:
    if isinstance(op, ast.LShift | ast.RShift) or not isinstance(right, IntType):
        return left if isinstance(left, IntType) else None
    if not isinstance(left, IntType):
        return right
    common = common_type(left, right)
    if common is None:
        fn.fail("E0303", f"{left.name} and {right.name} have no common type that loses nothing", node)
    return common


def _distinct(fn: FunctionChecker, op: BinaryOp, left: Result, right: Result, node: ast.BinOp | ast.AugAssign) -> Value:
    """Address plus or minus bytes; the difference of two addresses of a kind."""
    left_tree, right_tree = _operand_trees(node)
    kind = _type(left)
    if not isinstance(kind, DistinctType) or not kind.is_address or op not in (BinaryOp.ADD, BinaryOp.SUB):
        found = f"{describe(left)} and {describe(right)}"
        fix = "work on `.raw` and convert the result back"
        fn.fail("E0321", f"`{op.value}` is not defined for {found}", node, fix=fix)
    left_value = fn.run_time(left, left_tree)
    held = value_type(kind)
    span = fn.span(node)
    other = _type(right)
    if op is BinaryOp.SUB and other == kind:
        right_value = fn.run_time(right, right_tree)
        return Value(kind.base, Binary(op, left_value.node, right_value.node, held, Overflow.TRAP, span))
    if isinstance(other, DistinctType):
        fn.fail("E0321", f"{kind.name} and {other.name} do not mix", node)
    amount = fn.program.rules.coerce(fn, right, kind.base, right_tree)
    return Value(kind, Binary(op, left_value.node, amount.node, held, Overflow.TRAP, span))


def unary(fn: FunctionChecker, node: ast.UnaryOp, expected: Type | None) -> Result:
    """`-x`, `~x`, `+x`; `not x` is a condition."""
    operand = fn.expression(node.operand, integer_hint(expected))
    if isinstance(operand, Known):
        return _fold_unary(fn, node, operand)
    value = fn.run_time(operand, node.operand)
    op = "-" if isinstance(node.op, ast.USub) else "~" if isinstance(node.op, ast.Invert) else "+"
    if not isinstance(value.type, IntType):
        fix = "`not`" if isinstance(value.type, BoolType) and op == "~" else None
        fn.fail("E0305", f"`{op}` needs an integer, found {value.type.name}", node, fix=fix)
    if op == "+":
        return value
    kind = UnaryOp.NEGATE if op == "-" else UnaryOp.INVERT
    return Value(value.type, Unary(kind, value.node, value_type(value.type), fn.span(node)))


def _fold_unary(fn: FunctionChecker, node: ast.UnaryOp, operand: Known) -> Known:
    number = operand.object
    if not isinstance(number, int) or isinstance(number, bool):
        fn.fail("E0305", f"`{ast.unparse(node)[:1]}` needs an integer, found {describe(operand)}", node)
    kind = own_type(operand)
    if isinstance(node.op, ast.Invert):
        if isinstance(kind, IntType):
            return Known(int(~number) & kind.highest if not kind.signed else int(~number), kind)
        return Known(~int(number), inverted=not operand.inverted)
    result = -int(number) if isinstance(node.op, ast.USub) else int(number)
    if isinstance(kind, IntType) and not fits(result, kind):
        fn.fail("E0316", f"the result, {result}, does not fit in {kind.name}", node)
    return Known(result, kind)
