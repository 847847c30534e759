"""Build-time objects as values of the typed program.

A plain int adapts to the type that its context wants and must fit it; `~` of one stands for the flipped bits of that
width. An enum member, a Distinct or Bits object, a str, a static object have types of their own.
"""

from __future__ import annotations

import ast
import types as python_types
from enum import Enum
from typing import Any

from compiler.check.context import FunctionChecker
from compiler.check.values import Bound, Fresh, Known, Result, Value, class_of, value_type
from compiler.language.addresses import Distinct
from compiler.language.bitfields import Bits
from compiler.language.enums import EnumBase
from compiler.language.memory import FunctionTable, LinkerSymbol, StaticObject
from compiler.language.structs import STRUCT_OPTIONS
from compiler.language.types import (
    BOOL,
    INTEGERS,
    STR,
    U64,
    VOID,
    BitsType,
    BoolType,
    DistinctType,
    EnumType,
    IntType,
    OptionalType,
    StrType,
    Type,
    VoidType,
    optional_is_pointer,
    type_of,
)
from compiler.program import types as value_types
from compiler.program.nodes import Constant, MakeTuple, StaticAddress

NULL = Constant(value_types.POINTER, 0)
_BOOLS = (Constant(value_types.BOOL, 0), Constant(value_types.BOOL, 1))


def int_constant(kind: IntType, value: int) -> Constant:
    """A constant of an integer type."""
    return Constant(value_type(kind), value)


def u64_constant(value: int) -> Constant:
    """A constant of type U64."""
    return Constant(value_types.U64, value)


def bool_constant(value: bool) -> Constant:
    """True or False."""
    return _BOOLS[value]


def own_type(known: Known) -> Type | None:
    """The type that a build-time object has of its own; None for a plain int and for what is no value."""
    if known.type is not None:
        return known.type
    found = known.object
    if isinstance(found, bool):
        return BOOL
    if isinstance(found, int):
        return INTEGERS.get(type(found).__name__)
    if isinstance(found, str):
        return STR
    if isinstance(found, EnumBase | Distinct | Bits):
        return type_of(type(found))
    if found is None:
        return VOID
    return None


def is_plain_int(result: Result) -> bool:
    """Whether a result is a build-time int that adapts to its context."""
    return isinstance(result, Known) and isinstance(result.object, int) and own_type(result) is None


def describe(result: Result) -> str:
    """What a result is, in a message."""
    if isinstance(result, Value | Fresh):
        return result.type.name
    if isinstance(result, Bound):
        return f"the method `{result.name}`"
    return describe_object(result.object, own_type(result))


def describe_object(found: Any, kind: Type | None = None) -> str:
    """What a build-time object is, in a message."""
    if found is None:
        return "None"
    if isinstance(found, type):
        return f"the class {found.__name__}"
    if isinstance(found, python_types.FunctionType | python_types.BuiltinFunctionType):
        return f"the function {found.__name__}"
    if isinstance(found, python_types.ModuleType):
        return f"the module {found.__name__}"
    if isinstance(found, EnumBase):
        return type(found).__name__
    if isinstance(found, bool | int | float | str):
        return f"{kind.name} {found!r}" if kind is not None and kind not in (BOOL, STR) else repr(found)
    return f"a build-time {type(found).__name__}"


def fits(value: int, kind: IntType) -> bool:
    """Whether an int is a value of the type."""
    return kind.lowest <= value <= kind.highest


def adapt(fn: FunctionChecker, known: Known, kind: IntType, node: ast.AST) -> int:
    """The number that a plain build-time int stands for in a context of type `kind`."""
    number = int(known.object)
    if known.inverted and number < 0 and not kind.signed and fits(~number, kind):
        return kind.highest & number
    if fits(number, kind):
        return number
    fix = None
    if number < 0 and not kind.signed and fits(~number, kind):
        fix = f"write the mask as `~...` where it is used, or as {kind.highest & number:#x}"
    fn.fail("E0302", f"{number} does not fit in {kind.name} ({kind.lowest} to {kind.highest})", node, fix=fix)


