"""Fixed-width integers and the explicit forms of arithmetic that may wrap, saturate or fail.

To the type checkers every width is `int`, so that dialect code reads as Python. At build time (module level) each
width is a subclass of `int` that refuses values out of its range. Inside compiled functions the checker of the
compiler holds widths and signs apart, and an operation gives the value that Python gives or traps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeAlias, TypeVar

from compiler.language.errors import only_in_function

if TYPE_CHECKING:
    u8: TypeAlias = int
    u16: TypeAlias = int
    u32: TypeAlias = int
    u64: TypeAlias = int
    i8: TypeAlias = int
    i16: TypeAlias = int
    i32: TypeAlias = int
    i64: TypeAlias = int
    usize: TypeAlias = int
else:

    class FixedInt(int):
        """Base of the build-time integers: a value in range, or ValueError."""

        bits: ClassVar[int]
        signed: ClassVar[bool]

        def __new__(cls, value: int = 0) -> FixedInt:
            lowest = -(1 << (cls.bits - 1)) if cls.signed else 0
            highest = (1 << (cls.bits - cls.signed)) - 1
            if not lowest <= int(value) <= highest:
                raise ValueError(f"{int(value)} does not fit in {cls.__name__} ({lowest} to {highest})")
            return super().__new__(cls, value)

    def _width(name: str, bits: int, signed: bool) -> type[FixedInt]:
        return type(name, (FixedInt,), {"bits": bits, "signed": signed, "__module__": __name__})

    u8, u16, u32, u64 = (_width(f"u{bits}", bits, False) for bits in (8, 16, 32, 64))
    i8, i16, i32, i64 = (_width(f"i{bits}", bits, True) for bits in (8, 16, 32, 64))
    usize = u64

Integer = TypeVar("Integer", bound=int)


def wrapping_add(left: int, right: int) -> int:
    """Sum modulo 2**width of the operands' type."""
    raise only_in_function("wrapping_add", left, right)


def wrapping_sub(left: int, right: int) -> int:
    """Difference modulo 2**width."""
    raise only_in_function("wrapping_sub", left, right)


def wrapping_mul(left: int, right: int) -> int:
    """Product modulo 2**width."""
    raise only_in_function("wrapping_mul", left, right)


def wrapping_neg(value: int) -> int:
    """Two's complement negation modulo 2**width."""
    raise only_in_function("wrapping_neg", value)


def wrapping_shl(value: int, count: int) -> int:
    """Left shift that drops the bits shifted out; traps when `count` is not below the width."""
    raise only_in_function("wrapping_shl", value, count)


def checked_add(left: int, right: int) -> int | None:
    """The sum, or None where it does not fit."""
    raise only_in_function("checked_add", left, right)


def checked_sub(left: int, right: int) -> int | None:
    """The difference, or None where it does not fit."""
    raise only_in_function("checked_sub", left, right)


def checked_mul(left: int, right: int) -> int | None:
    """The product, or None where it does not fit."""
    raise only_in_function("checked_mul", left, right)


def saturating_add(left: int, right: int) -> int:
    """The sum, held at the type's bound."""
    raise only_in_function("saturating_add", left, right)


def saturating_sub(left: int, right: int) -> int:
    """The difference, held at the type's bound."""
    raise only_in_function("saturating_sub", left, right)


def truncate(to: type[Integer], value: int) -> Integer:
    """The low bits of `value` as type `to`; also reinterprets the sign. Never traps."""
    raise only_in_function("truncate", to, value)


def rotate_left(value: int, count: int) -> int:
    """Rotation within the type's width; `count` is taken modulo the width."""
    raise only_in_function("rotate_left", value, count)


def rotate_right(value: int, count: int) -> int:
    """Rotation within the type's width; `count` is taken modulo the width."""
    raise only_in_function("rotate_right", value, count)


def leading_zeros(value: int) -> int:
    """Count of zero bits above the highest set bit; the width for zero."""
    raise only_in_function("leading_zeros", value)


def trailing_zeros(value: int) -> int:
    """Count of zero bits below the lowest set bit; the width for zero."""
    raise only_in_function("trailing_zeros", value)


def count_ones(value: int) -> int:
    """Number of set bits."""
    raise only_in_function("count_ones", value)


def byte_swap(value: int) -> int:
    """The bytes of `value` in opposite order."""
    raise only_in_function("byte_swap", value)


def reverse_bits(value: int) -> int:
    """The bits of `value` in opposite order."""
    raise only_in_function("reverse_bits", value)


def multiply_high(left: int, right: int) -> int:
    """Upper half of the double-width product."""
    raise only_in_function("multiply_high", left, right)
