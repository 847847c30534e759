"""The pages about blocks: wrong examples give the message shown, right ones and those of docs/assembly.md assemble."""

import re
from pathlib import Path

import pytest

from compiler.asm import BlockSource, SymbolReference, assemble
from tests.compiler.asm.support import errors

_ROOT = Path(__file__).parents[3]
_PAGES = sorted((_ROOT / "docs" / "errors").glob("A*.md"))
_PARTS = re.compile(
    r"Wrong:\n\n```\n(.*?)\n```\n\nThe message:\n\n```\n(.*?)\n```\n\nRight:\n\n```\n(.*?)\n```\n", re.DOTALL
)


def test_every_code_has_a_page() -> None:
    sources = (_ROOT / "compiler" / "asm").glob("*.py")
    used = {code for source in sources for code in re.findall(r'"(A\d{3})"', source.read_text())}
    assert sorted(used) == [page.stem for page in _PAGES]


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_examples(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.stem}: ")
    parts = _PARTS.search(text)
    if page.stem == "A901":
        assert parts is None, "no text of a block leads to an internal error"
        return
    assert parts is not None
    wrong, message, right = parts.groups()
    assert errors(wrong).replace("sample.py", "block.py") == message
    assert f"[{page.stem}]" in message
    assert errors(right) == ""


_NUMBERS = {"Vcpu.message": 0x10, "Vcpu.result": 0x20, "LAST": 2, "Frame.x0": 0}


def test_examples_of_the_reference() -> None:
    text = (_ROOT / "docs" / "assembly.md").read_text()
    function = re.findall(r'@assembly_block\("""\n(.*?)"""\)', text, re.DOTALL)
    vectors = re.findall(r"```\n(    naked\n.*?)```", text, re.DOTALL)
    assert (len(function), len(vectors)) == (2, 1)
    for example in (*function, *vectors):
        source = BlockSource("example", example, "assembly.md", 1)
        assert assemble(source, lambda name: _NUMBERS.get(name, SymbolReference(name))).code
