"""Every example of docs/language.md does what its last lines say under both host engines, and suits both type checkers.

An example is a complete module whose closing comment lines are its claims: `# f(3) == 12` holds,
`# f(255) traps: arithmetic overflow` names the check, `# rejected: E0303` is what the compiler says of the last
function, and any other line is a statement that prepares the next claim.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from compiler import language
from compiler.check import check_source
from compiler.check.ranges import remove_proven_checks
from compiler.driver.stages import assemble_blocks
from compiler.host import Interpreter, Session, TrapError
from compiler.host.native import Native
from compiler.lower import TargetOptions, lower
from compiler.program.program import Program
from compiler.syntax.diagnostics import CompileErrors
from compiler.syntax.render import render_text, summary
from compiler.syntax.source import SourceFile, SourceTexts

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "language.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\n+```text\n(error\[.*?)^```$)?", re.M | re.S)


@dataclass(frozen=True)
class Example:
    """One block of the document."""

    name: str
    source: str
    claims: tuple[str, ...]
    output: str

    @property
    def rejection(self) -> str | None:
        """The code of the diagnostic that the example shall give."""
        found = [claim.removeprefix("rejected: ") for claim in self.claims if claim.startswith("rejected: ")]
        return found[0][:5] if found else None

    @property
    def functions(self) -> list[str]:
        """Names of the functions at module level."""
        return [node.name for node in ast.parse(self.source).body if isinstance(node, ast.FunctionDef)]

    @property
    def entries(self) -> list[str]:
        """The functions that the claims name; of a rejected example, the last one."""
        if self.rejection:
            return self.functions[-1:]
        named = {word for claim in self.claims for word in re.findall(r"\w+", claim)}
        return [name for name in self.functions if name in named]


def _examples() -> list[Example]:
    text = DOCUMENT.read_text(encoding="utf-8")
    found: list[Example] = []
    for block in _BLOCK.finditer(text):
        heading = re.findall(r"^##+ (.+)$", text[: block.start()], re.M)[-1]
        lines = block[1].rstrip("\n").split("\n")
        first = next((at for at in range(len(lines), 0, -1) if not lines[at - 1].startswith("# ")), 0)
        claims = tuple(line[2:] for line in lines[first:])
        name = f"example_{len(found)}_{re.sub('[^a-z]+', '_', heading.lower())}"
        found.append(Example(name, block[1], claims, block[2] or ""))
    return found


EXAMPLES = _examples()
REJECTED = [example for example in EXAMPLES if example.rejection]
HOST_TESTS = [example for example in EXAMPLES if "from compiler.host import" in example.source]
ACCEPTED = [example for example in EXAMPLES if example not in REJECTED + HOST_TESTS]
NARROW = """
from compiler.language import Slice, u8


def total(data: Slice[u8]) -> u8:
    result: u8 = 0
    for byte in data:
        result += byte
    return result
"""


def _caller(session: Session, name: str) -> Callable[..., Any]:
    return lambda *arguments: session.call(name, *arguments)


class Words(dict[int, int]):
    """A device that keeps what is written, by offset."""

    def read(self, offset: int, width: int) -> int:
        """A load of `width` bytes."""
        return self.get(offset, 0) & ((1 << 8 * width) - 1)

    def write(self, offset: int, width: int, value: int) -> None:
        """A store of `width` bytes."""
        self[offset] = value & ((1 << 8 * width) - 1)


def _device(session: Session, base: int) -> Words:
    """A new device of one page."""
    words = Words()
    session.device(base, 0x1000, words)
    return words


def _names(session: Session, module: str) -> dict[str, Any]:
    """What a claim can use: the module's names, its functions being calls of compiled ones, and the session."""
    names = dict(vars(sys.modules[module]))
    for name, value in names.items():
        if isinstance(value, FunctionType) and value.__module__ == module:
            names[name] = _caller(session, name)
    names |= {"session": session, "registers": session.registers, "static": session.static}
    return names | {"device": partial(_device, session)}


