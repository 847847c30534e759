"""`explain`: every code that the tool can print has a page, and pages follow one form."""

import re

import pytest

from compiler.cli.explain import PAGES_FOLDER, all_pages, title
from compiler.driver.paths import ROOT
from compiler.inspect import stack
from compiler.link import problems
from compiler.syntax.codes import TITLES
from tests.compiler.cli.conftest import Tool

PAGES = all_pages()
SOURCES = [
    file
    for name in ("build.py", "compiler/cli/*.py", "compiler/driver/*.py", "tests/bench/*.py")
    for file in ROOT.glob(name)
]


def codes_of_the_build_tool() -> set[str]:
    return {code for file in SOURCES for code in re.findall(r"\bB\d{3}\b", file.read_text())}


def codes_of_the_assembler() -> set[str]:
    sources = "".join(file.read_text() for file in (ROOT / "compiler" / "asm").glob("*.py"))
    return set(re.findall(r'"(A\d{3})"', sources))


def test_each_code_has_a_page_and_each_page_a_code() -> None:
    known = codes_of_the_build_tool() | codes_of_the_assembler() | set(TITLES) | set(problems.CODES) | set(stack.CODES)
    assert set(PAGES) == known


@pytest.mark.parametrize("code", PAGES)
def test_a_page_starts_with_its_code(code: str) -> None:
    assert re.match(rf"# {code}: \S.*\n\n\S", PAGES[code])


def test_all_codes_are_listed(tool: Tool) -> None:
    said = tool("explain")
    assert said.returncode == 0
    listed = [line.split()[0] for line in said.stdout.splitlines()[1:] if not line.startswith(" ")]
    assert listed == list(PAGES)


def test_a_page_is_printed_whatever_the_case_of_its_code(tool: Tool) -> None:
    page = (ROOT / PAGES_FOLDER / "B304.md").read_text()
    assert tool("explain", "b304").stdout == page
    assert title("B304", page) == "image stopped after the time limit"


def test_an_unknown_code_names_near_ones(tool: Tool) -> None:
    said = tool("explain", "B300")
    assert said.returncode == 2
    assert re.search(r"= help: did you mean B3\d\d or B\d+ or B\d+\? \./build\.py explain lists all codes", said.stderr)
