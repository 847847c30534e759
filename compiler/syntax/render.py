"""How diagnostics are shown: text with the source line and carets, JSON for editors, and a line of counts.

Text is plain unless colour is asked for, and the same input gives the same bytes. Carets stand under the exact columns
also where the line holds tabs, wide or combining characters. Ranges in JSON are those of the Language Server Protocol:
lines and columns from 0, columns in UTF-16 units.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from compiler.program.nodes import Span
from compiler.syntax.diagnostics import Diagnostic, Severity
from compiler.syntax.source import SourceTexts

TAB_WIDTH = 4
_SHOWN_LINES = 4
_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow"}
_GUTTER_STYLE = "bold blue"
_NOTE_STYLE = "bold cyan"


@dataclass(frozen=True)
class _Piece:
    """Some text in one style."""

    text: str
    style: str = ""


_Line = list[_Piece]


def render_text(diagnostics: Iterable[Diagnostic], sources: SourceTexts, *, colour: bool = False) -> str:
    """The diagnostics as text, a blank line after each; with `colour`, ANSI escapes for a terminal."""
    lines: list[_Line] = []
    for found in diagnostics:
        lines += [*_diagnostic(found, sources), []]
    if not colour:
        return "".join("".join(piece.text for piece in line).rstrip() + "\n" for line in lines)
    console = Console(force_terminal=True, color_system="standard", width=10_000, highlight=False, legacy_windows=False)
    with console.capture() as capture:
        for line in lines:
            console.print(Text.assemble(*((piece.text, piece.style) for piece in line)), soft_wrap=True)
    return capture.get()


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """One line of counts: `2 errors, 1 warning`."""
    counts = [
        (sum(found.severity is severity for found in diagnostics), severity.value)
        for severity in (Severity.ERROR, Severity.WARNING)
    ]
    parts = [f"{count} {name}{'' if count == 1 else 's'}" for count, name in counts if count]
    return ", ".join(parts) or "no errors"


def render_json(diagnostics: Iterable[Diagnostic], sources: SourceTexts) -> list[dict[str, object]]:
    """The diagnostics as objects that `json.dumps` takes; field names follow the Language Server Protocol."""
    return [
        {
            "code": found.code,
            "severity": found.severity.value,
            "message": found.message,
            **_location(found.span, sources),
            "notes": [{"message": note.message, **_location(note.span, sources)} for note in found.notes],
            "fix": found.fix,
        }
        for found in diagnostics
    ]


def _location(span: Span | None, sources: SourceTexts) -> dict[str, object]:
    if span is None:
        return {"file": None, "range": None}
    start = {"line": span.line - 1, "character": _utf16_column(sources.line(span.file, span.line), span.column)}
    end = {
        "line": span.end_line - 1,
        "character": _utf16_column(sources.line(span.file, span.end_line), span.end_column),
    }
    return {"file": span.file, "range": {"start": start, "end": end}}


def _utf16_column(line: str | None, column: int) -> int:
    if line is None:
        return column - 1
    return len(line[: column - 1].encode("utf-16-le", errors="surrogatepass")) // 2


def _diagnostic(found: Diagnostic, sources: SourceTexts) -> list[_Line]:
    style = _STYLES[found.severity]
    gutter = max([_gutter_width(span, sources) for span in _spans(found)] or [1])
    lines: list[_Line] = [
        [_Piece(f"{found.severity.value}[{found.code}]", style), _Piece(f": {found.message}", "bold")]
    ]
    if found.span is not None:
        lines += _snippet(found.span, sources, gutter, "^", style)
    for note in found.notes:
        if note.span is None:
            lines += _remark("note", note.message, gutter)
    for note in found.notes:
        if note.span is not None:
            lines.append([_Piece("note", _NOTE_STYLE), _Piece(f": {note.message}")])
            lines += _snippet(note.span, sources, gutter, "-", _NOTE_STYLE)
    if found.fix is not None:
        lines += _remark("help", found.fix, gutter)
    return lines


def _spans(found: Diagnostic) -> list[Span]:
    return [span for span in (found.span, *(note.span for note in found.notes)) if span is not None]


def _gutter_width(span: Span, sources: SourceTexts) -> int:
    last = span.end_line if sources.line(span.file, span.end_line) is not None else span.line
    return len(str(last))


def _remark(kind: str, message: str, gutter: int) -> list[_Line]:
    """`= help: text`; further lines of the text are aligned with its first."""
    indent = " " * (gutter + 1)
    first, *rest = message.split("\n")
    lines: list[_Line] = [[_Piece(f"{indent}= ", _GUTTER_STYLE), _Piece(kind, "bold"), _Piece(f": {first}")]]
    return lines + [[_Piece(f"{indent}{' ' * (len(kind) + 4)}{text}")] for text in rest]


def _snippet(span: Span, sources: SourceTexts, gutter: int, mark: str, style: str) -> list[_Line]:
    """Where it is, the source, and the marks under it; the place alone where the source cannot be read."""
    indent = " " * gutter
    lines: list[_Line] = [[_Piece(f"{indent}--> ", _GUTTER_STYLE), _Piece(f"{span.file}:{span.line}:{span.column}")]]
    if sources.line(span.file, span.line) is None:
        return lines
    lines.append([_Piece(f"{indent} |", _GUTTER_STYLE)])
    for number in _shown_lines(span):
        text = sources.line(span.file, number) if number is not None else None
        if number is None or text is None:
            lines.append([_Piece("...", _GUTTER_STYLE)])
            continue
        lines.append([_Piece(f"{number:>{gutter}} | ", _GUTTER_STYLE), _Piece(_display(text))])
        before, marked = _extent(span, number, text)
        lines.append([_Piece(f"{indent} | ", _GUTTER_STYLE), _Piece(" " * before + mark * marked, style)])
    return lines


def _shown_lines(span: Span) -> list[int | None]:
    """Line numbers to show; None where lines are left out of a long span."""
    count = span.end_line - span.line + 1
    if count <= _SHOWN_LINES:
        return list(range(span.line, span.end_line + 1))
    return [span.line, span.line + 1, None, span.end_line]


def _extent(span: Span, number: int, text: str) -> tuple[int, int]:
    """Display columns before the marks and under them, on line `number` of the span; at least one mark."""
    leading = len(text) - len(text.lstrip())
    start = span.column - 1 if number == span.line else leading
    end = span.end_column - 1 if number == span.end_line else len(text.rstrip())
    before = _width(text, 0, start)
    return before, max(_width(text, 0, max(end, start)) - before, 1)


def _display(text: str) -> str:
    """The line as shown: tabs to their stops, control characters made visible."""
    shown = ""
    width = 0
    for character in text:
        step = _character_width(character, width)
        shown += " " * step if character == "\t" else _visible(character)
        width += step
    return shown


def _visible(character: str) -> str:
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in ("Cc", "Cs") else character


def _width(text: str, start: int, end: int) -> int:
    """Columns that text[start:end] takes on a terminal; a place past the end counts as a space each."""
    width = 0
    for character in text[start:end]:
        width += _character_width(character, width)
    return width + max(0, end - max(len(text), start))


def _character_width(character: str, column: int) -> int:
    if character == "\t":
        return TAB_WIDTH - column % TAB_WIDTH
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
