"""Random arguments for any function, by the types of its signature, and what a call did in a comparable form.

Values are biased to the edges of their types and to small numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from compiler.host.session import Session
from compiler.host.views import ArrayView, PointerView, StructView
from compiler.language import types as t

_DIFFERENT_ELEMENTS = 16


class NotGenerated(Exception):
    """No argument of this type can be made up."""


def number(random: Random, kind: t.IntType) -> int:
    """An integer of the type."""
    choice = random.randrange(10)
    if choice < 5:
        value = random.randrange(-4 if kind.signed else 0, 12)
    elif choice < 8:
        edge = 1 << random.randrange(kind.bits)
        value = random.choice((kind.lowest, kind.highest, edge, edge - 1, -edge, kind.lowest + 1, kind.highest - 1))
    else:
        value = random.randint(kind.lowest, kind.highest)
    return min(max(value, kind.lowest), kind.highest)


def value(random: Random, kind: t.Type) -> Any:
    """A Python value of the type; structs are dicts of fields, slices lists."""
    match kind:
        case t.IntType():
            return number(random, kind)
        case t.BoolType():
            return random.random() < 0.5
        case t.EnumType():
            return random.choice(list(kind.cls))
        case t.DistinctType():
            return kind.cls(number(random, kind.base))
        case t.BitsType():
            return kind.cls(number(random, kind.base))
        case t.AtomicType():
            return value(random, kind.element)
        case t.OptionalType() if t.optional_is_pointer(kind):
            return None
        case t.OptionalType():
            return None if random.random() < 0.3 else value(random, kind.element)
        case t.StructType():
            return {name: _stored(random, field.type) for name, field in kind.fields.items()}
        case t.ArrayType():
            different = [value(random, kind.element) for _ in range(min(kind.count, _DIFFERENT_ELEMENTS))]
            return different if len(different) == kind.count else random.choices(different, k=kind.count)
        case t.SliceType():
            return [value(random, kind.element) for _ in range(random.randrange(7))]
        case t.UntrustedType():
            return bytearray(random.randbytes(random.randrange(9)))
        case t.StrType():
            return "".join(random.choice("abz09 é") for _ in range(random.randrange(6)))
        case _:
            raise NotGenerated(kind.name)


def _stored(random: Random, kind: t.Type) -> Any:
    """A value of a field; one that refers to memory elsewhere is not made up."""
    if isinstance(kind, t.SliceType | t.StrType | t.UntrustedType):
        raise NotGenerated(kind.name)
    return value(random, kind)


@dataclass(frozen=True)
class Outcome:
    """What a call did: its result, what became of arguments, the static objects that it changed, or the trap."""

    result: Any = None
    arguments: tuple[Any, ...] = ()
    statics: dict[str, Any] = field(default_factory=dict[str, Any])
    trap: tuple[str, str, int] | None = None
    """Kind, file and line."""


def prepared(session: Session, kind: t.Type, given: Any) -> Any:
    """An argument as the session takes it, so that changes of it can be seen: mutable ones are fresh copies."""
    match kind:
        case t.StructType():
            return session.new(kind.cls, **given)
        case t.SliceType():
            return session.new_array(kind.element, given)
        case _:
            return bytearray(given) if isinstance(given, bytearray) else given


def comparable(value: Any) -> Any:
    """A value without addresses: views become their contents, pointers whether they are there."""
    match value:
        case PointerView():
            return "pointer"
        case StructView():
            return {name: comparable(getattr(value, name)) for name in cast(t.StructType, value.type_).fields}
        case ArrayView(type_=t.ArrayType(element=t.IntType())):
            return bytes(value)
        case ArrayView():
            return [comparable(item) for item in value]
        case dict():
            return {name: comparable(item) for name, item in cast(dict[str, Any], value).items()}
        case list() | tuple():
            return [comparable(item) for item in cast(list[Any], value)]
        case bytearray():
            return bytes(value)
        case _:
            return getattr(value, "raw", value)
