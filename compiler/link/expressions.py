"""Expressions of linker scripts: their tree, and their value in a layout.

Invariants: arithmetic is modulo 2**64, as in GNU ld; a value knows whether it moves with the image (it is relative to
an output section) or is a plain number, because only the former needs fixing up in a relocatable image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Position:
    """Line and column of a token in its script, from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Number:
    """A literal."""

    value: int


@dataclass(frozen=True, slots=True)
class Name:
    """A symbol, an output section (as the argument of ADDR and its like), or `.`."""

    name: str
    position: Position


@dataclass(frozen=True, slots=True)
class Unary:
    """`-a`, `+a`, `~a`, `!a`."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right` with the operators of C."""

    operator: str
    left: Expression
    right: Expression
    position: Position


@dataclass(frozen=True, slots=True)
class Conditional:
    """`condition ? if_true : if_false`."""

    condition: Expression
    if_true: Expression
    if_false: Expression


@dataclass(frozen=True, slots=True)
class Call:
    """A built-in function; the parser has checked the number of its arguments."""

    function: str
    arguments: tuple[Expression, ...]
    position: Position


Expression = Number | Name | Unary | Binary | Conditional | Call

ARGUMENT_COUNTS = {
    "ABSOLUTE": (1,),
    "ADDR": (1,),
    "ALIGN": (1, 2),
    "DEFINED": (1,),
    "LOADADDR": (1,),
    "MAX": (2,),
    "MIN": (2,),
    "SIZEOF": (1,),
}
TAKES_NAME = frozenset({"ADDR", "DEFINED", "LOADADDR", "SIZEOF"})


@dataclass(frozen=True, slots=True)
class Value:
    """A number, and the index of the output section that it moves with, or None for a plain number."""

    number: int
    section: int | None = None


class EvaluationError(Exception):
    """An expression has no value: `code` and `message` as in a `LinkProblem`."""

    def __init__(self, code: str, message: str, fix: str, position: Position) -> None:
        super().__init__(message)
        self.code, self.message, self.fix, self.position = code, message, fix, position


class Scope(Protocol):
    """What an expression can ask of the layout. Lookups raise `EvaluationError` for unknown names."""

    def symbol(self, name: str, position: Position) -> Value:
        """The value of a symbol, or of the location counter for `.`."""
        ...

    def is_defined(self, name: str) -> bool:
        """Whether an object, the command line or an earlier statement defines `name`."""
        ...

    def section_address(self, name: str, position: Position) -> Value:
        """Where an output section runs."""
        ...

    def section_load_address(self, name: str, position: Position) -> Value:
        """Where an output section is loaded."""
        ...

    def section_size(self, name: str, position: Position) -> int:
        """The size of an output section in bytes."""
        ...


def align_up(value: int, alignment: int) -> int:
    """The first multiple of `alignment` (a power of two, or 0 for none) that is not below `value`."""
    return (value + alignment - 1) & -alignment if alignment > 1 else value


_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "*": lambda a, b: a * b,
    "/": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "<<": lambda a, b: a << b if b < 64 else 0,
    ">>": lambda a, b: a >> b,
    "<": lambda a, b: int(a < b),
    ">": lambda a, b: int(a > b),
    "<=": lambda a, b: int(a <= b),
    ">=": lambda a, b: int(a >= b),
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "&": lambda a, b: a & b,
    "^": lambda a, b: a ^ b,
    "|": lambda a, b: a | b,
    "&&": lambda a, b: int(a != 0 and b != 0),
    "||": lambda a, b: int(a != 0 or b != 0),
}


def evaluate(expression: Expression, scope: Scope) -> Value:
    """The value of `expression`; raises `EvaluationError` where it has none."""
    match expression:
        case Number(value):
            return Value(value & MASK)
        case Name(name, position):
            return scope.symbol(name, position)
        case Unary(operator, operand):
            number = evaluate(operand, scope).number
            changed = {"-": -number, "+": number, "~": ~number, "!": int(number == 0)}[operator]
            return Value(changed & MASK)
        case Conditional(condition, if_true, if_false):
            return evaluate(if_true if evaluate(condition, scope).number else if_false, scope)
        case Binary():
            return _binary(expression, scope)
        case Call():
            return _call(expression, scope)


def _binary(expression: Binary, scope: Scope) -> Value:
    left, right = evaluate(expression.left, scope), evaluate(expression.right, scope)
    operator = expression.operator
    if operator == "+":
        section = left.section if left.section is not None else right.section
        return Value((left.number + right.number) & MASK, section)
    if operator == "-":
        difference = (left.number - right.number) & MASK
        return Value(difference, None if right.section is not None else left.section)
    if operator in "/%" and right.number == 0:
        raise EvaluationError("LNK002", "division by zero", "make the divisor non-zero", expression.position)
    # `.` rounded by a mask still moves with its section, as in lld.
    section = left.section if operator in ("&", "|") else None
    return Value(_ARITHMETIC[operator](left.number, right.number) & MASK, section)


def _call(call: Call, scope: Scope) -> Value:
    first, position = call.arguments[0], call.position
    if call.function in TAKES_NAME:
        assert isinstance(first, Name)
        if call.function == "DEFINED":
            return Value(int(scope.is_defined(first.name)))
        if call.function == "SIZEOF":
            return Value(scope.section_size(first.name, first.position))
        if call.function == "ADDR":
            return scope.section_address(first.name, first.position)
        return scope.section_load_address(first.name, first.position)
    values = [evaluate(argument, scope) for argument in call.arguments]
    if call.function == "ABSOLUTE":
        return Value(values[0].number)
    if call.function in ("MAX", "MIN"):
        pick = max if call.function == "MAX" else min
        return pick(values, key=lambda value: value.number)
    base = values[0] if len(values) == 2 else scope.symbol(".", position)
    alignment = values[-1].number
    if alignment & (alignment - 1):
        message = f"ALIGN needs a power of two, not {alignment:#x}"
        raise EvaluationError("LNK002", message, "align to 1, 2, 4, 8 and so on", position)
    return Value(align_up(base.number, alignment) & MASK, base.section)
