"""Messages: f-strings given to a parameter of type Format.

The text, with a two-byte placeholder for each value (see `compiler.language.functions.format_text`), lies in read-only
memory; the values are stored to the caller's stack as u64. What is known at build time becomes text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from compiler.check import places
from compiler.check.constants import NULL, describe, own_type, u64_constant
from compiler.check.context import FunctionChecker
from compiler.check.numbers import Rule, arguments
from compiler.check.values import Known, Result, Value, value_type
from compiler.language import functions
from compiler.language.types import (
    FORMAT,
    STR,
    U64,
    ArrayType,
    BitsType,
    BoolType,
    DistinctType,
    EnumType,
    FormatType,
    IntType,
    OptionalType,
    PtrType,
    ResultType,
    SliceType,
    StrType,
    Type,
)
from compiler.program import types as value_types
from compiler.program.nodes import (
    Assign,
    Conversion,
    Convert,
    Expression,
    MakeTuple,
    ReadLocal,
    Sequence,
    SlotAddress,
    StaticAddress,
    TupleElement,
)

_SPEC = re.compile(r"(?P<prefix>#?)(?P<zero>0?)(?P<width>[1-9][0-9]*)?(?P<kind>[dxc]?)\Z")
_DECIMAL, _SIGNED, _HEX_PREFIXED, _HEX, _STRING, _CHARACTER, _BOOL = range(1, 8)
_PREFIX_WIDTH = len("0x")
_WIDEST = 0x7F
_ZERO_FILL = 0x80
_FIRST_LITERAL = 0x08


@dataclass(frozen=True)
class Spec:
    """A format specification."""

    kind: str
    prefix: bool
    zero: bool
    width: int


def f_string(fn: FunctionChecker, node: ast.JoinedStr, expected: Type | None) -> Result:
    """An f-string where a message is wanted; elsewhere only one that is known at build time."""
    text = bytearray()
    values: list[Expression] = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            _literal(fn, str(part.value).encode(), part, text)
        elif isinstance(part, ast.FormattedValue):
            _value(fn, part, text, values)
    if not isinstance(expected, FormatType):
        if not values:
            return Known(text.decode())
        fix = "give it to a parameter of type Format, such as a console's"
        fn.fail("E0129", "there are no strings made at run time", node, fix=fix)
    held = value_type(FORMAT)
    assert isinstance(held, value_types.Tuple)
    address: Expression = StaticAddress(fn.program.string(bytes(text))) if text else NULL
    if not values:
        return Value(FORMAT, MakeTuple((address, u64_constant(len(text)), NULL, u64_constant(0)), held))
    slot = fn.new_slot(ArrayType(f"Array[u64, {len(values)}]", U64, len(values)))
    span = fn.span(node)
    with fn.block() as block:
        for index, value in enumerate(values):
            place = places.Place(U64, places.offset(SlotAddress(slot), 8 * index), 8)
            for statement in places.store(fn, place, Value(U64, value), span):
                fn.emit(statement)
    made = MakeTuple((address, u64_constant(len(text)), SlotAddress(slot), u64_constant(len(values))), held)
    return Value(FORMAT, Sequence(tuple(block), made), local=True)


def _literal(fn: FunctionChecker, data: bytes, node: ast.AST, text: bytearray) -> None:
    if any(byte < _FIRST_LITERAL for byte in data):
        fn.fail("E0329", "a message cannot hold control characters below 0x08", node)
    text += data


def _spec(fn: FunctionChecker, part: ast.FormattedValue) -> Spec:
    if part.conversion != -1:
        fn.fail("E0329", f"`!{chr(part.conversion)}` does not exist at run time", part, fix="remove it")
    if part.format_spec is None:
        return Spec("", False, False, 0)
    pieces = part.format_spec.values if isinstance(part.format_spec, ast.JoinedStr) else []
    raw = "".join(str(piece.value) for piece in pieces if isinstance(piece, ast.Constant))
    found = _SPEC.match(raw)
    if found is None or not all(isinstance(piece, ast.Constant) for piece in pieces):
        shown = ast.unparse(part.format_spec)[2:-1] if raw == "" else raw
        fix = "`d`, `x`, `#x`, `c`, with a width such as `#018x`, `08x`, `5`"
        fn.fail("E0329", f"`{shown}` is not a format of the dialect", part, fix=fix)
    return Spec(found["kind"], bool(found["prefix"]), bool(found["zero"]), int(found["width"] or 0))


def _value(fn: FunctionChecker, part: ast.FormattedValue, text: bytearray, values: list[Expression]) -> None:
    spec = _spec(fn, part)
    result = fn.expression(part.value)
    if isinstance(result, Known):
        _known(fn, result, part, text)
        return
    value = fn.run_time(result, part.value)
    kind, width, nodes = _placeholder(fn, value, spec, part)
    if width > _WIDEST:
        fn.fail("E0329", f"a width is at most {_WIDEST}, found {width}", part)
    text += bytes((kind, width | (_ZERO_FILL if spec.zero else 0)))
    values.extend(nodes)


def _known(fn: FunctionChecker, known: Known, part: ast.FormattedValue, text: bytearray) -> None:
    """A build-time value becomes text, as it would at run time."""
    spec = ast.unparse(part.format_spec)[2:-1] if part.format_spec is not None else ""
    found = known.object
    kind = own_type(known)
    if isinstance(kind, BoolType):
        shown: Any = "true" if found else "false"
    elif isinstance(kind, EnumType):
        shown = int(found.value)
    elif isinstance(kind, DistinctType | BitsType):
        shown, spec = int(found.raw), spec or "#x"
    elif isinstance(found, str) or (isinstance(found, int) and not isinstance(found, bool)):
        shown = found
    else:
        fn.fail("E0329", f"{describe(known)} has no text in a message", part)
    try:
        _literal(fn, format(shown, spec).encode(), part, text)
    except (ValueError, OverflowError) as error:
        fn.fail("E0329", f"`{ast.unparse(part)}`: {error}", part)


def _placeholder(
    fn: FunctionChecker, value: Value, spec: Spec, part: ast.FormattedValue
) -> tuple[int, int, list[Expression]]:
    """Kind, width in digits and values of a placeholder."""
    kind = value.type
    if isinstance(kind, StrType):
        _demand_kind(fn, spec, ("",), kind, part)
        local = fn.temporary(value.node.type)
        assign = Assign(local, value.node, fn.span(part))
        address = TupleElement(Sequence((assign,), ReadLocal(local)), 0, value_types.POINTER)
        number = Convert(Conversion.POINTER_TO_INT, address, value_types.U64, fn.span(part))
        return _STRING, spec.width, [number, TupleElement(ReadLocal(local), 1, value_types.U64)]
    if isinstance(kind, BoolType):
        _demand_kind(fn, spec, ("",), kind, part)
        return _BOOL, spec.width, [Convert(Conversion.BOOL_TO_INT, value.node, value_types.U64, fn.span(part))]
    if isinstance(kind, PtrType):
        number = Convert(Conversion.POINTER_TO_INT, value.node, value_types.U64, fn.span(part))
        return _number(fn, Value(U64, number), U64, Spec(spec.kind or "x", True, spec.zero, spec.width), part)
    if isinstance(kind, DistinctType | BitsType) and spec.kind == "":
        return _number(fn, value, kind.base, Spec("x", True, spec.zero, spec.width), part)
    if isinstance(kind, DistinctType | BitsType | EnumType):
        return _number(fn, value, kind.base, spec, part)
    if isinstance(kind, IntType):
        return _number(fn, value, kind, spec, part)
    fix = None
    if isinstance(kind, OptionalType | ResultType):
        fix = f"test `{fn.text(part.value)}` first"
    elif isinstance(kind, SliceType):
        fix = "`string_at(...)` when the bytes are text"
    return fn.fail("E0329", f"`{fn.text(part.value)}` is {kind.name}, which has no text in a message", part, fix=fix)


def _demand_kind(
    fn: FunctionChecker, spec: Spec, allowed: tuple[str, ...], kind: Type, part: ast.FormattedValue
) -> None:
    if spec.kind not in allowed or spec.prefix or spec.zero:
        fn.fail("E0329", f"{kind.name} takes a width only", part)


def _number(
    fn: FunctionChecker, value: Value, kind: IntType, spec: Spec, part: ast.FormattedValue
) -> tuple[int, int, list[Expression]]:
    span = fn.span(part)
    node = value.node
    if kind.signed:
        wide = node if kind.bits == 64 else Convert(Conversion.WIDEN, node, value_types.I64, span)
        node = Convert(Conversion.TRUNCATE, wide, value_types.U64, span)
    elif kind.bits != 64:
        node = Convert(Conversion.WIDEN, node, value_types.U64, span)
    if spec.kind == "x":
        if kind.signed:
            fix = f"`truncate(u{kind.bits}, {fn.text(part.value)})`"
            fn.fail("E0329", "a signed number has no hexadecimal form", part, fix=fix)
        width = max(spec.width - _PREFIX_WIDTH, 0) if spec.prefix else spec.width
        return (_HEX_PREFIXED if spec.prefix else _HEX), width, [node]
    if spec.prefix:
        fn.fail("E0329", "`#` goes with `x` only", part)
    if spec.kind == "c":
        return _CHARACTER, spec.width, [node]
    return (_SIGNED if kind.signed else _DECIMAL), spec.width, [node]


def format_text(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`format_text(message)`."""
    return _half(fn, node, "format_text", 0, STR)


def format_values(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`format_values(message)`."""
    return _half(fn, node, "format_values", 2, SliceType("Slice[u64]", U64))


def _half(fn: FunctionChecker, node: ast.Call, name: str, first: int, kind: Type) -> Value:
    (tree,) = arguments(fn, node, 1, name)
    message = fn.value(tree, FORMAT)

    def build(whole: Expression) -> Expression:
        address = TupleElement(whole, first, value_types.POINTER)
        return MakeTuple((address, TupleElement(whole, first + 1, value_types.U64)), value_types.SLICE)

    return Value(kind, fn.once(message.node, build), 8, message.local, readonly=True)


RULES: Mapping[Any, Rule] = {functions.format_text: format_text, functions.format_values: format_values}
