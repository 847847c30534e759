"""Diagnostics of assembly blocks: what was wrong, what was found, where, and what to do.

Every check reports into one `Reporter`, so that a run shows all errors of a block; `AsmErrors` is the only exception
that leaves `compiler.asm` for a faulty block.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlockSource:
    """The text of a block and where it stands.

    `first_line` is the 1-based line of `file` that holds the first line of `text`.
    """

    name: str
    text: str
    file: str
    first_line: int


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a source file: line and column, both 1-based; column 0 means the whole line."""

    line: int
    column: int = 0


@dataclass(frozen=True, slots=True)
class AsmError:
    """One error: a code that docs/errors/CODE.md explains, a place, what was found, and what to do about it."""

    code: str
    file: str
    line: int
    column: int
    message: str
    note: str = ""
    fix: str = ""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: error[{self.code}]: {self.message}"
        if self.note:
            text += f"\n  note: {self.note}"
        if self.fix:
            text += f"\n  fix: {self.fix}"
        return text


class AsmErrors(Exception):
    """All errors of one block, in source order."""

    def __init__(self, errors: Sequence[AsmError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = tuple(errors)


class ResolveError(Exception):
    """Raised by a `resolve` callback for a binding that it cannot evaluate; the text is shown to the user."""


class Reporter:
    """Collects the errors of one block; the same error at the same place counts once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._errors: dict[AsmError, None] = {}

    def error(self, code: str, place: Place, message: str, *, note: str = "", fix: str = "") -> None:
        self._errors[AsmError(code, self._file, place.line, place.column, message, note, fix)] = None

    @property
    def found_any(self) -> bool:
        return bool(self._errors)

    def raise_if_any(self) -> None:
        if self._errors:
            raise AsmErrors(sorted(self._errors, key=lambda error: (error.line, error.column, error.code)))
