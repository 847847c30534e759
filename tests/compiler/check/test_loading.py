"""Importing programs: entries of every form, changed files, errors of module-level code."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from compiler.check import check_program, check_source
from compiler.program import nodes
from compiler.program.program import Program
from compiler.program.walk import walk
from compiler.syntax.diagnostics import CompileErrors

PROGRAM = """
from compiler.language import *
from {helper} import SIZE

def main(x: u64) -> u64:
    return x + SIZE
"""


def constants(program: Program) -> list[int]:
    """Constants in the body of the first function."""
    return [node.value for node in walk(program.functions[0].body) if isinstance(node, nodes.Constant)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of a program of two files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "loading_helper.py").write_text("SIZE = 5\n")
    (tmp_path / "loading_main.py").write_text(PROGRAM.format(helper="loading_helper"))
    return tmp_path


def test_entries_by_module_and_by_path(folder: Path) -> None:
    for entry in ("loading_main:main", "loading_main.py:main", f"{folder}/loading_main.py:main"):
        program = check_program([entry], name="sample")
        assert constants(program) == [5]
        assert program.entries[0].symbol == "loading_main.main"
        assert program.entries[0].span.file == "loading_main.py"
        assert program.sources["loading_main.py"].endswith("return x + SIZE\n")


def test_a_changed_file_is_seen(folder: Path) -> None:
    for size in (1, 2, 3):
        (folder / "loading_helper.py").write_text(f"SIZE = {size}\n")
        assert constants(check_program(["loading_main:main"], name="sample")) == [size]


def test_exports_are_roots_with_those_of_imported_modules(folder: Path) -> None:
    (folder / "loading_helper.py").write_text(
        'from compiler.language import *\nSIZE = 1\n\n@export("helper")\ndef helper() -> None:\n    pass\n'
    )
    program = check_program([], name="sample", modules=["loading_main"])
    assert [function.symbol for function in program.entries] == ["helper"]


@pytest.mark.parametrize(
    ("text", "code", "message", "line"),
    [
        ("def main( -> None:\n    pass\n", "E0100", "invalid syntax", 1),
        ("import no_such_module\n", "E0202", "No module named 'no_such_module'", 1),
        ("x = 1\ny = x // 0\n", "E0601", "module-level code raised ZeroDivisionError", 2),
        (
            "from compiler.language import *\nstatic_assert(1 == 2, 'sizes')\n",
            "E0601",
            "static_assert failed: size",
            2,
        ),
        ("from compiler.language import *\ndef f() -> int:\n    return u8(256)\nX = f()\n", "E0601", "ValueError", 3),
        ("raise SystemExit(3)\n", "E0601", "module-level code raised SystemExit: 3", 1),
        ("x = " + "(" * 300 + ")" * 300 + "\n", "E0100", "too many nested parentheses", 1),
        ("def f(): f()\nf()\n", "E0100", "the code is nested too deeply", 1),
    ],
)
def test_errors_of_module_level(text: str, code: str, message: str, line: int) -> None:
    with pytest.raises(CompileErrors) as caught:
        check_source(text, ["main"])
    (found,) = caught.value.diagnostics
    assert found.code == code
    assert message in found.message
    assert found.span is not None
    assert found.span.line == line


def test_entries_that_are_not_there(folder: Path) -> None:
    with pytest.raises(CompileErrors) as caught:
        check_program(["loading_main:other", "loading_main", "no_such_file.py:main", "no_such:main"], name="sample")
    assert sorted((found.code, found.message) for found in caught.value.diagnostics) == [
        ("E0202", "No module named 'no_such'"),
        ("E0202", "there is no file no_such_file.py"),
        ("E0203", "entry 'loading_main' is not of the form module:function"),
        ("E0203", "loading_main.py has no function `other`"),
    ]


def test_every_error_of_a_run_is_reported_once() -> None:
    source = """
from compiler.language import *

def broken(x: u8) -> u8:
    y = x + missing
    return y + 1

def main(x: u64) -> u64:
    first = broken(1) + broken(2) + nothing(x)
    if x:
        return first + 1
    for i in range(x):
        i = 3
    return broken(x)
"""
    with pytest.raises(CompileErrors) as caught:
        check_source(source, ["main"])
    found = [(each.span.line, each.code) for each in caught.value.diagnostics if each.span is not None]
    assert found == [(5, "E0201"), (9, "E0201"), (10, "E0304"), (13, "E0403"), (14, "E0301")]
