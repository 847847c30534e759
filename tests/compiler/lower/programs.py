"""Short ways to write typed programs by hand, so that lowering is tested without the front end."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.language import types as written
from compiler.program.nodes import (
    Assign,
    Binary,
    BinaryOp,
    Call,
    CheckedBinary,
    Compare,
    CompareOp,
    Constant,
    Conversion,
    Convert,
    Expression,
    Local,
    Overflow,
    ReadLocal,
    Return,
    Span,
    Statement,
    Unary,
    UnaryOp,
)
from compiler.program.program import Function, Program, Signature
from compiler.program.types import BOOL, U64, VOID, Int, Tuple, ValueType

FILE = "tests/sample.py"


def at(line: int, column: int = 1) -> Span:
    """A place in the sample file."""
    return Span(FILE, line, column, line, column + 1)


SPAN = at(1)


def local(name: str, kind: ValueType = U64) -> Local:
    """A source variable."""
    return Local(name, kind, name, "")


def number(value: int, kind: ValueType = U64) -> Constant:
    """A constant."""
    return Constant(kind, value)


def read(variable: Local) -> ReadLocal:
    """Its value."""
    return ReadLocal(variable)


def assign(variable: Local, value: Expression, line: int = 1) -> Assign:
    """Give it a value."""
    return Assign(variable, value, at(line))


def binary(
    op: BinaryOp, left: Expression, right: Expression, overflow: Overflow = Overflow.TRAP, line: int = 1
) -> Binary:
    """An operation of the left operand's type."""
    return Binary(op, left, right, left.type, overflow, at(line))


def checked(op: BinaryOp, left: Expression, right: Expression) -> CheckedBinary:
    """An operation that gives (value, fits)."""
    return CheckedBinary(op, left, right, Tuple((left.type, BOOL)), SPAN)


def unary(op: UnaryOp, operand: Expression) -> Unary:
    """An operation of the operand's type."""
    return Unary(op, operand, operand.type, SPAN)


def convert(kind: Conversion, operand: Expression, target: ValueType) -> Convert:
    """A conversion."""
    return Convert(kind, operand, target, SPAN)


def compare(op: CompareOp, left: Expression, right: Expression) -> Compare:
    """A comparison."""
    return Compare(op, left, right)


def call(function: Function, *arguments: Expression, line: int = 1) -> Call:
    """A direct call."""
    return Call(function, arguments, function.result, at(line))


def give(value: Expression | None = None, line: int = 1) -> Return:
    """Return."""
    return Return(value, at(line))


def written_type(kind: ValueType) -> written.Type:
    """The source type that a scalar comes from."""
    if isinstance(kind, Int):
        return written.INTEGERS[f"{'i' if kind.signed else 'u'}{kind.bits}"]
    return written.BOOL if kind == BOOL else written.U64


def function(
    symbol: str,
    parameters: Sequence[Local],
    result: ValueType,
    body: Sequence[Statement],
    variables: Sequence[Local] = (),
    *,
    exported: bool = False,
    no_inline: bool = False,
) -> Function:
    """A function of scalars."""
    signature = Signature(
        tuple((parameter.name, written_type(parameter.type)) for parameter in parameters),
        written.VOID if result == VOID else written_type(result),
    )
    return Function(
        symbol=symbol,
        source_name=symbol.rsplit(".", 1)[-1],
        module="sample",
        signature=signature,
        parameters=list(parameters),
        result=result,
        span=SPAN,
        body=tuple(body),
        locals=list(variables),
        exported=exported,
        no_inline=no_inline,
    )


def program(*functions: Function) -> Program:
    """A program whose exported functions are its entries."""
    return Program(name="sample", entries=[entry for entry in functions if entry.exported], functions=list(functions))
