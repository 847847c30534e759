"""Shows why a program was rejected: text for people, JSON for editors."""

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from compiler.cli import output
from compiler.driver.paths import ROOT

if TYPE_CHECKING:
    from compiler.syntax.diagnostics import CompileErrors


class DiagnosticsForm(Enum):
    """How diagnostics are printed. JSON goes to standard output, an array also when it is empty."""

    TEXT = "text"
    JSON = "json"


DiagnosticsOption = Annotated[
    DiagnosticsForm, typer.Option("--diagnostics", help="How errors in programs are printed.")
]


@contextmanager
def shown(form: DiagnosticsForm) -> Generator[None]:
    """Print the diagnostics of a program that is rejected in the body, and end the command with status 1."""
    from compiler.syntax.diagnostics import CompileErrors

    try:
        yield
    except CompileErrors as errors:
        show(errors, form)
        raise typer.Exit(1) from None
    if form is DiagnosticsForm.JSON:
        print("[]")


def show(errors: "CompileErrors", form: DiagnosticsForm) -> None:
    """Print all diagnostics: JSON on standard output, text with a line of counts on standard error."""
    from compiler.syntax import render
    from compiler.syntax.source import SourceTexts

    sources = SourceTexts(root=ROOT)
    if form is DiagnosticsForm.JSON:
        print(json.dumps(render.render_json(errors.diagnostics, sources), indent=2))
        return
    text = render.render_text(errors.diagnostics, sources, colour=output.has_colour(sys.stderr))
    print(text + render.summary(errors.diagnostics), file=sys.stderr)
