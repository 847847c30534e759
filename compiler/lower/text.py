"""LLVM IR as text: how types, names, constants and bytes are spelt.

A value of the typed program is held as a tuple of operands, one for each scalar it consists of, so that tuples,
slices and optionals never exist as aggregates inside a function.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TypeAlias

from compiler.program.types import Bool, Int, Pointer, ValueType, leaves

Value: TypeAlias = tuple[str, ...]
"""Operands of the scalars that a value consists of, in order."""

_PLAIN_NAME = re.compile(r"[-a-zA-Z$._][-a-zA-Z$._0-9]*")
_ESCAPES = [f"\\{byte:02X}" if byte < 0x20 or byte > 0x7E or byte in b'"\\' else chr(byte) for byte in range(256)]


@cache
def scalar_type(kind: ValueType) -> str:
    """The IR type of a scalar in a register."""
    match kind:
        case Int(bits, _):
            return f"i{bits}"
        case Bool():
            return "i1"
        case Pointer():
            return "ptr"
        case _:
            raise ValueError(f"{kind} is not a scalar")


@cache
def memory_type(kind: ValueType) -> str:
    """The IR type of a scalar in memory: a bool takes a byte."""
    return "i8" if isinstance(kind, Bool) else scalar_type(kind)


@cache
def result_type(kind: ValueType) -> str:
    """The IR type that a function returns for a result of this type."""
    parts = leaves(kind)
    if not parts:
        return "void"
    if len(parts) == 1:
        return scalar_type(parts[0])
    return "{ " + ", ".join(scalar_type(part) for part in parts) + " }"


def constant(kind: ValueType, value: int) -> str:
    """An int, bool or pointer constant as an operand."""
    match kind:
        case Bool():
            return "true" if value else "false"
        case Pointer():
            return f"inttoptr (i64 {_as_signed(value, 64)} to ptr)" if value else "null"
        case Int(bits, _):
            return str(_as_signed(value, bits))
        case _:
            raise ValueError(f"{kind} has no constants")


def _as_signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def escaped(data: bytes) -> str:
    """Bytes as the inside of a quoted IR string."""
    return "".join([_ESCAPES[byte] for byte in data])


@cache
def global_name(symbol: str) -> str:
    """A symbol as an IR name."""
    return "@" + _name(symbol)


def local_name(name: str) -> str:
    """A name of a value inside a function."""
    return "%" + _name(name)


def _name(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else f'"{escaped(name.encode())}"'


def bytes_constant(data: bytes) -> str:
    """Type and value of an array of bytes."""
    if not any(data):
        return f"[{len(data)} x i8] zeroinitializer"
    return f'[{len(data)} x i8] c"{escaped(data)}"'


def string(text: str) -> str:
    """A quoted metadata or attribute string."""
    return f'"{escaped(text.encode("utf-8", "replace"))}"'
