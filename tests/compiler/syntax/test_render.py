"""Rendering of diagnostics: exact text, carets under the right columns, JSON ranges, order and counts."""

import json
import re
import unicodedata

from compiler.program.nodes import Span
from compiler.syntax.diagnostics import CompileErrors, Diagnostic, DiagnosticSink, Note, Severity
from compiler.syntax.render import render_json, render_text, summary
from compiler.syntax.source import SourceFile, SourceTexts

SOURCE = SourceFile(
    "app/main.py",
    "def f(a: u32, b: i64) -> u32:\n"
    "    total = a + b\n"
    "\tmixed\t= 1\n"
    '    text = "日本é́" + a\n'
    "    long = (a\n"
    "        + b\n"
    "        + a\n"
    "        + b\n"
    "        + a)\n",
)
SOURCES = SourceTexts([SOURCE])


def span(line: int, column: int, end_column: int, end_line: int | None = None) -> Span:
    return Span("app/main.py", line, column, end_line or line, end_column)


def shown(found: Diagnostic) -> str:
    return render_text([found], SOURCES)


def test_text_with_note_and_help() -> None:
    found = Diagnostic(
        "E0301",
        "cannot add u32 and i64",
        span(2, 13, 18),
        (Note("a is u32"), Note("b is declared here", span(1, 15, 21))),
        "write i64(a) + b",
    )
    assert shown(found) == (
        "error[E0301]: cannot add u32 and i64\n"
        " --> app/main.py:2:13\n"
        "  |\n"
        "2 |     total = a + b\n"
        "  |             ^^^^^\n"
        "  = note: a is u32\n"
        "note: b is declared here\n"
        " --> app/main.py:1:15\n"
        "  |\n"
        "1 | def f(a: u32, b: i64) -> u32:\n"
        "  |               ------\n"
        "  = help: write i64(a) + b\n"
        "\n"
    )


def test_tabs_are_expanded_in_source_and_marks() -> None:
    assert shown(Diagnostic("E0100", "m", span(3, 8, 9))).splitlines()[3:] == [
        "3 |     mixed   = 1",
        "  |             ^",
        "",
    ]


def test_wide_and_combining_characters() -> None:
    line = SOURCE.lines[3]
    column = line.index("+") + 1
    source, marks = shown(Diagnostic("E0100", "m", span(4, column, column + 1))).splitlines()[3:5]
    columns = sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) == "W" else 1
        for character in source[: source.index("+")]
    )
    assert marks.index("^") == columns
    assert marks.count("^") == 1


def test_long_span_shows_its_ends() -> None:
    assert shown(Diagnostic("E0100", "m", span(5, 12, 13, end_line=9))).splitlines()[3:] == [
        "5 |     long = (a",
        "  |            ^^",
        "6 |         + b",
        "  |         ^^^",
        "...",
        "9 |         + a)",
        "  |         ^^^^",
        "",
    ]


def test_place_outside_the_text_and_no_place() -> None:
    assert shown(Diagnostic("E0100", "m", Span("gone.py", 3, 1, 3, 2))) == "error[E0100]: m\n --> gone.py:3:1\n\n"
    assert shown(Diagnostic("E0100", "m", None, fix="do\nthis")) == "error[E0100]: m\n  = help: do\n          this\n\n"
    past_the_end = shown(Diagnostic("E0100", "m", span(2, 18, 18)))
    assert past_the_end.splitlines()[4] == "  |" + " " * 18 + "^"


def test_colour_changes_nothing_but_escapes() -> None:
    found = Diagnostic("E0301", "[bold] is text", span(2, 13, 18), (Note("n"),), "h", Severity.WARNING)
    coloured = render_text([found], SOURCES, colour=True)
    assert "\x1b[" in coloured
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert "\n".join(line.rstrip() for line in plain.split("\n")) == shown(found)


def test_json_ranges_are_utf16() -> None:
    source = SourceFile("u.py", 'x = "😀" + y\n')
    column = source.lines[0].index("y") + 1
    found = Diagnostic("E0201", "m", Span("u.py", 1, column, 1, column + 1), (Note("n"),), "f")
    (entry,) = render_json([found], SourceTexts([source]))
    assert entry["range"] == {"start": {"line": 0, "character": 11}, "end": {"line": 0, "character": 12}}
    assert json.loads(json.dumps(entry)) == {
        "code": "E0201",
        "severity": "error",
        "message": "m",
        "file": "u.py",
        "range": entry["range"],
        "notes": [{"message": "n", "file": None, "range": None}],
        "fix": "f",
    }


def test_sink_orders_and_drops_repeats() -> None:
    sink = DiagnosticSink()
    sink.warning("W0101", "second", span(2, 1, 2))
    assert not sink.has_errors
    for _ in range(2):
        sink.error("E0301", "third", span(2, 5, 6))
        sink.error("E0302", "first", span(1, 9, 10))
    assert [found.message for found in sink.diagnostics] == ["first", "second", "third"]
    assert summary(sink.diagnostics) == "2 errors, 1 warning"
    assert summary([]) == "no errors"
    try:
        sink.raise_errors()
    except CompileErrors as errors:
        assert errors.diagnostics == sink.diagnostics
    else:
        raise AssertionError("raise_errors did not raise")


def test_spans_of_nodes_count_characters() -> None:
    import ast

    source = SourceFile("n.py", 'é = "日本"; b = é\n')
    statement = ast.parse(source.text).body[1]
    assert isinstance(statement, ast.Assign)
    assert source.span(statement.value) == Span("n.py", 1, 15, 1, 16)
