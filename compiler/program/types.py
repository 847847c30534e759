"""Types of values in the typed program: what fits registers.

Structs and arrays are never values: they live in memory and are handled by address. Slices, strings, optionals and
results are tuples of scalars.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Int:
    """An integer of 8, 16, 32 or 64 bits. A value is held as a Python int in the type's range."""

    bits: int
    signed: bool

    @property
    def lowest(self) -> int:
        """Least value."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        """Greatest value."""
        return (1 << (self.bits - self.signed)) - 1


@dataclass(frozen=True)
class Bool:
    """True or False; stored as a byte 1 or 0."""


@dataclass(frozen=True)
class Pointer:
    """A 64-bit address; 0 where an optional one is absent."""


@dataclass(frozen=True)
class Tuple:
    """Several scalars (or tuples) together."""

    elements: tuple[ValueType, ...]


@dataclass(frozen=True)
class Void:
    """No value."""


ValueType = Int | Bool | Pointer | Tuple | Void

U8, U16, U32, U64 = (Int(bits, False) for bits in (8, 16, 32, 64))
I8, I16, I32, I64 = (Int(bits, True) for bits in (8, 16, 32, 64))
BOOL = Bool()
POINTER = Pointer()
VOID = Void()
SLICE = Tuple((POINTER, U64))


@cache
def leaves(kind: ValueType) -> tuple[ValueType, ...]:
    """The scalar types that a type consists of, in order; none for VOID."""
    match kind:
        case Tuple(elements):
            return tuple(leaf for element in elements for leaf in leaves(element))
        case Void():
            return ()
        case _:
            return (kind,)


def stored_size(kind: ValueType) -> int:
    """Bytes of a scalar in memory; tuples are stored element by element and have no size of their own."""
    match kind:
        case Int(bits, _):
            return bits // 8
        case Bool():
            return 1
        case Pointer():
            return 8
        case _:
            raise ValueError(f"{kind} is not stored as one unit")
