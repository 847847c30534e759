"""Runs one call in one way and says what it did, in a form that is the same for every way."""

from __future__ import annotations

from random import Random
from typing import Any

from compiler.host.faults import TrapError
from compiler.host.session import Session
from compiler.language import types as t
from compiler.program.program import Function
from tests.differential.arguments import Outcome, comparable, prepared, value


def argument_rows(random: Random, function: Function, count: int) -> list[tuple[Any, ...]]:
    """Random arguments for `count` calls of a function."""
    kinds = [kind for _, kind in function.signature.parameters if not isinstance(kind, t.ConstType)]
    return [tuple(value(random, kind) for kind in kinds) for _ in range(count)]


def outcome(session: Session, function: Function, row: tuple[Any, ...]) -> Outcome:
    """What the call does in this session, starting from the initial static objects."""
    session.reset_statics()
    mark = session.allocation_mark()
    try:
        kinds = [kind for _, kind in function.signature.parameters if not isinstance(kind, t.ConstType)]
        given = [prepared(session, kind, item) for kind, item in zip(kinds, row, strict=True)]
        try:
            result = comparable(session.call(function.symbol, *given))
        except TrapError as error:
            return Outcome(trap=(error.kind.name, error.span.file, error.span.line))
        statics = {
            item.symbol: comparable(session.static(item.symbol))
            for item in session.program.statics
            if item.mutable and session.has_static(item.symbol)
        }
        return Outcome(result, tuple(comparable(item) for item in given), statics)
    finally:
        session.release(mark)


def same(left: Outcome, right: Outcome) -> bool:
    """Whether two ways did the same, as far as both have the static objects."""
    both = left.statics.keys() & right.statics.keys()
    return (left.result, left.arguments, left.trap) == (right.result, right.arguments, right.trap) and all(
        left.statics[symbol] == right.statics[symbol] for symbol in both
    )
