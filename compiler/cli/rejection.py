"""Shows why a program was rejected: text for people, JSON for editors."""

import json
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from compiler.cli import output
from compiler.driver.paths import ROOT

if TYPE_CHECKING:
    from compiler.inspect.stack import StackError
    from compiler.link.problems import LinkError
    from compiler.syntax.diagnostics import Diagnostic


class DiagnosticsForm(Enum):
    """How diagnostics are printed. JSON goes to standard output, an array also when it is empty."""

    TEXT = "text"
    JSON = "json"


DiagnosticsOption = Annotated[
    DiagnosticsForm, typer.Option("--diagnostics", help="How errors in programs are printed.")
]


@contextmanager
def shown(form: DiagnosticsForm) -> Generator[list["Diagnostic"]]:
    """Print why the compiler, the linker or the stack analysis rejects a program, and end the command with status 1.

    The body is given a list for warnings, which are printed when nothing is rejected.
    """
    from compiler.inspect.stack import StackError
    from compiler.link.problems import LinkError
    from compiler.syntax.diagnostics import CompileErrors

    warnings: list[Diagnostic] = []
    try:
        yield warnings
    except CompileErrors as errors:
        show_diagnostics(errors.diagnostics, form)
        raise typer.Exit(1) from None
    except (LinkError, StackError) as error:
        show_link_problems(error, form)
        raise typer.Exit(1) from None
    if warnings or form is DiagnosticsForm.JSON:
        show_diagnostics(warnings, form)


def show_diagnostics(diagnostics: Sequence["Diagnostic"], form: DiagnosticsForm) -> None:
    """Print all diagnostics: JSON on standard output, text with a line of counts on standard error."""
    from compiler.syntax import render
    from compiler.syntax.source import SourceTexts

    sources = SourceTexts(root=ROOT)
    if form is DiagnosticsForm.JSON:
        print(json.dumps(render.render_json(diagnostics, sources), indent=2))
        return
    text = render.render_text(diagnostics, sources, colour=output.has_colour(sys.stderr))
    print(text + render.summary(diagnostics), file=sys.stderr)


def show_link_problems(error: "LinkError | StackError", form: DiagnosticsForm) -> None:
    """Print all problems of a linked image, in JSON with the fields that diagnostics have."""
    if form is DiagnosticsForm.TEXT:
        print("\n\n".join(problem.render() for problem in error.problems), file=sys.stderr)
        return
    rows: list[dict[str, object]] = []
    for problem in error.problems:
        place = getattr(problem, "position", None)
        start = None if place is None else {"line": place.line - 1, "character": place.column - 1}
        rows.append(
            {
                "code": problem.code,
                "severity": "error",
                "message": problem.message,
                "file": None if place is None else place.path,
                "range": None if start is None else {"start": start, "end": start},
                "notes": [{"message": fact, "file": None, "range": None} for fact in problem.found],
                "fix": problem.fix or None,
            }
        )
    print(json.dumps(rows, indent=2))
