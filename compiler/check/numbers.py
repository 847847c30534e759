"""The language's functions on numbers: explicit wrapping, checked and saturating forms, bit counting, min and max."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from typing import Any

from compiler.check.arithmetic import shift_count, unify
from compiler.check.constants import adapt, describe, int_constant, is_plain_int, own_type
from compiler.check.context import FunctionChecker
from compiler.check.expressions import bool_to_int
from compiler.check.names import length
from compiler.check.values import Fresh, Known, Result, Value, int_value_type, integer_hint, value_type
from compiler.language import integers
from compiler.language.errors import BuildError
from compiler.language.types import (
    U64,
    BoolType,
    DistinctType,
    EnumType,
    IntType,
    OptionalType,
    Type,
)
from compiler.program import types as value_types
from compiler.program.nodes import (
    Binary,
    BinaryOp,
    CheckedBinary,
    Compare,
    CompareOp,
    Conditional,
    Constant,
    Conversion,
    Convert,
    Overflow,
    Unary,
    UnaryOp,
)

Rule = Callable[[FunctionChecker, ast.Call, "Type | None"], Result]


def arguments(fn: FunctionChecker, node: ast.Call, count: int, name: str) -> list[ast.expr]:
    """The positional arguments of a function of the language, `count` of them."""
    if len(node.args) != count or node.keywords:
        plural = "argument" if count == 1 else "arguments"
        fn.fail("E0308", f"{name}() takes {count} {plural}", node)
    return node.args


def integer(fn: FunctionChecker, tree: ast.expr, expected: Type | None, name: str) -> Value:
    """An operand that must be an integer."""
    hint = integer_hint(expected)
    result = fn.expression(tree, hint)
    if is_plain_int(result):
        assert isinstance(result, Known)
        kind = hint or U64
        return Value(kind, int_constant(kind, adapt(fn, result, kind, tree)))
    value = fn.run_time(result, tree)
    if not isinstance(value.type, IntType):
        fn.fail("E0305", f"{name}() needs integers, `{fn.text(tree)}` is {describe(result)}", tree)
    return value


def _pair(fn: FunctionChecker, node: ast.Call, expected: Type | None, name: str) -> tuple[Any, Any, IntType]:
    left_tree, right_tree = arguments(fn, node, 2, name)
    hint = integer_hint(expected)
    left = fn.expression(left_tree, hint)
    right = fn.expression(right_tree, left.type if isinstance(left, Value) else hint)
    if is_plain_int(left) and is_plain_int(right):
        assert isinstance(left, Known)
        kind = hint or U64
        left = Value(kind, int_constant(kind, adapt(fn, left, kind, left_tree)))
    for operand, tree in ((left, left_tree), (right, right_tree)):
        if not is_plain_int(operand) and not isinstance(_type(operand), IntType):
            fn.fail("E0305", f"{name}() needs integers, `{fn.text(tree)}` is {describe(operand)}", tree)
    return unify(fn, left, right, left_tree, right_tree, node)


def _type(result: Result) -> Type | None:
    if isinstance(result, Known):
        return own_type(result)
    return result.type if isinstance(result, Value) else None


def _binary(op: BinaryOp, overflow: Overflow) -> Rule:
    def rule(fn: FunctionChecker, node: ast.Call, expected: Type | None) -> Result:
        left, right, kind = _pair(fn, node, expected, ast.unparse(node.func))
        return Value(kind, Binary(op, left, right, value_type(kind), overflow, fn.span(node)))

    return rule


def _checked(op: BinaryOp) -> Rule:
    def rule(fn: FunctionChecker, node: ast.Call, expected: Type | None) -> Result:
        left, right, kind = _pair(fn, node, expected, ast.unparse(node.func))
        optional = OptionalType(f"{kind.name} | None", kind)
        pair = value_types.Tuple((int_value_type(kind), value_types.BOOL))
        return Value(optional, CheckedBinary(op, left, right, pair, fn.span(node)))

    return rule


def _counted(op: BinaryOp, overflow: Overflow) -> Rule:
    """Shifts and rotations: the count may be of any unsigned type."""

    def rule(fn: FunctionChecker, node: ast.Call, expected: Type | None) -> Result:
        name = ast.unparse(node.func)
        value_tree, count_tree = arguments(fn, node, 2, name)
        value = integer(fn, value_tree, expected, name)
        assert isinstance(value.type, IntType)
        count = integer(fn, count_tree, U64, name)
        amount = shift_count(fn, count, count_tree)
        if op is BinaryOp.SHL and isinstance(amount, Constant) and amount.value >= value.type.bits:
            fn.fail("E0315", f"shift count {amount.value} is not in 0 to {value.type.bits - 1}", count_tree)
        return Value(value.type, Binary(op, value.node, amount, value_type(value.type), overflow, fn.span(node)))

    return rule


def _unary(op: UnaryOp) -> Rule:
    def rule(fn: FunctionChecker, node: ast.Call, expected: Type | None) -> Result:
        name = ast.unparse(node.func)
        (tree,) = arguments(fn, node, 1, name)
        value = integer(fn, tree, expected, name)
        return Value(value.type, Unary(op, value.node, value_type(value.type), fn.span(node)))

    return rule


def truncate(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`truncate(u8, x)`: the low bits."""
    kind_tree, tree = arguments(fn, node, 2, "truncate")
    kind = fn.program.type_argument(fn, kind_tree)
    if not isinstance(kind, IntType):
        fn.fail("E0301", f"truncate() gives integers, not {kind.name}", kind_tree)
    result = fn.expression(tree)
    if isinstance(result, Known) and isinstance(result.object, int):
        number = int(result.object) & ((1 << kind.bits) - 1)
        return Known(number - (1 << kind.bits) if kind.signed and number > kind.highest else number, kind)
    value = fn.run_time(result, tree)
    if not isinstance(value.type, IntType):
        fn.fail("E0305", f"truncate() needs an integer, `{fn.text(tree)}` is {value.type.name}", tree)
    if value.type == kind:
        return value
    widening = kind.bits > value.type.bits
    conversion = Conversion.WIDEN if widening else Conversion.TRUNCATE
    converted = Convert(conversion, value.node, value_type(kind), fn.span(node))
    if widening and value.type.signed and not kind.signed:
        same_sign = IntType(f"i{kind.bits}", kind.bits, True)
        wide = Convert(Conversion.WIDEN, value.node, value_type(same_sign), fn.span(node))
        converted = Convert(Conversion.TRUNCATE, wide, value_type(kind), fn.span(node))
    return Value(kind, converted)


