"""What gdb-multiarch shows of the hypervisor and of guests that QEMU runs."""

import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest

from compiler.cli.run import debugger_hint
from compiler.driver import runner
from compiler.driver.images import alias_offset, find_image
from compiler.driver.initrd import Initrd
from compiler.driver.paths import ROOT
from compiler.driver.pipeline import BuildResult, Inputs
from compiler.driver.stages import Profile, Target
from tests.boot.guest_runs import MANIFESTS, boot_guests, initrd
from tests.boot.machine import guest, hypervisor, platform
from tests.tools import debian_tool

IMAGE = find_image("hypervisor")
CONSOLE_LOG = Path("hypervisor", "ffa", "console_log.py")
ECHO = Path("hypervisor", "guests", "echo.py")
MANIFEST = MANIFESTS / "default.dts"


def place(file: Path, text: str) -> str:
    """`name.py:LINE` of the only line that holds a text."""
    (line,) = [number for number, line in enumerate((ROOT / file).read_text().splitlines(), 1) if text in line]
    return f"{file.name}:{line}"


@cache
def addresses() -> dict[str, str]:
    """Where the guests of the default run are, as the console tells."""
    lines = boot_guests(MANIFEST, profile=Profile.DEBUG).lines
    found = [re.search(r"^vm\d (\w+): .* at (0x\w+)$", line) for line in lines]
    return {match[1]: match[2] for match in found if match}


def gdb(cpu: str | None, *commands: str) -> str:
    """Debug a run from its first instruction, as `run --gdb` says, of images without optimisation, which keep all
    arguments; return what gdb prints."""
    elf = hypervisor(Profile.DEBUG)
    options = runner.RunOptions(cpu=cpu, gdb=True)
    archive = initrd(MANIFEST, Profile.DEBUG)
    qemu = runner.run_command(platform(), elf, elf.with_suffix(".bin"), options, archive)
    qemu[qemu.index(f"tcp::{runner.GDB_PORT}")] = "stdio"
    qemu[qemu.index("-serial") + 1] = "null"
    qemu[0] = debian_tool(qemu[0])
    attach = runner.gdb_command(elf, alias_offset(IMAGE))
    attach[attach.index(f"target remote :{runner.GDB_PORT}")] = f"target remote | {shlex.join(qemu)}"
    attach[0] = debian_tool(attach[0])
    arguments = [part for command in (*commands, "kill") for part in ("-ex", command)]
    command = [*attach, "-q", "-nx", "-batch", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False
    ).stdout


@pytest.mark.parametrize("cpu", [None, "cortex-a72"])
def test_a_breakpoint_in_a_handler_shows_line_callers_and_arguments(cpu: str | None) -> None:
    said = gdb(cpu, f"break {place(CONSOLE_LOG, 'return _print(caller, call.x1')}", "continue", "bt", "info args")
    assert re.search(r"Breakpoint 1(\.\d)?, handle_64 \(caller=\.\.\., call=\.\.\., reply=\.\.\.\)", said)
    assert "    return _print(caller, call.x1, " in said
    assert re.search(r"#1 .* at hypervisor/ffa/dispatch\.py:\d+", said)
    assert re.search(r"#\d .* in handle_call \(x0=3288334474, .*\) at hypervisor/dispatch\.py:\d+", said)
    assert re.search(r"#\d .*\.serve_exception \(\) at hypervisor/arch/aarch64/switch\.py:\d+", said)
    assert re.search(r"^call = (@0x\w+: )?\{x0 = 3288334474, ", said, re.MULTILINE)


@pytest.mark.parametrize(("name", "level"), [("echo_el1", "0x4"), ("echo_el0", "0x0")])
def test_a_breakpoint_in_a_guest_shows_line_and_callers(name: str, level: str) -> None:
    symbols = f"add-symbol-file {guest(name, Profile.DEBUG)} -o {addresses()[name]}"
    said = gdb(
        None, symbols, f"hbreak {place(ECHO, 'answer.respond(message, own_id)')}", "continue", "bt", "p/x $cpsr & 0xc"
    )
    assert re.search(r"Breakpoint 1, serve \(own_id=\d\) at hypervisor/guests/echo\.py:\d+", said)
    assert "            answer.respond(message, own_id)" in said
    assert re.search(r"#1 .* in partition_main \(\) at hypervisor/guests/echo\.py:\d+", said)
    assert re.search(r"#2 .* in begin_program \(.*\) at runtime/partition/program\.py:\d+", said)
    assert f"$1 = {level}" in said


def test_run_says_how_to_attach_and_to_add_guests() -> None:
    target = Target(ROOT, IMAGE, platform(), Profile.RELEASE)
    folder = ROOT / "build" / "qemu"

    def result(name: str) -> BuildResult:
        return BuildResult(target, Inputs({}, 0, {}), {"elf": folder / f"{name}.elf"}, {}, {}, (), up_to_date=True)

    initrd = Initrd(folder / "default.initrd", (), (result("primary"), result("echo_el0")), (), ())
    assert debugger_hint(result("hypervisor"), initrd) == (
        "waiting for a debugger; in another terminal, in the folder of build.py:\n"
        "  gdb-multiarch -ex 'set confirm off' -ex 'add-symbol-file build/qemu/hypervisor.elf -o 0xffffff8000000000' "
        "-ex 'target remote :1234' build/qemu/hypervisor.elf\n"
        "for a guest, with its address from the console:\n"
        "  (gdb) add-symbol-file build/qemu/primary.elf -o ADDRESS\n"
        "  (gdb) add-symbol-file build/qemu/echo_el0.elf -o ADDRESS"
    )
