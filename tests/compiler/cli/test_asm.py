"""`asm`: a function by its name, the largest ones without, files, schedules, and what cannot be listed."""

import json
import re
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


def test_a_page_and_json_of_one_function(tool: Tool, elf: str, tmp_path: Path) -> None:
    page, listing = tmp_path / "work.html", tmp_path / "work.json"
    said = tool("asm", "work", "--elf", elf, "--html", str(page), "--json", str(listing))
    assert (said.returncode, said.stderr) == (0, "")
    assert re.fullmatch(rf"{page} \([^)]+\)\n{listing} \([^)]+\)\n", said.stdout)
    (function,) = json.loads(listing.read_text())["functions"]
    assert function["name"] == "work"
    assert f"{len(function['instructions'])}</td>" in page.read_text()
    assert "work in work.elf" in page.read_text()


def test_json_of_everything(tool: Tool, elf: str, tmp_path: Path) -> None:
    listing = tmp_path / "all.json"
    assert tool("asm", "--elf", elf, "--json", str(listing)).returncode == 0
    assert [function["name"] for function in json.loads(listing.read_text())["functions"]] == ["work", "_start"]


@pytest.mark.parametrize("option", ["--html", "--json"])
def test_a_file_that_cannot_be_written(tool: Tool, elf: str, tmp_path: Path, option: str) -> None:
    said = tool("asm", "--elf", elf, option, str(tmp_path / "none" / "file"))
    assert said.returncode == 2
    assert said.stderr.startswith("error[B105]: cannot write the file: No such file or directory\n")


def test_a_schedule_on_both_cores(tool: Tool) -> None:
    debian_tool("llvm-mca")
    said = tool("asm", "walk", "--schedule")
    assert (said.returncode, said.stderr) == (0, "")
    name, header, *rows, total = said.stdout.splitlines()
    assert re.fullmatch(r"hypervisor\.arch\.aarch64\.walk\.walk \(hypervisor/arch/aarch64/walk\.py:\d+\)", name)
    assert re.split(r"\s{2,}", header.strip()) == [
        *("line", "offset", "instruction"),
        *("cortex-a55 issue", "cortex-a55 done", "neoverse-n1 issue", "neoverse-n1 done"),
    ]
    assert [int(row.split()[1], 16) for row in rows] == [4 * index for index in range(len(rows))]
    assert re.match(r"\s*\d+\s+0x0\s+lsr x4, x1, #\w+(\s+\d+){4}$", rows[0].rstrip())
    assert re.match(r"\d+ cycles on cortex-a55, \d+ cycles on neoverse-n1; ", total)


def test_a_schedule_on_one_core(tool: Tool) -> None:
    debian_tool("llvm-mca")
    said = tool("asm", "walk", "--schedule", "--cpu", "neoverse-n1")
    assert "neoverse-n1 issue" in said.stdout
    assert "cortex-a55" not in said.stdout


def test_schedules_that_there_are_not(tool: Tool, elf: str, tmp_path: Path) -> None:
    said = tool("asm", "main", "--schedule")
    assert said.returncode == 2
    assert said.stderr.startswith("error[B112]: there is no assembly block 'main'; only these have a schedule\n")
    assert "_start" in said.stderr
    assert tool("asm", "--schedule").stderr.startswith("error[B001]: --schedule is for one assembly block")
    assert tool("asm", "work", "--schedule", "--elf", elf).stderr.startswith("error[B001]: ")


def test_without_llvm_mca_the_package_is_named(tool: Tool, tmp_path: Path) -> None:
    said = tool("asm", "walk", "--schedule", PATH=str(tmp_path))
    assert said.returncode == 2
    assert said.stderr.startswith("error[B401]: the schedule of an assembly block needs Debian packages")
    assert "sudo apt-get install llvm" in said.stderr
