"""`explain CODE`: shows the page of an error code, docs/errors/CODE.md."""

import difflib
from pathlib import Path
from typing import Annotated

import typer

from compiler.cli import output
from compiler.driver.errors import ToolError
from compiler.driver.paths import ROOT

PAGES_FOLDER = Path("docs", "errors")


def explain(
    code: Annotated[str | None, typer.Argument(help="A code such as B201; without one, all are listed.")] = None,
) -> int:
    """Explain an error code: what it means, an example, how to mend it."""
    pages = {page.stem: page for page in sorted((ROOT / PAGES_FOLDER).glob("*.md"))}
    if code is None:
        output.show_table(["code", "meaning"], [(name, title(page)) for name, page in pages.items()])
        return 0
    page = pages.get(code.upper())
    if page is None:
        near = difflib.get_close_matches(code.upper(), pages, 3)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise ToolError("B106", f"there is no error code '{code}'", fix=hint + "./build.py explain lists all codes")
    output.show_markdown(page.read_text(encoding="utf-8"))
    return 0


def title(page: Path) -> str:
    """Return the first heading of a page, without its code."""
    with page.open(encoding="utf-8") as lines:
        heading = next(lines, "").lstrip("# ").strip()
    return heading.removeprefix(page.stem).lstrip(": ")