def _check(claim: str, names: dict[str, Any]) -> None:
    call, traps, kind = claim.partition(" traps: ")
    if traps:
        with pytest.raises(TrapError) as caught:
            eval(call, names)
        text = f"{caught.value.kind.text}: {caught.value.message}".removesuffix(": ")
        assert text == kind, claim
    elif _is_expression(claim):
        assert eval(claim, names) is True, claim
    else:
        exec(claim, names)


def _is_expression(text: str) -> bool:
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    return True


def _program(example: Example) -> Program:
    program = check_source(example.source, example.entries, module=example.name)
    remove_proven_checks(program)
    return program


def _symbols(example: Example) -> dict[str, int]:
    """An address for each linker symbol, a page apart."""
    return {name: 0x1000 * at for at, name in enumerate(re.findall(r'linker_symbol\("(\w+)"\)', example.source), 1)}


@pytest.mark.parametrize("engine", [Interpreter, Native])
@pytest.mark.parametrize("example", ACCEPTED, ids=lambda example: example.name)
def test_example_does_what_it_says(example: Example, engine: type[Interpreter] | type[Native]) -> None:
    assert example.claims and example.entries, "an example ends with claims about its functions"
    with engine(_program(example), symbols=_symbols(example)) as session:
        names = _names(session, example.name)
        for claim in example.claims:
            _check(claim, names)


def test_examples_become_machine_code() -> None:
    for example in ACCEPTED:
        program = _program(example)
        assert lower(program, TargetOptions()).object
        assemble_blocks(program)


@pytest.mark.parametrize("example", REJECTED, ids=lambda example: example.name)
def test_rejected_example_gives_its_code(example: Example) -> None:
    with pytest.raises(CompileErrors) as caught:
        check_source(example.source, example.entries, module=example.name)
    assert [found.code for found in caught.value.diagnostics] == [example.rejection]
    assert f"rejected: {example.rejection}, {_title(str(example.rejection))}" in example.claims
    if example.output:
        text = render_text(caught.value.diagnostics, SourceTexts([SourceFile(f"{example.name}.py", example.source)]))
        shown = (text + summary(caught.value.diagnostics)).replace(f"{example.name}.py", "example.py")
        assert shown.strip() == example.output.strip()


def _title(code: str) -> str:
    page = (ROOT / "docs" / "errors" / f"{code}.md").read_text(encoding="utf-8")
    return page.splitlines()[0].removeprefix(f"# {code}: ")


def test_host_tests_pass(tmp_path: Path) -> None:
    (example,) = HOST_TESTS
    (tmp_path / "first.py").write_text(EXAMPLES[0].source, encoding="utf-8")
    (tmp_path / "narrow.py").write_text(NARROW, encoding="utf-8")
    (tmp_path / "test_first.py").write_text(example.source, encoding="utf-8")
    checked = _run(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", ".")
    assert "3 passed" in checked.stdout, checked.stdout + checked.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All accepted examples as files."""
    made = tmp_path_factory.mktemp("examples")
    for example in ACCEPTED + HOST_TESTS:
        (made / f"{example.name}.py").write_text(example.source, encoding="utf-8")
    settings = f'{{"include": ["."], "typeCheckingMode": "strict", "extraPaths": ["{ROOT}"]}}'
    (made / "pyrightconfig.json").write_text(settings, encoding="utf-8")
    return made


def test_examples_pass_mypy(folder: Path) -> None:
    checked = _run(folder, "mypy", "--strict", "--config-file", "", "--cache-dir", str(folder / ".mypy_cache"), ".")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_examples_pass_pyright(folder: Path) -> None:
    checked = _run(folder, "pyright", "-p", ".", "--pythonpath", sys.executable)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, "-m", *command]
    environment = {**os.environ, "MYPYPATH": str(ROOT), "PYTHONPATH": str(ROOT)}
    return subprocess.run(run, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_every_name_of_the_language_is_in_the_document() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [name for name in language.__all__ if not re.search(rf"\b{name}\b", text)] == []
