"""Places: memory that an expression names, and how values of each type lie in it.

A place is an address with a type. Structs, arrays and atomics are handled by address; a slice or a str lies as address
and count, an optional that is no pointer as value and presence byte. The right-hand side of an assignment is evaluated
before the place on its left, as in Python.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from math import gcd

from compiler.check.constants import u64_constant
from compiler.check.context import FunctionChecker
from compiler.check.values import Fresh, Value, is_reference, is_simple, value_type
from compiler.language.types import BOOL, U64, OptionalType, StructField, Type
from compiler.program import types as value_types
from compiler.program.nodes import (
    Access,
    Constant,
    CopyMemory,
    Evaluate,
    Expression,
    FillMemory,
    Load,
    MakeTuple,
    Offset,
    Sequence,
    Span,
    Statement,
    Store,
    TupleElement,
)


@dataclass(frozen=True)
class Place:
    """Memory of a type: `align` bytes are guaranteed; `local`: of this activation; `readonly`: not to be written."""

    type: Type
    address: Expression
    align: int
    local: bool = False
    readonly: bool = False


def place_of(value: Value) -> Place:
    """The place that a reference names."""
    return Place(value.type, value.node, value.align, value.local, value.readonly)


def offset(address: Expression, count: int) -> Expression:
    """Address plus a constant."""
    if count == 0:
        return address
    if isinstance(address, Offset):
        return Offset(address.base, address.bytes + count)
    return Offset(address, count)


def field_place(base: Value, field: StructField) -> Place:
    """The place of a field of a struct."""
    return Place(
        field.type,
        offset(base.node, field.offset),
        gcd(base.align, field.offset) if field.offset else base.align,
        base.local,
        base.readonly,
    )


def load(fn: FunctionChecker, place: Place) -> Value:
    """The value at a place; for a struct, array or atomic a reference to it."""
    if is_reference(place.type):
        return Value(place.type, place.address, place.align, place.local, place.readonly)
    held = value_type(place.type)
    align = _pointee_align(place.type)
    if not isinstance(held, value_types.Tuple):
        return Value(place.type, _load_scalar(place.address, held, place.align), align)
    node = fn.once(place.address, lambda address: _load_parts(address, place.type, held, place.align))
    return Value(place.type, node, align)


def _load_parts(address: Expression, kind: Type, held: value_types.Tuple, align: int) -> Expression:
    parts: list[Expression] = []
    for position, part, part_held in _parts(kind, held):
        at = offset(address, position)
        part_align = gcd(align, position) if position else align
        if isinstance(part_held, value_types.Tuple):
            parts.append(_load_parts(at, part, part_held, part_align))
        else:
            parts.append(_load_scalar(at, part_held, part_align))
    return MakeTuple(tuple(parts), held)


def _pointee_align(kind: Type) -> int:
    element = getattr(kind, "element", None)
    return element.align if isinstance(element, Type) and is_reference(element) else 0


def _load_scalar(address: Expression, kind: value_types.ValueType, align: int) -> Load:
    size = value_types.stored_size(kind)
    return Load(address, kind, min(size, gcd(align, size)))


def _parts(kind: Type, held: value_types.Tuple) -> list[tuple[int, Type, value_types.ValueType]]:
    """Offset, type and value type of each part of a stored value that is more than one unit."""
    if isinstance(kind, OptionalType):
        return [(0, kind.element, held.elements[0]), (kind.element.size, BOOL, held.elements[1])]
    return [(8 * index, U64, part) for index, part in enumerate(held.elements)]


def store(fn: FunctionChecker, place: Place, value: Value, span: Span) -> tuple[Statement, ...]:
    """Statements that put a value of the place's type there. `value` is evaluated before the address."""
    held = value_type(place.type)
    with fn.block() as block:
        node = value.node
        if not (is_simple(node) or is_simple(place.address) or not may_have_effect(node)):
            node = fn.hold(node, span)
        if isinstance(held, value_types.Tuple):
            address = place.address
            if not is_simple(address):
                node = _hold_parts(fn, node, span)
                address = fn.hold(address, span)
            _store_parts(fn, Place(place.type, address, place.align), held, node, span)
        else:
            fn.emit(_store_scalar(place.address, held, node, place.align, span))
    return tuple(block)


def _hold_parts(fn: FunctionChecker, node: Expression, span: Span) -> Expression:
    if not isinstance(node, MakeTuple):
        return fn.hold(node, span)
    return MakeTuple(tuple(_hold_parts(fn, part, span) for part in node.elements), node.type)


def _store_parts(fn: FunctionChecker, place: Place, held: value_types.Tuple, node: Expression, span: Span) -> None:
    whole = _hold_parts(fn, node, span)
    for index, (position, kind, part_held) in enumerate(_parts(place.type, held)):
        part = whole.elements[index] if isinstance(whole, MakeTuple) else TupleElement(whole, index, part_held)
        align = gcd(place.align, position) if position else place.align
        address = offset(place.address, position)
        if isinstance(part_held, value_types.Tuple):
            _store_parts(fn, Place(kind, address, align), part_held, part, span)
        else:
            fn.emit(_store_scalar(address, part_held, part, align, span))


def _store_scalar(address: Expression, kind: value_types.ValueType, node: Expression, align: int, span: Span) -> Store:
    size = value_types.stored_size(kind)
    return Store(address, node, min(size, gcd(align, size)), span, Access.PLAIN)


def may_have_effect(node: Expression) -> bool:
    """Whether evaluating a node may be told from evaluating it later: it calls, writes, traps or reads memory."""
    if isinstance(node, Offset):
        return may_have_effect(node.base)
    if isinstance(node, TupleElement):
        return may_have_effect(node.operand)
    if isinstance(node, MakeTuple):
        return any(may_have_effect(part) for part in node.elements)
    return not is_simple(node)


def effects(node: Expression, span: Span) -> tuple[Statement, ...]:
    """What evaluating a node for its effect does; statements wrapped in it come out again."""
    found: list[Statement] = []
    while isinstance(node, Sequence):
        found += node.statements
        node = node.value
    if may_have_effect(node):
        found.append(Evaluate(node, span))
    return tuple(found)


def store_fresh(fn: FunctionChecker, place: Place, fresh: Fresh, tree: ast.expr) -> None:
    """Build a fresh struct or array and copy it to a place, which its building may read."""
    built = fn.materialise(fresh, tree)
    span = fn.span(tree)
    source = fn.hold(built.node, span)
    fn.emit(copy_memory(place.address, source, fresh.type, min(place.align, fresh.type.align), span))


def copy_memory(destination: Expression, source: Expression, kind: Type, align: int, span: Span) -> CopyMemory:
    """Copy a whole struct or array."""
    return CopyMemory(destination, source, u64_constant(kind.size), align, span)


def fill_zero(destination: Expression, kind: Type, align: int, span: Span) -> FillMemory:
    """Zero a whole struct or array."""
    return FillMemory(destination, Constant(value_types.U8, 0), u64_constant(kind.size), align, span)
