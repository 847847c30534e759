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
    pages = all_pages()
    if code is None:
        output.show_table(["code", "meaning"], [(name, title(name, text)) for name, text in pages.items()])
        return 0
    text = pages.get(code.upper())
    if text is None:
        near = difflib.get_close_matches(code.upper(), pages, 3)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise ToolError("B106", f"there is no error code '{code}'", fix=hint + "./build.py explain lists all codes")
    output.show_markdown(text)
    return 0


def all_pages() -> dict[str, str]:
    """Return the text of each code's page, sorted by code."""
    files = sorted((ROOT / PAGES_FOLDER).glob("*.md"))
    return {file.stem: file.read_text(encoding="utf-8") for file in files}


def title(code: str, page: str) -> str:
    """Return the heading of a page, without its code."""
    heading = page.partition("\n")[0].lstrip("# ").strip()
    return heading.removeprefix(code).lstrip(": ")
