"""Source files: their text, and from positions of Python's parser to spans.

Python's parser counts columns in UTF-8 bytes from 0, spans count characters from 1. A file is named in spans as the
project names it: relative to the directory that holds the top-level packages, with forward slashes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from compiler.program.nodes import Span


def split_lines(text: str) -> list[str]:
    """The lines of a text as Python's parser counts them: only newlines end a line, not form feeds and their kin."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


@dataclass(frozen=True)
class SourceFile:
    """A file of source: `path` is its name in spans and messages."""

    path: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        """Lines without their ends."""
        return split_lines(self.text)

    def span(self, node: ast.AST, end: ast.AST | None = None) -> Span:
        """Where `node` stands, up to the end of `end` when given. Nodes without a position give the file's start."""
        line = getattr(node, "lineno", 1)
        last = end or node
        end_line = getattr(last, "end_lineno", None) or line
        column = self._column(line, getattr(node, "col_offset", 0))
        end_column = self._column(end_line, getattr(last, "end_col_offset", None) or 0)
        return Span(self.path, line, column, end_line, end_column)

    def _column(self, line: int, byte_offset: int) -> int:
        if not 1 <= line <= len(self.lines):
            return 1
        text = self.lines[line - 1]
        if text.isascii():
            return byte_offset + 1
        return len(text.encode()[:byte_offset].decode(errors="ignore")) + 1


class SourceTexts:
    """Texts of the files that diagnostics speak of: the ones given, any other read from disk when first asked for."""

    def __init__(self, known: Iterable[SourceFile] = (), root: Path | None = None) -> None:
        self._root = root or Path()
        self._lines: dict[str, list[str]] = {file.path: file.lines for file in known}

    def line(self, file: str, number: int) -> str | None:
        """Line `number` (from 1) of a file, or None where there is no such line."""
        if file not in self._lines:
            try:
                self._lines[file] = split_lines((self._root / file).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                self._lines[file] = []
        lines = self._lines[file]
        return lines[number - 1] if 1 <= number <= len(lines) else None
