"""`compile`: every kind of output, entries, refusals, and code that C calls on a machine."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from compiler.driver import runner
from compiler.driver.paths import ROOT
from compiler.driver.platforms import load_platform
from tests.compiler.cli.conftest import Tool
from tests.tools import debian_tool

SOURCE = """\
from compiler.language import export, u64


@export("triple")
def triple(x: u64) -> u64:
    return plus(x, 2 * x)


def plus(x: u64, y: u64) -> u64:
    return x + y
"""
CALLER = """\
unsigned long triple(unsigned long x);
static unsigned long exit_block[2];
int main_on_stack(void) {
    exit_block[0] = 0x20026; /* ADP_Stopped_ApplicationExit */
    exit_block[1] = triple(14);
    register unsigned long operation __asm__("x0") = 0x20; /* SYS_EXIT_EXTENDED */
    register unsigned long *block __asm__("x1") = exit_block;
    __asm__ volatile("hlt #0xf000" : : "r"(operation), "r"(block) : "memory");
    return 0;
}
__asm__(".globl _start\\n_start: ldr x5, =0x41000000\\n mov sp, x5\\n b main_on_stack\\n");
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "sample.py"
    file.write_text(SOURCE)
    return file


def functions(file: Path) -> set[tuple[str, str]]:
    """Return (binding, name) of the function symbols, as GNU's readelf sees them."""
    command = [debian_tool("aarch64-linux-gnu-readelf"), "-sW", str(file)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {(line.split()[4], line.split()[7]) for line in said.splitlines() if " FUNC " in line}


def test_an_object_for_other_linkers(tool: Tool, source: Path) -> None:
    out = source.with_suffix(".o")
    said = tool("compile", str(source), "-o", str(out))
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == f"{out} ({out.stat().st_size} bytes)\n"
    assert ("GLOBAL", "triple") in functions(out)


def test_an_entry_by_name_is_exported_under_its_name(tool: Tool, source: Path) -> None:
    out = source.with_suffix(".o")
    assert tool("compile", str(source), "--entry", "plus", "-o", str(out)).returncode == 0
    assert functions(out) == {("GLOBAL", "plus")}


def test_a_linked_file(tool: Tool, source: Path) -> None:
    out = source.with_suffix(".elf")
    assert tool("compile", str(source), "--emit", "elf", "-o", str(out)).returncode == 0
    assert ("GLOBAL", "triple") in functions(out)
    said = tool("asm", "triple", "--elf", str(out))
    assert "6 | " in said.stdout


def test_text_goes_to_standard_output(tool: Tool, source: Path) -> None:
    assembly = tool("compile", str(source), "--emit", "asm").stdout
    assert "\ntriple:\n" in assembly
    assert "brk" in assembly
    assert "brk" not in tool("compile", str(source), "--emit", "asm", "--no-checks").stdout
    assert re.search(r"^define .*i64 @triple\(i64", tool("compile", str(source), "--emit", "llvm").stdout, re.M)


@pytest.mark.parametrize("profile", ["release", "debug"])
def test_c_calls_compiled_code(tool: Tool, source: Path, profile: str) -> None:
    platform = load_platform(ROOT, "qemu")
    folder = source.parent
    assert tool("compile", str(source), "--profile", profile, "-o", str(folder / "sample.o")).returncode == 0
    (folder / "caller.c").write_text(CALLER)
    command = [debian_tool("aarch64-linux-gnu-gcc"), "-O1", "-ffreestanding", "-nostdlib", "-static"]
    command += ["-mgeneral-regs-only", f"-Wl,-Ttext={platform.image_base:#x}", "-o", "both.elf", "caller.c", "sample.o"]
    subprocess.run(command, cwd=folder, check=True)
    debian_tool("qemu-system-aarch64")
    options = runner.RunOptions(timeout_seconds=30)
    boot = runner.run_command(platform, folder / "both.elf", folder / "none", options)
    assert runner.run(boot, options.timeout_seconds) == 42


def test_a_rejected_program(tool: Tool, source: Path) -> None:
    source.write_text(SOURCE.replace("x + y", "x + z"))
    said = tool("compile", str(source))
    assert said.returncode == 1
    assert "10 |     return x + z\n   |                ^\n" in said.stderr
    rows = json.loads(tool("compile", str(source), "--diagnostics", "json").stdout)
    assert {"line": 9, "character": 15} in [row["range"]["start"] for row in rows]


@pytest.mark.parametrize(
    ("text", "code"), [("x = 1\n", "B308"), ("def f(:\n", "E0100"), ("\x00", "E0100"), ("(" * 5000, "E0100")]
)
def test_files_without_an_entry(tool: Tool, source: Path, text: str, code: str) -> None:
    source.write_text(text)
    said = tool("compile", str(source))
    assert said.stderr.startswith(f"error[{code}]: ")
    assert said.returncode == (2 if code.startswith("B") else 1)


def test_a_file_that_is_not_text(tool: Tool, source: Path) -> None:
    source.write_bytes(b"\xff\xfe")
    assert tool("compile", str(source)).stderr.startswith("error[B204]: the file is not UTF-8: ")


BLOCK = '''\
from compiler.language import assembly_block, export, u64


@assembly_block("""
    inline
    in x0 = value
    out x0
    begin
        rbit    x0, x0
""")
def mirror(value: u64) -> u64:
    return value


@export("mirrored")
def mirrored(value: u64) -> u64:
    return mirror(value) + 1
'''


def test_a_linked_file_has_its_assembly_blocks(tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "block.py").write_text(BLOCK)
    said = tool("compile", str(tmp_path / "block.py"), "--emit", "elf", "-o", str(tmp_path / "block.elf"))
    assert (said.returncode, said.stderr) == (0, "")
    assert "rbit    x0, x0" in tool("asm", "mirrored", "--elf", str(tmp_path / "block.elf")).stdout


ALWAYS_FAILS = """from compiler.language import export, u8


@export("grown")
def grown() -> u8:
    level: u8 = 255
    level += 1
    return level
"""


def test_a_check_that_always_fails_is_a_warning(tool: Tool, source: Path) -> None:
    source.write_text(ALWAYS_FAILS)
    said = tool("compile", str(source), "-o", str(source.with_suffix(".o")))
    assert said.returncode == 0
    assert said.stderr.startswith("warning[W0701]: this always stops the program: arithmetic overflow")
    assert "1 warning" in said.stderr
    told = tool("compile", str(source), "--diagnostics", "json")
    assert [row["code"] for row in json.loads(told.stdout)] == ["W0701"]