def convert(fn: FunctionChecker, kind: IntType, tree: ast.expr, node: ast.AST) -> Result:
    """`u8(x)`: checked, unless it cannot fail."""
    result = fn.expression(tree, kind)
    if isinstance(result, Known) and isinstance(result.object, int) and not isinstance(result.object, bool):
        number = adapt(fn, Known(int(result.object), None, result.inverted), kind, tree)
        return Known(number, kind)
    value = fn.run_time(result, tree)
    source = value.type
    if isinstance(source, BoolType):
        return bool_to_int(fn, value, kind, node)
    if not isinstance(source, IntType):
        fix = None
        if isinstance(source, EnumType):
            fix = f"`{kind.name}({fn.text(tree)}.value)`"
        elif isinstance(source, DistinctType) or hasattr(source, "base"):
            fix = f"`{kind.name}({fn.text(tree)}.raw)`"
        fn.fail("E0305", f"`{fn.text(tree)}` is {source.name}, which {kind.name}() does not convert", node, fix=fix)
    if source == kind:
        return value
    lossless = kind.lowest <= source.lowest and source.highest <= kind.highest
    conversion = Conversion.WIDEN if lossless else Conversion.CHECKED
    return Value(kind, Convert(conversion, value.node, value_type(kind), fn.span(node)))


