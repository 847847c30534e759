"""Every code of the linker and of the stack analysis has its page, and problems are rendered in one way."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.inspect.stack import CODES as STACK_CODES
from compiler.link import CODES, LinkError, LinkProblem, SourcePosition

PAGES = Path(__file__).parents[3] / "docs" / "errors"


@pytest.mark.parametrize("code", [*CODES, *STACK_CODES])
def test_every_code_has_a_page(code: str) -> None:
    text = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {code}: ")
    assert "```" in text


def test_no_page_is_left_over() -> None:
    pages = {page.stem for page in PAGES.glob("LNK*.md")} | {page.stem for page in PAGES.glob("STK*.md")}
    assert pages == {*CODES, *STACK_CODES}


def test_a_problem_shows_place_facts_and_help() -> None:
    where = SourcePosition("image.ld", 12, 5, "    x = y;")
    problem = LinkProblem("LNK002", "symbol y is not defined", ("one fact", "another"), "define it", where)
    assert str(LinkError([problem])) == (
        "error[LNK002]: symbol y is not defined\n"
        "  --> image.ld:12:5\n"
        "    |\n"
        " 12 |     x = y;\n"
        "    |     ^\n"
        "  = found: one fact\n"
        "  = found: another\n"
        "  = help: define it"
    )
