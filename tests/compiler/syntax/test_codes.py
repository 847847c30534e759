"""Every diagnostic code has a title and a page whose wrong example gives that code and whose right one compiles."""

import re
from pathlib import Path

import pytest

from compiler.check import check_source
from compiler.check.whole_program import check_whole_program
from compiler.syntax.codes import TITLES, title
from compiler.syntax.diagnostics import CompileErrors
from tests.compiler.reject.cases import diagnose

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "docs" / "errors"
SHOWN_IN_AN_IMAGE = ("E0705",)


def test_every_code_in_the_compiler_is_in_the_table() -> None:
    used: set[str] = set()
    for folder in ("check", "syntax"):
        for file in (ROOT / "compiler" / folder).glob("*.py"):
            used |= set(re.findall(r'"([EW]0\d{3})"', file.read_text(encoding="utf-8")))
    assert sorted(used) == sorted(TITLES)


def examples(code: str) -> tuple[str, str]:
    text = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    wrong, right = re.findall(r"^(?:Wrong|Right):\n\n```python\n(.*?)^```$", text, re.M | re.S)
    return wrong, right


@pytest.mark.parametrize("code", TITLES)
def test_page(code: str) -> None:
    text = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {code}: {title(code)}\n\n")
    assert max(map(len, text.split("\n"))) <= 120


@pytest.mark.parametrize("code", TITLES)
def test_examples(code: str) -> None:
    wrong, right = examples(code)
    assert codes(wrong, code) == {code}
    assert codes(right, code) == set()


def codes(source: str, code: str) -> set[str]:
    if code in SHOWN_IN_AN_IMAGE:
        return {found.code for found in check_whole_program(check_source(source, ["main"]), defined_symbols=())}
    if code == "E0203":
        try:
            check_source(source, ["main"])
        except CompileErrors as errors:
            return {found.code for found in errors.diagnostics}
        return set()
    return {found.code for found in diagnose(source)}
