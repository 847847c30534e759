"""`explain`: every code that the tool can print has a page, and pages follow one form."""

import re

import pytest

from compiler.cli.explain import PAGES_FOLDER, title
from compiler.driver.paths import ROOT
from tests.compiler.cli.conftest import Tool

PAGES = sorted((ROOT / PAGES_FOLDER).glob("*.md"))
SOURCES = [
    file
    for name in ("build.py", "compiler/cli/*.py", "compiler/driver/*.py", "tests/bench/*.py")
    for file in ROOT.glob(name)
]


def codes_in_sources() -> set[str]:
    return {code for file in SOURCES for code in re.findall(r"\bB\d{3}\b", file.read_text())}


def test_each_code_of_the_build_tool_has_a_page_and_each_page_a_code() -> None:
    assert codes_in_sources() == {page.stem for page in PAGES if page.stem.startswith("B")}


@pytest.mark.parametrize("code", [page.stem for page in PAGES])
def test_a_page_starts_with_its_code(code: str) -> None:
    first = (ROOT / PAGES_FOLDER / f"{code}.md").read_text(encoding="utf-8").partition("\n")[0]
    assert re.fullmatch(rf"# {code}: \S.*", first)


def test_all_codes_are_listed(tool: Tool) -> None:
    said = tool("explain")
    assert said.returncode == 0
    assert [line.split()[0] for line in said.stdout.splitlines()[1:]] == [page.stem for page in PAGES]


def test_a_page_is_printed_whatever_the_case_of_its_code(tool: Tool) -> None:
    page = ROOT / PAGES_FOLDER / "B304.md"
    assert tool("explain", "b304").stdout == page.read_text()
    assert title(page) == "image stopped after the time limit"


def test_an_unknown_code_names_near_ones(tool: Tool) -> None:
    said = tool("explain", "B300")
    assert said.returncode == 2
    assert re.search(r"= help: did you mean B30\d or B\d+ or B\d+\? \./build\.py explain lists all codes", said.stderr)
