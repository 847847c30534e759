"""Diagnostics: what the compiler has to say about a program, collected so that one run reports everything.

A diagnostic has a code (`compiler.syntax.codes`), a message that says what was wrong and what was found, the place,
notes that explain or point elsewhere, and where there is one a fix. The sink drops exact repeats and hands its
diagnostics out in order of file, line and column, so that the output depends on the source alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from compiler.program.nodes import Span


class Severity(Enum):
    """An error stops the build; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Note:
    """More about a diagnostic; with a span it shows another place in the source."""

    message: str
    span: Span | None = None


@dataclass(frozen=True)
class Diagnostic:
    """One finding. `fix` completes "help: ..." and says what to write instead; `span` None concerns no one place."""

    code: str
    message: str
    span: Span | None
    notes: tuple[Note, ...] = ()
    fix: str | None = None
    severity: Severity = Severity.ERROR


class CompileErrors(Exception):
    """The program was rejected. `diagnostics` are in order and hold at least one error."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("; ".join(f"{found.code}: {found.message}" for found in diagnostics))
        self.diagnostics = tuple(diagnostics)

    def __reduce__(self) -> tuple[type[CompileErrors], tuple[tuple[Diagnostic, ...]]]:
        return CompileErrors, (tuple(self.diagnostics),)


class DiagnosticSink:
    """Collects diagnostics during a run."""

    def __init__(self) -> None:
        self._found: dict[Diagnostic, None] = {}

    def error(
        self, code: str, message: str, span: Span | None, *, notes: Sequence[Note] = (), fix: str | None = None
    ) -> None:
        """Report something that stops the build."""
        self.add(Diagnostic(code, message, span, tuple(notes), fix))

    def warning(
        self, code: str, message: str, span: Span | None, *, notes: Sequence[Note] = (), fix: str | None = None
    ) -> None:
        """Report something that does not stop the build."""
        self.add(Diagnostic(code, message, span, tuple(notes), fix, Severity.WARNING))

    def add(self, found: Diagnostic) -> None:
        """Take a diagnostic made elsewhere; one equal to an earlier one is dropped."""
        self._found.setdefault(found)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Everything reported, in order of file, line, column; those without a place come first."""
        return tuple(sorted(self._found, key=_position))

    @property
    def has_errors(self) -> bool:
        """Whether anything reported stops the build."""
        return any(found.severity is Severity.ERROR for found in self._found)

    def raise_errors(self) -> None:
        """Raise CompileErrors with everything reported when any of it is an error."""
        if self.has_errors:
            raise CompileErrors(self.diagnostics)


def _position(found: Diagnostic) -> tuple[str, int, int, int, int, str]:
    span = found.span
    if span is None:
        return ("", 0, 0, 0, 0, found.code)
    return (span.file, span.line, span.column, span.end_line, span.end_column, found.code)