def constant(fn: FunctionChecker, known: Known, kind: Type, node: ast.AST) -> Value | None:
    """The build-time object as a value of `kind`, or None when it is of another kind."""
    found = known.object
    own = own_type(known)
    if isinstance(kind, IntType) and own is None and isinstance(found, int):
        return Value(kind, int_constant(kind, adapt(fn, known, kind, node)))
    if isinstance(kind, OptionalType):
        return _optional_constant(fn, known, kind, node)
    if own is not None and own == kind:
        return own_constant(fn, known, own, node)
    return None


def _optional_constant(fn: FunctionChecker, known: Known, kind: OptionalType, node: ast.AST) -> Value | None:
    if known.object is None:
        return Value(kind, absent(kind))
    present = constant(fn, known, kind.element, node)
    if present is None:
        return None
    if optional_is_pointer(kind):
        return Value(kind, present.node)
    pair = value_type(kind)
    assert isinstance(pair, value_types.Tuple)
    return Value(kind, MakeTuple((present.node, bool_constant(True)), pair))


def absent(kind: OptionalType) -> Constant | MakeTuple:
    """None of an optional type."""
    held = value_type(kind)
    if not isinstance(held, value_types.Tuple):
        return NULL
    elements = (*(zero(element) for element in held.elements[:-1]), bool_constant(False))
    return MakeTuple(elements, held)


def zero(kind: value_types.ValueType) -> Constant | MakeTuple:
    """All bits zero."""
    if isinstance(kind, value_types.Tuple):
        return MakeTuple(tuple(zero(element) for element in kind.elements), kind)
    return Constant(kind, 0)


def own_constant(fn: FunctionChecker, known: Known, kind: Type, node: ast.AST) -> Value:
    """A build-time object with a type of its own as a value of that type."""
    found = known.object
    if isinstance(kind, BoolType):
        return Value(kind, bool_constant(bool(found)))
    if isinstance(kind, StrType):
        return string_value(fn, str(found))
    if isinstance(kind, VoidType):
        return Value(kind, Constant(value_types.VOID, 0))
    if isinstance(kind, IntType):
        return Value(kind, int_constant(kind, int(found)))
    assert isinstance(kind, EnumType | DistinctType | BitsType)
    number = found.value if isinstance(found, Enum) else found.raw
    if not fits(int(number), kind.base):
        fn.fail("E0302", f"{number} does not fit in {kind.base.name}, the base of {kind.name}", node)
    return Value(kind, int_constant(kind.base, int(number)))


def string_value(fn: FunctionChecker, text: str) -> Value:
    """A str literal: address and count of its bytes in read-only memory."""
    data = text.encode()
    address = StaticAddress(fn.program.string(data)) if data else NULL
    return Value(STR, MakeTuple((address, u64_constant(len(data))), value_types.SLICE))


def default_constant(fn: FunctionChecker, known: Known, node: ast.expr) -> Value:
    """A build-time object as a run-time value without a context: a plain int is u64."""
    own = own_type(known)
    if own is not None:
        return own_constant(fn, known, own, node)
    if isinstance(known.object, int):
        return Value(U64, int_constant(U64, adapt(fn, known, U64, node)))
    return fn.fail("E0605", f"{describe(known)} is not a run-time value", node, fix=_place_fix(known.object))


def _place_fix(found: Any) -> str | None:
    if hasattr(class_of(found), STRUCT_OPTIONS):
        return f"give it a place in the image: `NAME: {type(found).__name__} = static(...)`"
    if isinstance(found, list | tuple):
        return "make it a table in the image: `NAME: Array[T] = constant([...])`"
    if isinstance(found, StaticObject):
        return "name it by a module global with an annotation"
    if isinstance(found, LinkerSymbol):
        return "call `.address()`"
    if isinstance(found, FunctionTable):
        return "index it and call: `TABLE[i](...)`"
    if isinstance(found, float):
        return "use integers; there is no floating point"
    return None