def _extreme(op: BinaryOp) -> Rule:
    """`min` and `max` of two or more integers."""

    def rule(fn: FunctionChecker, node: ast.Call, expected: Type | None) -> Result:
        name = op.value
        if len(node.args) < 2 or node.keywords:
            fn.fail("E0308", f"{name}() takes two or more integers", node)
        results = [fn.expression(tree, integer_hint(expected)) for tree in node.args]
        if all(isinstance(result, Known) for result in results):
            function = builtins.min if op is BinaryOp.MIN else builtins.max
            return Known(function(result.object for result in results if isinstance(result, Known)))
        for result, tree in zip(results, node.args, strict=True):
            if not is_plain_int(result) and not isinstance(_type(result), IntType):
                fn.fail("E0305", f"{name}() needs integers, `{fn.text(tree)}` is {describe(result)}", tree)
        pivot = next(index for index, result in enumerate(results) if not is_plain_int(result))
        order = list(range(len(results)))
        if pivot:
            first = _type(results[pivot])
            assert isinstance(first, IntType)
            known = results[0]
            assert isinstance(known, Known)
            results[0] = Value(first, int_constant(first, adapt(fn, known, first, node.args[0])))
        total = results[0]
        for index in order[1:]:
            left, right, kind = unify(fn, total, results[index], node.args[0], node.args[index], node)
            total = Value(kind, Binary(op, left, right, value_type(kind), Overflow.PROVEN, fn.span(node)))
        return total

    return rule


def absolute(fn: FunctionChecker, node: ast.Call, expected: Type | None) -> Result:
    """`abs(x)`; traps for the lowest value of a signed type."""
    (tree,) = arguments(fn, node, 1, "abs")
    value = integer(fn, tree, expected, "abs")
    assert isinstance(value.type, IntType)
    kind = value.type
    if not kind.signed:
        return value
    held = value_type(kind)
    span = fn.span(node)
    zero = int_constant(kind, 0)
    return Value(
        kind,
        fn.once(
            value.node,
            lambda x: Conditional(Compare(CompareOp.LT, x, zero), Unary(UnaryOp.NEGATE, x, held, span), x, held),
        ),
    )


def length_of(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`len(x)`."""
    (tree,) = arguments(fn, node, 1, "len")
    result = fn.expression(tree)
    if isinstance(result, Known):
        try:
            return Known(len(result.object))
        except (TypeError, BuildError):
            fn.fail("E0323", f"{describe(result)} has no length", tree)
    if isinstance(result, Fresh):
        fn.fail("E0323", f"{result.type.name} has no length", tree)
    return length(fn, fn.run_time(result, tree), tree)


RULES: dict[Any, Rule] = {
    integers.wrapping_add: _binary(BinaryOp.ADD, Overflow.WRAP),
    integers.wrapping_sub: _binary(BinaryOp.SUB, Overflow.WRAP),
    integers.wrapping_mul: _binary(BinaryOp.MUL, Overflow.WRAP),
    integers.saturating_add: _binary(BinaryOp.ADD, Overflow.SATURATE),
    integers.saturating_sub: _binary(BinaryOp.SUB, Overflow.SATURATE),
    integers.multiply_high: _binary(BinaryOp.MULTIPLY_HIGH, Overflow.PROVEN),
    integers.checked_add: _checked(BinaryOp.ADD),
    integers.checked_sub: _checked(BinaryOp.SUB),
    integers.checked_mul: _checked(BinaryOp.MUL),
    integers.wrapping_shl: _counted(BinaryOp.SHL, Overflow.WRAP),
    integers.rotate_left: _counted(BinaryOp.ROTATE_LEFT, Overflow.PROVEN),
    integers.rotate_right: _counted(BinaryOp.ROTATE_RIGHT, Overflow.PROVEN),
    integers.wrapping_neg: _unary(UnaryOp.WRAPPING_NEGATE),
    integers.leading_zeros: _unary(UnaryOp.LEADING_ZEROS),
    integers.trailing_zeros: _unary(UnaryOp.TRAILING_ZEROS),
    integers.count_ones: _unary(UnaryOp.COUNT_ONES),
    integers.byte_swap: _unary(UnaryOp.BYTE_SWAP),
    integers.reverse_bits: _unary(UnaryOp.REVERSE_BITS),
    integers.truncate: truncate,
    builtins.min: _extreme(BinaryOp.MIN),
    builtins.max: _extreme(BinaryOp.MAX),
    builtins.abs: absolute,
    builtins.len: length_of,
}
