"""Operations on fixed-width integers that Python has no operator for; emitted code calls them by name.

Operands are Python ints in the range of their type. Results are in range again: `bits` and `signed` say of which.
"""

from __future__ import annotations


def wrap(value: int, bits: int, signed: bool) -> int:
    """`value` modulo 2**bits, in the range of the type."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if signed and value >> (bits - 1) else value


def rotate_left(value: int, count: int, bits: int, signed: bool) -> int:
    """Rotate the pattern by `count` modulo the width."""
    count %= bits
    pattern = value & ((1 << bits) - 1)
    return wrap(pattern << count | pattern >> (bits - count), bits, signed)


def rotate_right(value: int, count: int, bits: int, signed: bool) -> int:
    """Rotate the pattern by `count` modulo the width."""
    return rotate_left(value, -count % bits, bits, signed)


def leading_zeros(value: int, bits: int, _signed: bool) -> int:
    """Zero bits above the highest set bit."""
    return bits - (value & ((1 << bits) - 1)).bit_length()


def trailing_zeros(value: int, bits: int, _signed: bool) -> int:
    """Zero bits below the lowest set bit; the width for 0."""
    return (value & -value).bit_length() - 1 if value else bits


def count_ones(value: int, bits: int, _signed: bool) -> int:
    """Set bits of the pattern."""
    return (value & ((1 << bits) - 1)).bit_count()


def byte_swap(value: int, bits: int, signed: bool) -> int:
    """Bytes in opposite order."""
    pattern = (value & ((1 << bits) - 1)).to_bytes(bits // 8, "little")
    return int.from_bytes(pattern, "big", signed=signed)


def reverse_bits(value: int, bits: int, signed: bool) -> int:
    """Bits in opposite order."""
    pattern = format(value & ((1 << bits) - 1), f"0{bits}b")
    return wrap(int(pattern[::-1], 2), bits, signed)
