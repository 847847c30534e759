"""`asm`: a function by its name, the largest ones without, and what cannot be listed."""

import subprocess
from pathlib import Path

import pytest

from tests.compiler.cli.conftest import Tool
from tests.tools import debian_tool

SOURCE = "int work(int x) { return x * 3; }\nvoid _start(void) { for (;;) work(3); }\n"


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("asm")
    (folder / "work.c").write_text(SOURCE)
    compiler = debian_tool("aarch64-linux-gnu-gcc")
    subprocess.run([compiler, "-g", "-nostdlib", "-static", "-o", "work.elf", "work.c"], cwd=folder, check=True)
    return str(folder / "work.elf")


def test_a_function(tool: Tool, elf: str) -> None:
    said = tool("asm", "work", "--elf", elf)
    assert said.returncode == 0
    assert "<work>: " in said.stdout
    assert "<_start>: " not in said.stdout
    assert said.stdout.splitlines()[-1] == "  stack: 16 bytes of its own, 16 bytes at most (work)"


def test_the_largest_functions(tool: Tool, elf: str) -> None:
    said = tool("asm", "--elf", elf)
    assert {"work", "_start", "code"} <= set(said.stdout.split())
    assert said.stdout.splitlines()[0].split() == ["bytes", "stack", "function", "source"]


def test_an_unknown_function_names_near_ones(tool: Tool, elf: str) -> None:
    said = tool("asm", "wrok", "--elf", elf)
    assert said.returncode == 2
    assert said.stderr.startswith("error[B112]: there is no function 'wrok'\n")
    assert "did you mean work? " in said.stderr


def test_files_that_cannot_be_listed(tool: Tool, tmp_path: Path) -> None:
    assert tool("asm", "--elf", __file__).stderr.startswith("error[B111]: the file cannot be listed: it is not an ELF")
    assert tool("asm", "--elf", str(tmp_path / "none")).stderr.startswith("error[B204]: cannot read the file: ")
