"""The four ways to run a program, and what a call does in each, in a form that can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from compiler.check.ranges import remove_proven_checks
from compiler.host.faults import TrapError
from compiler.host.interpreter import Interpreter
from compiler.host.native import Native
from compiler.host.session import Session
from compiler.language import types as t
from compiler.lower import Optimisation, TargetOptions
from compiler.program.program import Function, Program
from tests.differential.arguments import Outcome, comparable, prepared, value
from tests.emulated.session import Emulated

PLAIN = TargetOptions(debug_info=False)
LIKE_IMAGES = TargetOptions(debug_info=False, pac=True, bti=True, strict_align=True, lse=True)


def four_ways(program: Program, options: TargetOptions = PLAIN) -> dict[str, Session]:
    """The program under CPython, as native code of the host, and for AArch64 at O0 and O2.

    The last one as release builds make it, without the checks that range analysis proves: that comes after the others
    are made, because it changes the program.
    """
    ways: dict[str, Session] = {
        "CPython": Interpreter(program),
        "native": Native(program),
        "AArch64 O0": Emulated(program, replace(options, optimisation=Optimisation.DEBUG)),
    }
    remove_proven_checks(program)
    ways["AArch64 O2"] = Emulated(program, replace(options, optimisation=Optimisation.SPEED))
    return ways


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
        statics = {symbol: comparable(session.static(symbol)) for symbol in session.changed_statics()}
        return Outcome(result, tuple(comparable(item) for item in given), statics)
    finally:
        session.release(mark)


def same(left: Outcome, right: Outcome, known: Iterable[str]) -> bool:
    """Whether two ways did the same to results, arguments and the `known` static objects, which both have."""
    return (left.result, left.arguments, left.trap) == (right.result, right.arguments, right.trap) and all(
        left.statics.get(symbol) == right.statics.get(symbol) for symbol in known
    )


def mismatches(ways: Mapping[str, Session], function: Function, rows: Iterable[tuple[Any, ...]]) -> list[str]:
    """Calls on which the ways differ, each as a text that says what every way did."""
    found: list[str] = []
    statics = next(iter(ways.values())).program.statics
    common = [item.symbol for item in statics if all(session.has_static(item.symbol) for session in ways.values())]
    for row in rows:
        outcomes = {name: outcome(session, function, row) for name, session in ways.items()}
        first = next(iter(outcomes.values()))
        if not all(same(first, other, common) for other in outcomes.values()):
            told = "\n".join(f"    {name:10} {what}" for name, what in outcomes.items())
            found.append(f"{function.symbol}{row!r}:\n{told}")
    return found
