"""Why a program was rejected: in text on standard error, in JSON on standard output, status 1."""

import json
from typing import Any

import pytest
import typer

from compiler.cli.rejection import DiagnosticsForm, shown
from compiler.link.problems import LinkError, LinkProblem, SourcePosition
from compiler.program.nodes import Span
from compiler.syntax.diagnostics import CompileErrors, Diagnostic

SPAN = Span("compiler/__init__.py", 1, 1, 1, 4)
COMPILE_ERRORS = CompileErrors([Diagnostic("E0103", "lambda", SPAN, fix="write a function")])
LINK_ERROR = LinkError(
    [
        LinkProblem(
            "LNK013", "no such symbol", ("used by work",), "define it", SourcePosition("x.ld", 3, 5, "    y = z;")
        )
    ]
)


def rejected(error: Exception, form: DiagnosticsForm) -> int:
    with pytest.raises(typer.Exit) as caught, shown(form):
        raise error
    return caught.value.exit_code


@pytest.mark.parametrize("error", [COMPILE_ERRORS, LINK_ERROR])
def test_text(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert rejected(error, DiagnosticsForm.TEXT) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error[")
    assert " = help: " in said.err


def json_rows(error: Exception, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    assert rejected(error, DiagnosticsForm.JSON) == 1
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return rows


def test_json_of_the_compiler_and_of_the_linker_has_the_same_fields(capsys: pytest.CaptureFixture[str]) -> None:
    (from_compiler,) = json_rows(COMPILE_ERRORS, capsys)
    (from_linker,) = json_rows(LINK_ERROR, capsys)
    assert from_compiler.keys() == from_linker.keys()
    assert (from_compiler["code"], from_linker["code"]) == ("E0103", "LNK013")
    assert from_linker["range"] == {"start": {"line": 2, "character": 4}, "end": {"line": 2, "character": 4}}


def test_nothing_to_reject(capsys: pytest.CaptureFixture[str]) -> None:
    with shown(DiagnosticsForm.TEXT):
        pass
    with shown(DiagnosticsForm.JSON):
        pass
    assert capsys.readouterr().out == "[]\n"
