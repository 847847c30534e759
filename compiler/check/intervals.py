"""Interval arithmetic: what an operation can give when its operands lie in intervals.

Results are those of mathematical integers, before any check or wrap, and always contain every possible value;
None stands for "anything that the type can hold".
"""

from __future__ import annotations

from compiler.program.nodes import BinaryOp, UnaryOp
from compiler.program.types import Bool, Int, Tuple, ValueType

Interval = tuple[int, int]
Abstract = Interval | list["Abstract"]
"""An interval for a scalar, one entry per element for a tuple."""

BOTH: Interval = (0, 1)
ADDRESSES: Interval = (0, (1 << 64) - 1)


def type_interval(kind: ValueType) -> Interval:
    """Every value of a scalar type."""
    match kind:
        case Int():
            return (kind.lowest, kind.highest)
        case Bool():
            return BOTH
        case _:
            return ADDRESSES


def type_abstract(kind: ValueType) -> Abstract:
    """Every value of a type."""
    if isinstance(kind, Tuple):
        return [type_abstract(element) for element in kind.elements]
    return type_interval(kind)


def as_interval(value: Abstract) -> Interval:
    """A scalar's interval."""
    assert isinstance(value, tuple)
    return value


def hull(first: Interval, second: Interval) -> Interval:
    """The smallest interval that contains both."""
    return (min(first[0], second[0]), max(first[1], second[1]))


def hull_abstract(first: Abstract, second: Abstract) -> Abstract:
    """Element by element for tuples."""
    if isinstance(first, tuple) and isinstance(second, tuple):
        return hull(first, second)
    assert isinstance(first, list) and isinstance(second, list)
    return [hull_abstract(one, other) for one, other in zip(first, second, strict=True)]


def meet(first: Interval, second: Interval) -> Interval | None:
    """What both contain; None when that is nothing."""
    lowest, highest = max(first[0], second[0]), min(first[1], second[1])
    return (lowest, highest) if lowest <= highest else None


def within(inner: Interval, outer: Interval) -> bool:
    """Whether `outer` contains `inner`."""
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def binary(op: BinaryOp, left: Interval, right: Interval, kind: Int) -> Interval | None:
    """The exact result of an operation. Divisors are taken as non-zero and shift counts as below the width."""
    match op:
        case BinaryOp.ADD:
            return (left[0] + right[0], left[1] + right[1])
        case BinaryOp.SUB:
            return (left[0] - right[1], left[1] - right[0])
        case BinaryOp.MUL:
            return _corners([a * b for a in left for b in right])
        case BinaryOp.FLOOR_DIV | BinaryOp.MOD:
            return _divide(op, left, right)
        case BinaryOp.SHL | BinaryOp.SHR:
            return _shift(op, left, right, kind)
        case BinaryOp.AND | BinaryOp.OR | BinaryOp.XOR:
            return _bitwise(op, left, right)
        case BinaryOp.MIN:
            return (min(left[0], right[0]), min(left[1], right[1]))
        case BinaryOp.MAX:
            return (max(left[0], right[0]), max(left[1], right[1]))
        case _:
            return None


def _corners(values: list[int]) -> Interval:
    return (min(values), max(values))


def _divide(op: BinaryOp, left: Interval, right: Interval) -> Interval | None:
    if right[0] < 0:
        if right[1] >= 0 or op is BinaryOp.MOD:
            return None
        return _corners([a // b for a in left for b in right])
    divisors = (max(right[0], 1), max(right[1], 1))
    if op is BinaryOp.FLOOR_DIV:
        return _corners([a // b for a in left for b in divisors])
    if left[0] >= 0 and left[1] < divisors[0]:
        return left
    highest = divisors[1] - 1
    return (0, min(highest, left[1]) if left[0] >= 0 else highest)


def _shift(op: BinaryOp, left: Interval, right: Interval, kind: Int) -> Interval:
    counts = (min(right[0], kind.bits - 1), min(right[1], kind.bits - 1))
    if op is BinaryOp.SHL:
        return _corners([a << b for a in left for b in counts])
    return _corners([a >> b for a in left for b in counts])


def _bitwise(op: BinaryOp, left: Interval, right: Interval) -> Interval | None:
    if op is BinaryOp.AND:
        limits = [side[1] for side in (left, right) if side[0] >= 0]
        return (0, min(limits)) if limits else None
    if left[0] < 0 or right[0] < 0:
        return None
    highest = (1 << max(left[1].bit_length(), right[1].bit_length())) - 1
    return (max(left[0], right[0]) if op is BinaryOp.OR else 0, highest)


def unary(op: UnaryOp, operand: Interval, kind: Int) -> Interval | None:
    """The exact result of an operation on an integer."""
    match op:
        case UnaryOp.NEGATE:
            return (-operand[1], -operand[0])
        case UnaryOp.INVERT:
            top = -1 if kind.signed else kind.highest
            return (top - operand[1], top - operand[0])
        case UnaryOp.LEADING_ZEROS if operand[0] >= 0:
            return (kind.bits - operand[1].bit_length(), kind.bits - operand[0].bit_length())
        case UnaryOp.LEADING_ZEROS | UnaryOp.TRAILING_ZEROS | UnaryOp.COUNT_ONES:
            return (0, kind.bits)
        case _:
            return None
