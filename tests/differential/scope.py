"""What generated code can refer to: types, declared structs and functions, and the variables in scope."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from compiler.language.types import BOOL, I8, I16, I32, I64, U8, U16, U32, U64, BoolType, IntType

INTEGERS = (U8, U16, U32, U64, I8, I16, I32, I64)
Scalar = IntType | BoolType


def widens(source: IntType, target: IntType) -> bool:
    """Whether every value of `source` is one of `target`, so that it converts implicitly."""
    if source.signed == target.signed:
        return source.bits <= target.bits
    return target.signed and source.bits < target.bits


def common(left: IntType, right: IntType) -> IntType | None:
    """The type that a binary operation on both has, or None where there is none."""
    if widens(left, right):
        return right
    return left if widens(right, left) else None


@dataclass(frozen=True)
class ArrayOf:
    """An array field."""

    element: IntType
    count: int


@dataclass(frozen=True)
class Struct:
    """A declared struct."""

    name: str
    fields: tuple[tuple[str, Scalar | ArrayOf | Struct], ...]

    def scalars(self) -> Iterator[tuple[str, Scalar]]:
        """Paths of scalar fields, nested ones too."""
        for name, kind in self.fields:
            if isinstance(kind, Struct):
                yield from ((f"{name}.{path}", scalar) for path, scalar in kind.scalars())
            elif not isinstance(kind, ArrayOf):
                yield name, kind

    def arrays(self) -> Iterator[tuple[str, ArrayOf]]:
        """Paths of array fields."""
        for name, kind in self.fields:
            if isinstance(kind, Struct):
                yield from ((f"{name}.{path}", inner) for path, inner in kind.arrays())
            elif isinstance(kind, ArrayOf):
                yield name, kind


@dataclass(frozen=True)
class Enumeration:
    """A declared enum: its members' values are 0, 1, 2, ... ."""

    name: str
    base: IntType
    members: tuple[str, ...]


@dataclass(frozen=True)
class SliceOf:
    """A slice parameter."""

    element: IntType


@dataclass(frozen=True)
class OptionalOf:
    """`T | None`."""

    element: IntType


@dataclass(frozen=True)
class ResultOf:
    """`T | Problem`."""

    element: IntType


@dataclass(frozen=True)
class ByValue:
    """`Value[S]`."""

    struct: Struct


Kind = Scalar | Struct | Enumeration | SliceOf | OptionalOf | ResultOf | ByValue


def annotation(kind: Kind) -> str:
    """How a type is written."""
    match kind:
        case SliceOf():
            return f"Slice[{kind.element.name}]"
        case OptionalOf():
            return f"{kind.element.name} | None"
        case ResultOf():
            return f"{kind.element.name} | Problem"
        case ByValue():
            return f"Value[{kind.struct.name}]"
        case _:
            return kind.name


@dataclass(frozen=True)
class GeneratedFunction:
    """A function that later ones can call; `cost` bounds how many statements a call runs."""

    name: str
    parameters: tuple[Kind, ...]
    result: Kind | None
    cost: int


@dataclass
class Declarations:
    """Everything at module level."""

    structs: list[Struct] = field(default_factory=list[Struct])
    enumerations: list[Enumeration] = field(default_factory=list[Enumeration])
    functions: list[GeneratedFunction] = field(default_factory=list[GeneratedFunction])
    static_arrays: list[tuple[str, ArrayOf, bool]] = field(default_factory=list[tuple[str, ArrayOf, bool]])
    """Name, type, and whether it can be changed."""
    static_structs: list[tuple[str, Struct]] = field(default_factory=list[tuple[str, Struct]])


@dataclass
class Scope:
    """The variables of one function."""

    scalars: dict[str, Scalar] = field(default_factory=dict[str, Scalar])
    assignable: list[str] = field(default_factory=list[str])
    structs: dict[str, Struct] = field(default_factory=dict[str, Struct])
    slices: dict[str, IntType] = field(default_factory=dict[str, IntType])
    arrays: dict[str, ArrayOf] = field(default_factory=dict[str, ArrayOf])
    enumerations: dict[str, Enumeration] = field(default_factory=dict[str, Enumeration])
    optionals: dict[str, IntType] = field(default_factory=dict[str, IntType])

    def integers(self) -> list[tuple[str, IntType]]:
        """Expressions that read an integer place, but for elements."""
        named = [(name, kind) for name, kind in self.scalars.items() if isinstance(kind, IntType)]
        for name, struct in self.structs.items():
            named += [(f"{name}.{path}", kind) for path, kind in struct.scalars() if isinstance(kind, IntType)]
        return named

    def bools(self) -> list[str]:
        """Expressions that read a bool place."""
        named = [name for name, kind in self.scalars.items() if kind == BOOL]
        for name, struct in self.structs.items():
            named += [f"{name}.{path}" for path, kind in struct.scalars() if kind == BOOL]
        return named

    def all_arrays(self) -> list[tuple[str, ArrayOf]]:
        """Array places."""
        places = list(self.arrays.items())
        for name, struct in self.structs.items():
            places += [(f"{name}.{path}", array) for path, array in struct.arrays()]
        return places

    def copy(self) -> Scope:
        """A scope for a nested block: what it declares is not seen outside."""
        return Scope(
            dict(self.scalars),
            list(self.assignable),
            dict(self.structs),
            dict(self.slices),
            dict(self.arrays),
            dict(self.enumerations),
            dict(self.optionals),
        )
