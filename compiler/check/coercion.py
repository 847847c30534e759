"""Implicit conversions: where a value of one type may stand for another, and the error where it may not.

Integers widen without loss; T stands for `T | None` and `T | E`; an array for a slice of it; a struct for the struct it
derives from; a str for a message. Everything else is written out in the source.
"""

from __future__ import annotations

import ast
from typing import NoReturn

from compiler.check import places
from compiler.check.constants import (
    NULL,
    absent,
    bool_constant,
    constant,
    describe,
    is_plain_int,
    u64_constant,
    zero,
)
from compiler.check.context import FunctionChecker
from compiler.check.flow import ERROR
from compiler.check.values import Abandon, Fresh, Known, Result, Value, is_reference, value_type
from compiler.language.types import (
    FORMAT,
    STR,
    ArrayType,
    BitsType,
    BoolType,
    DistinctType,
    EnumType,
    FormatType,
    IntType,
    NeverType,
    OptionalType,
    ResultType,
    SliceType,
    StructType,
    TupleType,
    Type,
    VoidType,
    optional_is_pointer,
)
from compiler.program import types as value_types
from compiler.program.nodes import (
    Constant,
    Conversion,
    Convert,
    Expression,
    MakeTuple,
    TupleElement,
)
from compiler.program.nodes import Sequence as SequenceNode


def widens(source: Type, target: Type) -> bool:
    """Whether every value of an integer type is a value of another."""
    if not (isinstance(source, IntType) and isinstance(target, IntType)):
        return False
    return target.lowest <= source.lowest and source.highest <= target.highest


def widen(fn: FunctionChecker, node: Expression, target: IntType, tree: ast.AST) -> Expression:
    """A lossless conversion; of a constant, the constant."""
    kind = value_type(target)
    if node.type == kind:
        return node
    if isinstance(node, Constant):
        return Constant(kind, node.value)
    return Convert(Conversion.WIDEN, node, kind, fn.span(tree))


def coerce(fn: FunctionChecker, result: Result, target: Type, tree: ast.expr) -> Value:
    """The result as a value of `target`; reports an error where it cannot stand for one."""
    if isinstance(result, Known):
        found = constant(fn, result, target, tree)
        if found is not None:
            return found
        converted = _coerce_known(fn, result, target, tree)
    elif isinstance(result, Fresh):
        converted = _coerce_fresh(fn, result, target, tree)
    elif isinstance(result, Value):
        converted = coerce_value(fn, result, target, tree)
    else:
        converted = coerce_value(fn, fn.run_time(result, tree), target, tree)
    if converted is None:
        mismatch(fn, result, target, tree)
    return converted


def _coerce_known(fn: FunctionChecker, known: Known, target: Type, tree: ast.expr) -> Value | None:
    if is_plain_int(known):
        if isinstance(target, ResultType):
            return _success(coerce(fn, known, target.element, tree), target)
        return None
    if known.object is None and isinstance(target, ResultType) and isinstance(target.element, VoidType):
        return Value(target, MakeTuple((Constant(value_types.I32, 0),), _pair(target)))
    return coerce_value(fn, fn.program.rules.default_constant(fn, known, tree), target, tree)


def _coerce_fresh(fn: FunctionChecker, fresh: Fresh, target: Type, tree: ast.expr) -> Value | None:
    if fresh.tag is not None:
        return None
    return coerce_value(fn, fn.materialise(fresh, tree), target, tree)


def coerce_value(fn: FunctionChecker, value: Value, target: Type, tree: ast.expr) -> Value | None:
    """The value as one of `target`, or None where it cannot stand for one."""
    source = value.type
    if source is ERROR or target is ERROR:
        raise Abandon
    if source == target:
        return _aligned(fn, value, tree)
    if widens(source, target):
        assert isinstance(target, IntType)
        return Value(target, widen(fn, value.node, target, tree))
    if isinstance(source, NeverType):
        never = places.effects(value.node, fn.span(tree))
        return Value(target, SequenceNode(never, zero(value_type(target))), target_align(target))
    if isinstance(target, OptionalType):
        return _optional(fn, value, target, tree)
    if isinstance(target, ResultType):
        return _result(fn, value, target, tree)
    if isinstance(target, SliceType) and isinstance(source, ArrayType):
        _aligned(fn, value, tree)
        return array_as_slice(value) if source.element == target.element else None
    if isinstance(target, StructType) and isinstance(source, StructType):
        if issubclass(source.cls, target.cls):
            return _aligned(fn, Value(target, value.node, value.align, value.local, value.readonly), tree)
        return None
    if isinstance(target, FormatType) and source == STR:
        return _string_as_format(fn, value)
    if isinstance(target, TupleType) and isinstance(source, TupleType):
        return _tuple(fn, value, source, target, tree)
    return None


def target_align(kind: Type) -> int:
    """Alignment to state for a reference of a type."""
    return kind.align if is_reference(kind) else 0


