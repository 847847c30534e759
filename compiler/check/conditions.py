"""Conditions: comparisons, `and`, `or`, `not`, tests for None and for errors, and what each outcome tells of locals.

A condition is a bool expression, or a bool known at build time, with the flows after its two outcomes.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compiler.check.arithmetic import unify
from compiler.check.constants import NULL, bool_constant, describe, is_plain_int, own_type
from compiler.check.context import FunctionChecker
from compiler.check.flow import Flow, Variable, join
from compiler.check.names import untested, variable_value
from compiler.check.values import Bound, Fresh, Known, Result, Value, value_type
from compiler.language.types import (
    BOOL,
    BitsType,
    BoolType,
    DistinctType,
    EnumType,
    IntType,
    MmioType,
    OptionalType,
    PtrType,
    ResultType,
    StructType,
    Type,
    ValueType,
    VoidType,
)
from compiler.program import types as value_types
from compiler.program.nodes import (
    Assign,
    Compare,
    CompareOp,
    Constant,
    Expression,
    Logical,
    ReadLocal,
    Sequence,
    SlotAddress,
    TupleElement,
    Unary,
    UnaryOp,
)

_COMPARISONS: dict[type[ast.cmpop], tuple[CompareOp, Callable[[Any, Any], Any]]] = {
    ast.Eq: (CompareOp.EQ, operator.eq),
    ast.NotEq: (CompareOp.NE, operator.ne),
    ast.Lt: (CompareOp.LT, operator.lt),
    ast.LtE: (CompareOp.LE, operator.le),
    ast.Gt: (CompareOp.GT, operator.gt),
    ast.GtE: (CompareOp.GE, operator.ge),
    ast.Is: (CompareOp.EQ, operator.is_),
    ast.IsNot: (CompareOp.NE, operator.is_not),
}


@dataclass(frozen=True)
class Condition:
    """A test and the flows after its outcomes."""

    test: Expression | bool
    when_true: Flow
    when_false: Flow


def condition(fn: FunctionChecker, node: ast.expr) -> Condition:
    """Check an expression that decides; it must be a bool."""
    if isinstance(node, ast.BoolOp):
        return _bool_op(fn, node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _negated(condition(fn, node.operand), fn, node)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and _is_none_literal(node.comparators[0]):
        return _none_test(fn, node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
        return _error_test(fn, node)
    result = _compare(fn, node) if isinstance(node, ast.Compare) else fn.expression(node, BOOL)
    return _leaf(fn, _bool_result(fn, result, node))


def _leaf(fn: FunctionChecker, test: Expression | bool) -> Condition:
    if isinstance(test, bool):
        dead = Flow(dead=True)
        return Condition(test, fn.flow if test else dead, dead if test else fn.flow)
    return Condition(test, fn.flow.copy(), fn.flow.copy())


def _bool_result(fn: FunctionChecker, result: Result, node: ast.expr) -> Expression | bool:
    if isinstance(result, Known) and isinstance(result.object, bool):
        return result.object
    if isinstance(result, Value) and isinstance(result.type, BoolType):
        return result.node
    text = fn.text(node)
    kind = result.type if isinstance(result, Value) else own_type(result) if isinstance(result, Known) else None
    fix: str | None = None
    if isinstance(kind, IntType) or is_plain_int(result):
        fix = f"`{text} != 0`"
    elif isinstance(kind, OptionalType):
        fix = f"`{text} is not None`"
    elif isinstance(kind, BitsType):
        fix = f"`{text}.raw != 0`"
    elif isinstance(kind, ResultType):
        fix = f"`isinstance({text}, {kind.error.name})`"
    elif isinstance(result, Bound):
        fix = f"`{text}()`"
    fn.fail("E0304", f"a condition must be a bool, `{text}` is {describe(result)}", node, fix=fix)


def _negated(inner: Condition, fn: FunctionChecker, node: ast.UnaryOp) -> Condition:
    if isinstance(inner.test, bool):
        return Condition(not inner.test, inner.when_false, inner.when_true)
    test = Unary(UnaryOp.NOT, inner.test, value_types.BOOL, fn.span(node))
    return Condition(test, inner.when_false, inner.when_true)


def _bool_op(fn: FunctionChecker, node: ast.BoolOp) -> Condition:
    is_and = isinstance(node.op, ast.And)
    total = condition(fn, node.values[0])
    for operand in node.values[1:]:
        fn.flow = total.when_true if is_and else total.when_false
        if isinstance(total.test, bool):
            if total.test is not is_and:
                return total
            total = condition(fn, operand)
            continue
        total = _combined(fn, is_and, total, condition(fn, operand))
    return total


def _combined(fn: FunctionChecker, is_and: bool, left: Condition, right: Condition) -> Condition:
    assert not isinstance(left.test, bool)
    test: Expression = left.test
    if not (isinstance(right.test, bool) and right.test is is_and):
        right_node = bool_constant(right.test) if isinstance(right.test, bool) else right.test
        test = Logical(is_and, left.test, right_node)
    if is_and:
        return Condition(test, right.when_true, join(left.when_false, right.when_false))
    return Condition(test, join(left.when_true, right.when_true), right.when_false)


def truth(fn: FunctionChecker, node: ast.expr, _expected: Type | None) -> Result:
    """A condition used as a value."""
    found = condition(fn, node)
    fn.flow = join(found.when_true, found.when_false)
    return Known(found.test) if isinstance(found.test, bool) else Value(BOOL, found.test)


def _is_none_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def tested_variable(fn: FunctionChecker, node: ast.expr) -> Variable | None:
    """The local that a test is about: a name, or the target of `:=`."""
    target = node.target if isinstance(node, ast.NamedExpr) else node
    return fn.variables.get(target.id) if isinstance(target, ast.Name) else None


def _none_test(fn: FunctionChecker, node: ast.Compare) -> Condition:
    op = node.ops[0]
    text = fn.text(node.left)
    if not isinstance(op, ast.Is | ast.IsNot):
        word = "is" if isinstance(op, ast.Eq) else "is not"
        fn.fail("E0116", "None is tested with `is`", node, fix=f"`{text} {word} None`")
    wants_none = isinstance(op, ast.Is)
    result = fn.expression(node.left)
    variable = tested_variable(fn, node.left)
    if isinstance(result, Known) and (variable is None or variable.type == own_type(result)):
        return _leaf(fn, (result.object is None) is wants_none)
    kind, value = _declared(fn, variable, result, node.left)
    is_result = isinstance(kind, ResultType) and isinstance(kind.element, VoidType)
    if not isinstance(kind, OptionalType) and not is_result:
        fix = None
        if isinstance(kind, ResultType):
            fix = f"`isinstance({text}, {kind.error.name})`"
        fn.fail("E0305", f"`{text}` is {kind.name}, which is never None", node, fix=fix)
    assert isinstance(kind, OptionalType | ResultType)
    narrowed = fn.flow.narrowed.get(variable) if variable is not None else None
    if narrowed is not None:
        return _leaf(fn, isinstance(narrowed, VoidType) is wants_none)
    present = _compare_code(CompareOp.EQ, kind, value) if isinstance(kind, ResultType) else is_present(value)
    when_none, when_present = _outcomes(fn, variable, _none_type(), _other_outcome(kind))
    if wants_none:
        return (
            Condition(_not(fn, present, node), when_none, when_present)
            if not is_result
            else Condition(present, when_none, when_present)
        )
    if is_result:
        return Condition(_not(fn, present, node), when_present, when_none)
    return Condition(present, when_present, when_none)


def _none_type() -> Type:
    return VoidType("None")


def _other_outcome(kind: OptionalType | ResultType) -> Type:
    if isinstance(kind, ResultType):
        return kind.error
    return success_type(kind)


def success_type(kind: OptionalType | ResultType) -> Type:
    """What a tested optional or result holds."""
    return kind.element.element if isinstance(kind.element, ValueType) else kind.element


def _declared(fn: FunctionChecker, variable: Variable | None, result: Result, tree: ast.expr) -> tuple[Type, Value]:
    if variable is not None:
        return variable.type, variable_value(variable) if not isinstance(tree, ast.NamedExpr) else _value(result)
    if isinstance(result, Fresh) and result.tag is not None:
        kind = result.type
        assert isinstance(kind, OptionalType | ResultType)
        slot = fn.new_slot(success_type(kind))
        return kind, Value(kind, result.tag(SlotAddress(slot)))
    value = fn.run_time(result, tree)
    return value.type, value


def _value(result: Result) -> Value:
    assert isinstance(result, Value)
    return result


def _not(fn: FunctionChecker, test: Expression, node: ast.AST) -> Expression:
    if isinstance(test, Compare):
        flipped = {CompareOp.EQ: CompareOp.NE, CompareOp.NE: CompareOp.EQ}
        return Compare(flipped[test.op], test.left, test.right)
    return Unary(UnaryOp.NOT, test, value_types.BOOL, fn.span(node))


def _outcomes(fn: FunctionChecker, variable: Variable | None, first: Type, second: Type) -> tuple[Flow, Flow]:
    if variable is None:
        return fn.flow.copy(), fn.flow.copy()
    return fn.flow.with_narrowed(variable, first), fn.flow.with_narrowed(variable, second)


def is_present(value: Value) -> Expression:
    """Whether an optional holds something."""
    held = value_type(value.type)
    if isinstance(held, value_types.Tuple):
        return TupleElement(value.node, len(held.elements) - 1, value_types.BOOL)
    return Compare(CompareOp.NE, value.node, NULL)


def _compare_code(op: CompareOp, kind: ResultType, value: Value) -> Expression:
    held = value_type(kind)
    assert isinstance(held, value_types.Tuple)
    code = TupleElement(value.node, len(held.elements) - 1, value_types.I32)
    return Compare(op, code, Constant(value_types.I32, 0))


def _error_test(fn: FunctionChecker, node: ast.Call) -> Condition:
    if len(node.args) != 2 or node.keywords:
        fn.fail("E0308", "isinstance() takes a result and an error enumeration", node)
    result = fn.expression(node.args[0])
    variable = tested_variable(fn, node.args[0])
    wanted = fn.expression(node.args[1])
    kind, value = _declared(fn, variable, result, node.args[0])
    if not isinstance(kind, ResultType):
        message = f"isinstance() tests results (`T | E`), `{fn.text(node.args[0])}` is {kind.name}"
        fix = f"`{fn.text(node.args[0])} is not None`" if isinstance(kind, OptionalType) else None
        fn.fail("E0305", message, node.args[0], fix=fix)
    if not isinstance(wanted, Known) or wanted.object is not kind.error.cls:
        fix = f"`isinstance({fn.text(node.args[0])}, {kind.error.name})`"
        fn.fail("E0305", f"{kind.name} is tested for {kind.error.name}", node.args[1], fix=fix)
    narrowed = fn.flow.narrowed.get(variable) if variable is not None else None
    if narrowed is not None:
        return _leaf(fn, narrowed == kind.error)
    failed, succeeded = _outcomes(fn, variable, kind.error, success_type(kind))
    return Condition(_compare_code(CompareOp.NE, kind, value), failed, succeeded)


def _compare(fn: FunctionChecker, node: ast.Compare) -> Result:
    left = fn.expression(node.left)
    left_tree = node.left
    parts: list[Result] = []
    for index, (op, tree) in enumerate(zip(node.ops, node.comparators, strict=True)):
        if isinstance(op, ast.In | ast.NotIn):
            parts.append(_membership(fn, left, left_tree, tree, op, node))
            continue
        hint = left.type if isinstance(left, Value) else None
        right = fn.expression(tree, hint)
        following = right
        if index + 1 < len(node.ops) and isinstance(right, Value):
            local = fn.temporary(right.node.type)
            following = Value(right.type, ReadLocal(local))
            right = Value(right.type, Sequence((Assign(local, right.node, fn.span(tree)),), ReadLocal(local)))
        parts.append(_pair(fn, op, left, right, left_tree, tree, node))
        left, left_tree = following, tree
    return _all_of(parts)


def _all_of(parts: list[Result]) -> Result:
    if any(isinstance(part, Known) and part.object is False for part in parts):
        return Known(False)
    nodes = [part.node for part in parts if isinstance(part, Value)]
    if not nodes:
        return parts[-1]
    total = nodes[0]
    for following in nodes[1:]:
        total = Logical(True, total, following)
    return Value(BOOL, total)


def _membership(
    fn: FunctionChecker, left: Result, left_tree: ast.expr, tree: ast.expr, op: ast.cmpop, node: ast.Compare
) -> Result:
    """`x in (a, b)`: equal to one of several values."""
    if not isinstance(tree, ast.Tuple) or not tree.elts:
        message = "`in` tests for one of several values, listed in parentheses"
        fn.fail("E0117", message, tree, fix="`x in (A, B)`, or a loop")
    first = left
    if isinstance(left, Value):
        local = fn.temporary(left.node.type)
        first = Value(left.type, Sequence((Assign(local, left.node, fn.span(left_tree)),), ReadLocal(local)))
        left = Value(left.type, ReadLocal(local))
    total: Expression | None = None
    for item in tree.elts:
        part = _pair(fn, ast.Eq(), first, fn.expression(item), left_tree, item, node)
        first = left
        part_node = bool_constant(part.object) if isinstance(part, Known) else _value(part).node
        total = part_node if total is None else Logical(False, total, part_node)
    assert total is not None
    if isinstance(op, ast.NotIn):
        total = Unary(UnaryOp.NOT, total, value_types.BOOL, fn.span(node))
    return Value(BOOL, total)


def _pair_known(fn: FunctionChecker, op: ast.cmpop, left: Known, right: Known, node: ast.AST) -> Known:
    try:
        return Known(bool(_COMPARISONS[type(op)][1](left.object, right.object)))
    except Exception as error:
        fn.fail("E0316", f"`{ast.unparse(node)}` fails: {error}", node)


def _pair(
    fn: FunctionChecker,
    op: ast.cmpop,
    left: Result,
    right: Result,
    left_tree: ast.expr,
    right_tree: ast.expr,
    node: ast.AST,
) -> Result:
    if isinstance(left, Known) and isinstance(right, Known):
        return _pair_known(fn, op, left, right, node)
    kind = _COMPARISONS[type(op)][0]
    left_type, right_type = _type(left), _type(right)
    number = (IntType, type(None))
    if isinstance(left_type, number) and isinstance(right_type, number) and (left_type or right_type):
        if isinstance(op, ast.Is | ast.IsNot):
            fix = f"`{fn.text(left_tree)} {kind.value} {fn.text(right_tree)}`"
            fn.fail("E0116", "numbers are compared by value", node, fix=fix)
        _demand_number(fn, left, left_tree)
        _demand_number(fn, right, right_tree)
        left_node, right_node, _ = unify(fn, left, right, left_tree, right_tree, node)
        return Value(BOOL, Compare(kind, left_node, right_node))
    left_value, right_value = fn.run_time(left, left_tree), fn.run_time(right, right_tree)
    _comparable(fn, kind, left_value.type, right_value.type, (left_tree, right_tree), node)
    return Value(BOOL, Compare(kind, left_value.node, right_value.node))


def _type(result: Result) -> Type | None:
    if isinstance(result, Known):
        return own_type(result)
    return result.type if isinstance(result, Value | Fresh) else None


def _demand_number(fn: FunctionChecker, result: Result, tree: ast.expr) -> None:
    kind = _type(result)
    if isinstance(kind, OptionalType | ResultType):
        untested(fn, kind, tree)
    if _type(result) is None and not is_plain_int(result):
        fn.fail("E0305", f"`{fn.text(tree)}` is {describe(result)}, which is not compared with a number", tree)


def _comparable(
    fn: FunctionChecker, op: CompareOp, left: Type, right: Type, trees: tuple[ast.expr, ast.expr], node: ast.AST
) -> None:
    equality = op in (CompareOp.EQ, CompareOp.NE)
    if left == right:
        if isinstance(left, DistinctType):
            return
        if equality and isinstance(left, BoolType | EnumType | PtrType | MmioType):
            return
        if equality and isinstance(left, StructType) and isinstance(node, ast.Compare):
            if isinstance(node.ops[0], ast.Is | ast.IsNot):
                return
            fn.fail("E0305", f"structs are not compared as wholes ({left.name})", node, fix="compare their fields")
    for kind, tree in zip((left, right), trees, strict=True):
        if isinstance(kind, OptionalType | ResultType):
            untested(fn, kind, tree)
    fix = None
    for this, other, tree in ((left, right, trees[0]), (right, left, trees[1])):
        if isinstance(other, IntType) or this == other:
            if isinstance(this, EnumType):
                fix = f"`{fn.text(tree)}.value`"
            elif isinstance(this, DistinctType | BitsType):
                fix = f"`{fn.text(tree)}.raw`"
    if isinstance(left, DistinctType) and isinstance(right, DistinctType):
        fix = "compare their `.raw` where that is meant"
        fn.fail("E0321", f"{left.name} and {right.name} do not mix", node, fix=fix)
    fn.fail("E0305", f"`{op.value}` is not defined for {left.name} and {right.name}", node, fix=fix)
