"""What checking an expression gives.

A `Value` is computed at run time; a `Known` is an object of build time; a `Fresh` is a struct or array that has no
place yet and is built where its user wants it; a `Bound` is a method with its receiver. A struct or array is always
handled by address: the node of its Value is a POINTER.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compiler.language.mmio import MmioRegister
from compiler.language.sync import Atomic
from compiler.language.types import (
    ArrayType,
    AtomicType,
    BitsType,
    BoolType,
    DistinctType,
    EnumType,
    FormatType,
    FunctionType,
    IntType,
    MmioType,
    NeverType,
    OptionalType,
    PerCpuType,
    PtrType,
    ResultType,
    SliceType,
    StrType,
    StructType,
    TupleType,
    Type,
    UntrustedType,
    ValueType,
    VoidType,
    optional_is_pointer,
)
from compiler.program import types as value_types
from compiler.program.nodes import Expression, ReadLocal, SlotAddress, Statement
from compiler.program.program import StackSlot


class Abandon(Exception):
    """The construct in hand cannot be checked further; a diagnostic has been reported."""


@dataclass(frozen=True, slots=True)
class Value:
    """A run-time value.

    `align` is the guaranteed alignment of the memory that a struct, array or atomic reference names; `local` says that
    the value may point into this activation's stack; `readonly` that the memory must not be written.
    """

    type: Type
    node: Expression
    align: int = 0
    local: bool = False
    readonly: bool = False
    slot: StackSlot | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A build-time object. A plain int adapts to its context; one with a `type` does not.

    `inverted` marks the result of `~`, which is negative in Python and stands for the flipped bits of its context's
    width.
    """

    object: Any
    type: Type | None = None
    inverted: bool = False


Build = Callable[[Expression], tuple[Statement, ...]]


@dataclass(frozen=True, slots=True)
class Fresh:
    """A struct or array to be built at an address.

    With `tag` it may be absent or an error: `type` is then an OptionalType or ResultType of a ValueType, and `tag`
    gives, for the address, the expression that builds and says which.
    """

    type: Type
    build: Build
    tag: Callable[[Expression], Expression] | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """`receiver.name` where that is an operation or a method (`function`), to be called.

    A device register carries its declaration; `index` is that of a repeated register, or of a function table's entry.
    """

    receiver: Value | Known
    name: str
    function: Any = None
    owner: Any = None
    register: MmioRegister[Any] | None = None
    index: Expression | None = None
    index_tree: ast.AST | None = None


Result = Value | Known | Fresh | Bound

_SIMPLE: dict[type[Type], value_types.ValueType] = {
    BoolType: value_types.BOOL,
    VoidType: value_types.VOID,
    NeverType: value_types.VOID,
    PtrType: value_types.POINTER,
    StructType: value_types.POINTER,
    ArrayType: value_types.POINTER,
    AtomicType: value_types.POINTER,
    MmioType: value_types.POINTER,
    PerCpuType: value_types.POINTER,
    SliceType: value_types.SLICE,
    StrType: value_types.SLICE,
    UntrustedType: value_types.SLICE,
    FormatType: value_types.Tuple(
        (value_types.POINTER, value_types.U64, value_types.POINTER, value_types.U64),
    ),
}
_INTS = {
    (kind.bits, kind.signed): kind
    for kind in (
        value_types.U8,
        value_types.U16,
        value_types.U32,
        value_types.U64,
        value_types.I8,
        value_types.I16,
        value_types.I32,
        value_types.I64,
    )
}


def int_value_type(kind: IntType) -> value_types.Int:
    """The value type of an integer."""
    return _INTS[kind.bits, kind.signed]


def integer_hint(expected: Type | None) -> IntType | None:
    """The integer type that an operand's literals adapt to where the whole expression is expected to be `expected`."""
    if isinstance(expected, OptionalType | ResultType):
        return integer_hint(expected.element)
    return expected if isinstance(expected, IntType) else None


def value_type(kind: Type) -> value_types.ValueType:
    """How a value of a source type is held."""
    if isinstance(kind, IntType):
        return _INTS[kind.bits, kind.signed]
    simple = _SIMPLE.get(type(kind))
    if simple is not None:
        return simple
    if isinstance(kind, DistinctType | EnumType | BitsType):
        return _INTS[kind.base.bits, kind.base.signed]
    if isinstance(kind, OptionalType):
        if isinstance(kind.element, ValueType):
            return value_types.Tuple((value_types.BOOL,))
        if optional_is_pointer(kind):
            return value_types.POINTER
        return value_types.Tuple((value_type(kind.element), value_types.BOOL))
    if isinstance(kind, ResultType):
        if isinstance(kind.element, VoidType | ValueType):
            return value_types.Tuple((value_types.I32,))
        return value_types.Tuple((value_type(kind.element), value_types.I32))
    if isinstance(kind, TupleType):
        return value_types.Tuple(tuple(value_type(element) for element in kind.elements))
    if isinstance(kind, ValueType | FunctionType):
        return value_types.VOID
    raise ValueError(f"{kind.name} has no values")


def class_of(found: object) -> type[object]:
    """The class of a build-time object."""
    return type(found)


def initial_value(found: Any) -> Any:
    """What an atomic starts with, for the build-time value of one."""
    return found.initial if class_of(found) is Atomic else found


def language_method(cls: type[Any], name: str) -> Any:
    """The Python function behind a class method of the language package."""
    return cls.__dict__[name].__func__


def is_simple(node: Expression) -> bool:
    """Whether evaluating a node again costs nothing and has no effect."""
    from compiler.program.nodes import Constant, Offset, StaticAddress, TupleElement

    if isinstance(node, Offset):
        return is_simple(node.base)
    if isinstance(node, TupleElement):
        return isinstance(node.operand, ReadLocal)
    return isinstance(node, Constant | ReadLocal | StaticAddress | SlotAddress)


def is_reference(kind: Type) -> bool:
    """Whether values of the type are addresses of a struct, array or atomic."""
    return isinstance(kind, StructType | ArrayType | AtomicType)


def may_refer(kind: Type) -> bool:
    """Whether a value of the type can hold an address."""
    if isinstance(kind, OptionalType | ResultType | ValueType):
        return may_refer(kind.element)
    if isinstance(kind, TupleType):
        return any(may_refer(element) for element in kind.elements)
    return is_reference(kind) or isinstance(kind, PtrType | SliceType | StrType | FormatType)


def by_value_struct(kind: Type) -> Type | None:
    """The struct that a result of this type passes through the result pointer, if it does."""
    if isinstance(kind, ValueType):
        return kind.element
    if isinstance(kind, OptionalType | ResultType) and isinstance(kind.element, ValueType):
        return kind.element.element
    return None
