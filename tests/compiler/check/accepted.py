"""Programs that the front end accepts, run by the interpreter: source in, results or traps out."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

from compiler.check import check_source
from compiler.check.verify import verify
from compiler.host import Interpreter, TrapError
from compiler.program.nodes import TrapKind
from compiler.program.program import Function, Program

_HEAD = "from __future__ import annotations\nfrom compiler.language import *\n"


def accept(source: str, *entries: str) -> Program:
    """The verified typed program of dialect source; without entries, of its function `main`."""
    program = check_source(_HEAD + dedent(source), entries or ["main"])
    verify(program, "the front end")
    return program


def find(program: Program, name: str = "main") -> Function:
    """A function by its source name."""
    return next(function for function in program.functions if function.source_name == name)


class Running:
    """A program under the interpreter."""

    def __init__(self, source: str, *entries: str) -> None:
        self.program = accept(source, *entries)
        self.machine = Interpreter(self.program)

    def __call__(self, *arguments: Any, entry: str = "main") -> Any:
        """The result of a call."""
        return self.machine.call(f"program.{entry}", *arguments)

    def trap(self, *arguments: Any, entry: str = "main") -> tuple[TrapKind, int]:
        """The check that stops a call: its kind, and the line counted from the first of the source given."""
        try:
            found = self(*arguments, entry=entry)
        except TrapError as error:
            return error.kind, error.span.line - _HEAD.count("\n")
        raise AssertionError(f"no trap: the call gave {found!r}")


def run(source: str, *arguments: Any) -> Any:
    """The result of `main(arguments)`."""
    return Running(source)(*arguments)
