"""Calls of classes: structs are made, numbers converted to integers, Distinct kinds and words of bit-fields."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from math import gcd
from typing import Any

from compiler.check import places
from compiler.check.annotations import AnnotationError, check_layout, substitute
from compiler.check.assignments import fresh_array
from compiler.check.coercion import widen, widens
from compiler.check.constants import bool_constant, constant, describe
from compiler.check.context import FunctionChecker
from compiler.check.numbers import arguments, convert
from compiler.check.places import Place
from compiler.check.registers import call_field
from compiler.check.values import (
    Abandon,
    Bound,
    Fresh,
    Known,
    Result,
    Value,
    initial_value,
    is_reference,
    language_method,
    may_refer,
    value_type,
)
from compiler.language.bitfields import FieldMaker
from compiler.language.enums import EnumBase
from compiler.language.errors import BuildError
from compiler.language.structs import ArrayValue
from compiler.language.types import (
    BOOL,
    ArrayType,
    AtomicType,
    BitsType,
    BoolType,
    DistinctType,
    EnumType,
    IntType,
    MmioType,
    OptionalType,
    StructField,
    StructType,
    Type,
    TypeVariable,
    type_of,
)
from compiler.program import types as value_types
from compiler.program.nodes import (
    Assign,
    Compare,
    CompareOp,
    Constant,
    Conversion,
    Convert,
    Expression,
    MakeTuple,
    ReadLocal,
    Sequence,
    Statement,
    Switch,
    SwitchCase,
)
from compiler.syntax.diagnostics import Note


def construct(fn: FunctionChecker, callee: Known, node: ast.Call, expected: Type | None) -> Result | None:
    """`T(...)` where T is a class or a TypeVar; None for what is no type of the dialect."""
    found = callee.object
    if isinstance(found, FieldMaker):
        return call_field(fn, found, node, expected)
    if not isinstance(found, type) and not hasattr(found, "__constraints__"):
        return None
    if found in (builtins.int, builtins.str, builtins.float):
        fix = "`u64(x)`, or the width wanted" if found is builtins.int else None
        fn.fail("E0121", f"{found.__name__}() does not exist at run time", node.func, fix=fix)
    try:
        kind = substitute(type_of(found), fn.bindings)
        check_layout(kind)
    except (BuildError, AnnotationError) as error:
        fn.fail("E0306", str(error), node.func)
    if isinstance(kind, StructType):
        return make_struct(fn, kind, node)
    if isinstance(kind, TypeVariable):
        return None
    return _scalar(fn, kind, node, expected)


def _scalar(fn: FunctionChecker, kind: Type, node: ast.Call, _expected: Type | None) -> Result:
    if len(node.args) != 1 or node.keywords:
        fn.fail("E0308", f"{kind.name}() takes one value", node)
    tree = node.args[0]
    if isinstance(kind, IntType):
        return convert(fn, kind, tree, node)
    if isinstance(kind, BoolType):
        return _to_bool(fn, tree)
    if isinstance(kind, DistinctType | BitsType):
        return _wrap(fn, kind, tree, node)
    text = fn.text(tree)
    if isinstance(kind, EnumType):
        fix = f"`{kind.name}.decode({text})` gives the member or None"
        fn.fail("E0310", f"{kind.name} is not made from a number, which may be none of its members", node, fix=fix)
    if isinstance(kind, MmioType):
        fn.fail("E0310", f"{kind.name} is found at an address", node, fix=f"`{kind.name}.at({text})`")
    return fn.fail("E0310", f"{kind.name} is not made by a call", node)


def _to_bool(fn: FunctionChecker, tree: ast.expr) -> Result:
    value = fn.value(tree)
    if isinstance(value.type, BoolType):
        return value
    if not isinstance(value.type, IntType):
        fn.fail("E0305", f"bool() does not convert {value.type.name}", tree)
    zero = Constant(value_type(value.type), 0)
    return Value(BOOL, Compare(CompareOp.NE, value.node, zero))


def _wrap(fn: FunctionChecker, kind: DistinctType | BitsType, tree: ast.expr, node: ast.AST) -> Result:
    """A Distinct or Bits value from a number, converted to the base."""
    result = fn.expression(tree, kind.base)
    source = result.type if isinstance(result, Value) else None
    if isinstance(source, DistinctType | BitsType | EnumType):
        part = "value" if isinstance(source, EnumType) else "raw"
        fix = f"`{kind.name}({fn.text(tree)}.{part})`"
        fn.fail("E0321", f"{kind.name}() converts numbers, `{fn.text(tree)}` is {source.name}", node, fix=fix)
    if isinstance(result, Known) and not isinstance(result.object, int):
        fn.fail("E0321", f"{kind.name}() converts numbers, `{fn.text(tree)}` is {describe(result)}", node)
    number = fn.run_time(convert(fn, kind.base, tree, node), tree)
    return Value(kind, number.node)


def make_struct(fn: FunctionChecker, kind: StructType, node: ast.Call) -> Fresh:
    """`Foo(a=1)`: each field given or its default."""
    if node.args:
        names = ", ".join(f"{name}=..." for name in list(kind.fields)[: len(node.args)])
        fn.fail("E0509", f"fields of {kind.name} are given by name", node.args[0], fix=f"`{kind.name}({names})`")
    given: dict[str, Value | Fresh] = {}
    failed = False
    for keyword in node.keywords:
        try:
            _give_field(fn, kind, keyword, given)
        except Abandon:
            failed = True
    missing = [name for name, field in kind.fields.items() if name not in given and not field.has_default]
    if missing and not failed:
        listed = ", ".join(f"`{name}`" for name in missing)
        fix = f"`{missing[0]}=...`"
        fn.fail("E0509", f"{kind.name} needs a value for {listed}", node, fix=fix, notes=_class_note(kind))
    if failed:
        raise Abandon
    return Fresh(kind, lambda address: _build(fn, kind, given, address, node))


def _class_note(kind: StructType) -> list[Note]:
    fields = ", ".join(f"{name}: {field.type.name}" for name, field in kind.fields.items())
    return [Note(f"{kind.name} has {fields}")]


def _give_field(fn: FunctionChecker, kind: StructType, keyword: ast.keyword, given: dict[str, Value | Fresh]) -> None:
    name, tree = keyword.arg, keyword.value
    if name is None or name not in kind.fields:
        fn.fail("E0509", f"{kind.name} has no field `{name}`", keyword, notes=_class_note(kind))
    if name in given:
        fn.fail("E0509", f"`{name}` is given twice", keyword)
    field = kind.fields[name]
    result = fn.expression(tree, field.type)
    if isinstance(result, Known) and isinstance(result.object, ArrayValue) and isinstance(field.type, ArrayType):
        result = fresh_array(fn, field.type, tree)
    if isinstance(result, Fresh) and result.type == field.type:
        given[name] = result
        return
    target = field.type.element if isinstance(field.type, AtomicType) else field.type
    value = fn.program.rules.coerce(fn, result, target, tree)
    if is_reference(field.type) and not isinstance(field.type, AtomicType):
        message = f"storing `{fn.text(tree)}` in field `{name}` would copy it, which Python does not do"
        fn.fail("E0502", message, tree, fix=f"`copy({fn.text(tree)})`")
    if value.local and may_refer(value.type):
        fn.fail("E0504", f"`{fn.text(tree)}` may be on this function's stack and cannot be kept in a field", tree)
    given[name] = value


def _build(
    fn: FunctionChecker, kind: StructType, given: dict[str, Value | Fresh], address: Expression, node: ast.AST
) -> tuple[Statement, ...]:
    """Statements that make the struct at `address`: values in the order of the source, then the defaults."""
    span = fn.span(node)
    with fn.block() as block:
        defaults = [field for name, field in kind.fields.items() if name not in given]
        if needs_fill(kind, defaults):
            fn.emit(places.fill_zero(address, kind, kind.align, span))
        for name, value in given.items():
            place = _field(kind.fields[name], address, kind)
            if isinstance(value, Fresh):
                for statement in value.build(place.address):
                    fn.emit(statement)
                continue
            if isinstance(place.type, AtomicType):
                place = Place(place.type.element, place.address, place.align)
            for statement in places.store(fn, place, value, span):
                fn.emit(statement)
        for field in defaults:
            store_known(fn, _field(field, address, kind), field.default, node)
    return tuple(block)


def _field(field: StructField, address: Expression, kind: StructType) -> Place:
    align = gcd(kind.align, field.offset)
    return Place(field.type, places.offset(address, field.offset), align)


def needs_fill(kind: StructType, defaults: list[StructField]) -> bool:
    """Whether zeroing first serves: there is padding, or an array or a struct by default."""
    if sum(field.type.size for field in kind.fields.values()) != kind.size:
        return True
    return any(isinstance(field.type, ArrayType | StructType) for field in defaults)


def store_known(fn: FunctionChecker, place: Place, default: Any, node: ast.AST) -> None:
    """Store a build-time value in memory that is zero where it is a struct or an array."""
    kind = place.type
    span = fn.span(node)
    if isinstance(kind, AtomicType):
        kind = kind.element
        default = initial_value(default)
        place = Place(kind, place.address, place.align)
    if isinstance(kind, ArrayType | StructType):
        image = fn.program.constant_image(fn, kind, default, node)
        if image is not None:
            fn.emit(places.copy_memory(place.address, image, kind, min(place.align, kind.align), span))
        return
    value = constant(fn, Known(default), kind, node)
    if value is None:
        message = f"the default of a field, {describe(Known(default))}, is not a value of {kind.name}"
        fn.fail("E0603", message, node)
    for statement in places.store(fn, place, value, span):
        fn.emit(statement)


def decode(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`E.decode(x)`: the member with that value, or None."""
    assert isinstance(bound.receiver, Known)
    try:
        kind = type_of(bound.receiver.object)
    except BuildError as error:
        fn.fail("E0306", str(error), node.func)
    assert isinstance(kind, EnumType)
    (tree,) = arguments(fn, node, 1, f"{kind.name}.decode")
    value = fn.run_time(fn.expression(tree, kind.base), tree)
    if not isinstance(value.type, IntType):
        fn.fail("E0301", f"expected {kind.base.name}, found {value.type.name}", tree)
    if widens(value.type, kind.base):
        value = Value(kind.base, widen(fn, value.node, kind.base, tree))
    assert isinstance(value.type, IntType)
    source = value.type
    members = tuple(number for number in kind.members.values() if source.lowest <= number <= source.highest)
    span = fn.span(node)
    held, found = fn.temporary(value_type(source)), fn.temporary(value_types.BOOL)
    cases = (SwitchCase(tuple(dict.fromkeys(members)), (Assign(found, bool_constant(True), span),)),)
    otherwise = (Assign(found, bool_constant(False), span),)
    chosen = Switch(ReadLocal(held), cases if members else (), otherwise, span)
    number: Expression = ReadLocal(held)
    if source != kind.base:
        number = Convert(Conversion.TRUNCATE, number, value_type(kind.base), span)
    pair = value_types.Tuple((value_type(kind.base), value_types.BOOL))
    statements = (Assign(held, value.node, span), chosen)
    optional = OptionalType(f"{kind.name} | None", kind)
    return Value(optional, Sequence(statements, MakeTuple((number, ReadLocal(found)), pair)))


METHODS: Mapping[Any, Any] = {language_method(EnumBase, "decode"): decode}