def _aligned(fn: FunctionChecker, value: Value, tree: ast.expr) -> Value:
    if is_reference(value.type) and value.align < value.type.align:
        fn.fail(
            "E0506",
            f"`{fn.text(tree)}` is inside a packed struct and may not be aligned to {value.type.align} bytes,"
            f" which a reference to {value.type.name} needs",
            tree,
            fix=f"`copy({fn.text(tree)})`, or access its fields where it stands",
        )
    return value


def array_as_slice(value: Value) -> Value:
    """The whole of an array."""
    assert isinstance(value.type, ArrayType)
    element = value.type.element
    node = MakeTuple((value.node, u64_constant(value.type.count)), value_types.SLICE)
    return Value(SliceType(f"Slice[{element.name}]", element), node, value.align, value.local, value.readonly)


def _pair(kind: Type) -> value_types.Tuple:
    held = value_type(kind)
    assert isinstance(held, value_types.Tuple)
    return held


def _optional(fn: FunctionChecker, value: Value, target: OptionalType, tree: ast.expr) -> Value | None:
    if isinstance(value.type, VoidType):
        return Value(target, absent(target))
    if isinstance(value.type, OptionalType):
        return None
    present = coerce_value(fn, value, target.element, tree)
    if present is None:
        return None
    if optional_is_pointer(target):
        return Value(target, present.node, present.align, present.local)
    return Value(target, MakeTuple((present.node, bool_constant(True)), _pair(target)), local=present.local)


def _result(fn: FunctionChecker, value: Value, target: ResultType, tree: ast.expr) -> Value | None:
    pair = _pair(target)
    if value.type == target.error:
        return Value(target, MakeTuple((*(zero(kind) for kind in pair.elements[:-1]), value.node), pair))
    if isinstance(target.element, VoidType):
        return None
    element = coerce_value(fn, value, target.element, tree)
    return None if element is None else _success(element, target)


def _success(element: Value, target: ResultType) -> Value:
    node = MakeTuple((element.node, Constant(value_types.I32, 0)), _pair(target))
    return Value(target, node, local=element.local)


def _string_as_format(fn: FunctionChecker, value: Value) -> Value:
    held = value_type(FORMAT)
    assert isinstance(held, value_types.Tuple)

    def build(text: Expression) -> Expression:
        address = TupleElement(text, 0, value_types.POINTER)
        count = TupleElement(text, 1, value_types.U64)
        return MakeTuple((address, count, NULL, u64_constant(0)), held)

    return Value(FORMAT, fn.once(value.node, build))


def _tuple(fn: FunctionChecker, value: Value, source: TupleType, target: TupleType, tree: ast.expr) -> Value | None:
    if len(source.elements) != len(target.elements) or not isinstance(value.node, MakeTuple):
        return None
    elements: list[Expression] = []
    for node, kind, wanted in zip(value.node.elements, source.elements, target.elements, strict=True):
        element = coerce_value(fn, Value(kind, node, kind.align), wanted, tree)
        if element is None:
            return None
        elements.append(element.node)
    return Value(target, MakeTuple(tuple(elements), _pair(target)))


def mismatch(fn: FunctionChecker, result: Result, target: Type, tree: ast.expr) -> NoReturn:
    """Report that a result cannot stand for a value of `target`, with what to write instead."""
    source = result.type if isinstance(result, Value | Fresh) else None
    text = fn.text(tree)
    fix: str | None = None
    message = f"expected {target.name}, found {describe(result)}"
    number = (IntType, BoolType)
    if isinstance(source, OptionalType | ResultType):
        code = "E0311" if isinstance(source, OptionalType) else "E0313"
        fix = _test_hint(source, tree)
        fn.fail(code, message, tree, fix=fix)
    if isinstance(target, IntType) and isinstance(source, number):
        fix = f"`{target.name}({text})`, which traps if it does not fit, or `truncate({target.name}, {text})`"
        if isinstance(source, BoolType):
            fix = f"`{target.name}({text})`"
    elif isinstance(target, IntType) and isinstance(source, DistinctType | BitsType):
        fix = f"`{text}.raw`"
    elif isinstance(target, IntType) and isinstance(source, EnumType):
        fix = f"`{text}.value`"
    elif isinstance(target, BoolType) and isinstance(source, IntType):
        fix = f"`{text} != 0`"
    elif isinstance(target, DistinctType | BitsType) and (isinstance(source, IntType) or is_plain_int(result)):
        fix = f"`{target.name}({text})`"
    elif isinstance(target, EnumType) and (isinstance(source, IntType) or is_plain_int(result)):
        fix = f"name a member, or `{target.name}.decode({text})` and test it for None"
    fn.fail("E0301", message, tree, fix=fix)


def _test_hint(source: OptionalType | ResultType, tree: ast.expr) -> str:
    name = tree.id if isinstance(tree, ast.Name) else "x"
    opening = "" if isinstance(tree, ast.Name) else f"`x = {ast.unparse(tree)}`, then "
    if isinstance(source, OptionalType):
        return f"{opening}test `{name} is not None` first"
    return f"{opening}test `isinstance({name}, {source.error.name})` first"
