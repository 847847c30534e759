"""Names and sizes that LLVM would answer with an abort, found before it sees them."""

from __future__ import annotations

import re

from compiler.lower.errors import LowerError
from compiler.program.nodes import Span
from compiler.program.program import Function, Program, StaticObject

HIGHEST_ALIGN = 1 << 21
HIGHEST_STATIC_SIZE = 1 << 32
_SECTION_NAME = re.compile(r"[A-Za-z0-9_.$][A-Za-z0-9_.$-]*")


def check_program(program: Program) -> None:
    """Raises LowerError for the first thing that cannot be placed in an object file."""
    defined: dict[str, Span | None] = {}
    for function in program.functions:
        check_symbol(function.symbol, function.span)
        _check_section(function.section, function.span)
        if not function.extern:
            _define(defined, function.symbol, function.span)
    for static in program.statics:
        check_symbol(static.symbol, static.span)
        _check_section(static.section, static.span)
        _check_static(static)
        _define(defined, static.symbol, static.span)
    for table in program.tables:
        check_symbol(table.symbol, table.span)
        _define(defined, table.symbol, table.span)
    _check_extern(program)


def check_symbol(symbol: str, span: Span | None) -> None:
    """A symbol must not be empty, hold control characters, or be a name that LLVM gives a meaning."""
    if not symbol or not symbol.isprintable():
        raise LowerError(f"{symbol!r} cannot be the name of a symbol", span)
    if symbol.startswith("llvm."):
        raise LowerError(f"{symbol!r}: names that begin with 'llvm.' are LLVM's own; choose another", span)


def _define(defined: dict[str, Span | None], symbol: str, span: Span | None) -> None:
    if symbol in defined:
        other = defined[symbol]
        place = f", first at {other.file}:{other.line}" if other is not None else ""
        raise LowerError(f"symbol {symbol!r} is defined twice{place}", span)
    defined[symbol] = span


def _check_section(section: str | None, span: Span | None) -> None:
    if section is not None and not _SECTION_NAME.fullmatch(section):
        raise LowerError(f"{section!r} cannot be the name of a section; use letters, digits, '.', '_'", span)


def _check_static(static: StaticObject) -> None:
    if static.align < 1 or static.align & (static.align - 1) or static.align > HIGHEST_ALIGN:
        raise LowerError(
            f"{static.symbol}: alignment {static.align} is not a power of two up to {HIGHEST_ALIGN}", static.span
        )
    if not 0 <= static.size <= HIGHEST_STATIC_SIZE or len(static.data) > static.size:
        raise LowerError(f"{static.symbol}: {static.size} bytes cannot be placed", static.span)
    end = 0
    for relocation in sorted(static.relocations, key=lambda relocation: relocation.offset):
        if relocation.offset < end or relocation.offset + 8 > static.size:
            raise LowerError(f"{static.symbol}: pointer at offset {relocation.offset} does not fit", static.span)
        end = relocation.offset + 8


def _check_extern(program: Program) -> None:
    shapes: dict[str, tuple[Function, object]] = {}
    for function in program.functions:
        shape = (tuple(parameter.type for parameter in function.parameters), function.result)
        known, known_shape = shapes.setdefault(function.symbol, (function, shape))
        if known_shape != shape:
            raise LowerError(
                f"{function.symbol!r} is declared with other types than at {known.span.file}:{known.span.line}",
                function.span,
            )
