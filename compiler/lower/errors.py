"""The error that lowering reports instead of letting LLVM abort the process."""

from __future__ import annotations

from compiler.program.nodes import Span


class LowerError(Exception):
    """A typed program that cannot become machine code: what was wrong, where (`span`, if known), what to do."""

    def __init__(self, message: str, span: Span | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.span = span

    def __reduce__(self) -> tuple[type[LowerError], tuple[str, Span | None]]:
        return LowerError, (self.message, self.span)
