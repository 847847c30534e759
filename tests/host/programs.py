"""Typed programs built by hand, so that the back ends can be tested without the front end."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.language import types as t
from compiler.program import nodes as n
from compiler.program.program import Function, Program, Signature, StackSlot, StaticObject, Table
from compiler.program.types import BOOL, I8, I16, I32, I64, POINTER, U8, U16, U32, U64, VOID, Int, ValueType

FILE = "sample.py"
_SOURCE_TYPES: dict[ValueType, t.Type] = {
    U8: t.U8,
    U16: t.U16,
    U32: t.U32,
    U64: t.U64,
    I8: t.I8,
    I16: t.I16,
    I32: t.I32,
    I64: t.I64,
    BOOL: t.BOOL,
    POINTER: t.U64,
    VOID: t.VOID,
}


def at(line: int, column: int = 5) -> n.Span:
    """A place in the sample source."""
    return n.Span(FILE, line, column, line, column + 5)


def source_type(kind: ValueType) -> t.Type:
    """A dialect type whose values are of a value type."""
    return _SOURCE_TYPES[kind]


def function(
    name: str,
    parameters: Sequence[n.Local],
    result: ValueType,
    body: Sequence[n.Statement],
    *,
    signature_result: t.Type | None = None,
    slots: Sequence[StackSlot] = (),
) -> Function:
    """A function of the module `sample` whose source types follow from its value types."""
    kinds = tuple((parameter.name, source_type(parameter.type)) for parameter in parameters)
    declared = Signature(kinds, signature_result or source_type(result))
    return Function(
        symbol=f"sample.{name}",
        source_name=name,
        module="sample",
        signature=declared,
        parameters=list(parameters),
        result=result,
        span=at(1),
        body=tuple(body),
        slots=list(slots),
    )


def program(*functions: Function, statics: Sequence[StaticObject] = (), tables: Sequence[Table] = ()) -> Program:
    """A program of these functions."""
    return Program("sample", list(functions), list(functions), list(statics), list(tables))


def local(name: str, kind: ValueType) -> n.Local:
    """A source variable."""
    return n.Local(name, kind, name)


def read(variable: n.Local) -> n.ReadLocal:
    """Its value."""
    return n.ReadLocal(variable)


def number(kind: ValueType, value: int) -> n.Constant:
    """A constant."""
    return n.Constant(kind, value)


def binary_function(op: n.BinaryOp, kind: Int, overflow: n.Overflow = n.Overflow.TRAP) -> Function:
    """`def f(a, b): return a op b`, the shift count of a shift being u64."""
    shift = op in (n.BinaryOp.SHL, n.BinaryOp.SHR, n.BinaryOp.ROTATE_LEFT, n.BinaryOp.ROTATE_RIGHT)
    a, b = local("a", kind), local("b", U64 if shift else kind)
    value = n.Binary(op, read(a), read(b), kind, overflow, at(2, 12))
    return function("f", [a, b], kind, [n.Return(value, at(2))])
