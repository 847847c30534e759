"""Running images: the command, and real guests on QEMU that print, end with a status, hang, or wait for gdb."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from compiler.driver import runner
from compiler.driver.errors import ToolError
from compiler.driver.paths import ROOT
from compiler.driver.platforms import load_platform
from compiler.driver.runner import RunOptions
from tests.tools import debian_tool

QEMU = load_platform(ROOT, "qemu")
GUEST = """
        .globl _start
_start: mov x1, #0x09000000     // PL011 data register
        mrs x0, CurrentEL
        lsr x0, x0, #2
        add w0, w0, #'0'
        strb w0, [x1]
        mov w0, #'\\n'
        strb w0, [x1]
        {end}
"""
EXIT = """
        ldr x2, =0x20026        // ADP_Stopped_ApplicationExit
        mov x3, #7
        stp x2, x3, [sp, #-16]!
        mov x1, sp
        mov w0, #0x20           // SYS_EXIT_EXTENDED
        hlt #0xf000
"""


@pytest.fixture
def guest(tmp_path: Path) -> Callable[[str], Path]:
    """Assemble and link a guest that prints its exception level and goes on as the argument says."""

    def make(end: str) -> Path:
        source, elf = tmp_path / "guest.s", tmp_path / "guest.elf"
        source.write_text(GUEST.replace("{end}", f"ldr x5, =0x41000000\n        mov sp, x5\n{end}"))
        compiler = debian_tool("aarch64-linux-gnu-gcc")
        text_base = f"-Wl,-Ttext={QEMU.image_base:#x}"
        subprocess.run(
            [compiler, "-nostdlib", "-static", "-Wl,--build-id=none", text_base, "-o", elf, source], check=True
        )
        return elf

    return make


def run_guest(elf: Path, options: RunOptions, capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    debian_tool("qemu-system-aarch64")
    status = runner.run(runner.run_command(QEMU, elf, elf, options), options.timeout_seconds)
    return status, capfd.readouterr().out.replace("\r", "")


@pytest.mark.parametrize(
    "options",
    [RunOptions(), RunOptions(cpu_count=4), RunOptions(cpu="cortex-a72"), RunOptions(instruction_count=True)],
    ids=["default", "smp", "cortex-a72", "icount"],
)
def test_console_and_status_of_a_guest(
    guest: Callable[[str], Path], options: RunOptions, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_guest(guest(EXIT), replace(options, timeout_seconds=30), capfd) == (7, "2\n")


def test_a_guest_that_hangs_is_stopped(guest: Callable[[str], Path]) -> None:
    command = runner.run_command(QEMU, guest("b ."), Path("x.bin"), RunOptions())
    with pytest.raises(ToolError) as caught:
        runner.run(command, 0.5)
    assert (caught.value.code, caught.value.status) == ("B304", 124)
    assert caught.value.what == "the image was still running after 0.5 s and was stopped"


def test_gdb_stops_before_the_first_instruction(guest: Callable[[str], Path]) -> None:
    debian_tool("gdb-multiarch")
    elf = guest(EXIT)
    command = runner.run_command(QEMU, elf, elf, RunOptions(gdb=True))
    position = command.index(f"tcp::{runner.GDB_PORT}")
    socket = elf.with_suffix(".sock")
    command[position] = f"unix:{socket},server=on"  # tests that run side by side need ports of their own
    attach = runner.gdb_command(elf)
    attach[attach.index(f"target remote :{runner.GDB_PORT}")] = f"target remote {socket}"
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert b"waiting for connection" in process.stderr.readline()
        program_counter = ["-batch", "-nx", "-ex", "print /x $pc", "-ex", "detach"]
        # Not checked: gdb fails when the guest ends before the answer to the detachment.
        said = subprocess.run([*attach, *program_counter], capture_output=True, text=True, check=False, timeout=60)
        assert process.wait(30) == 7
    assert f"$1 = {QEMU.image_base:#x}" in said.stdout


@pytest.mark.parametrize("count", [0, 9])
def test_a_cpu_count_out_of_range(count: int) -> None:
    with pytest.raises(ToolError) as caught:
        runner.run_command(QEMU, Path("x.elf"), Path("x.bin"), RunOptions(cpu_count=count))
    assert caught.value.what == f"--smp is {count}; platform qemu has 1 to 8 CPUs"


def test_a_killed_emulator_is_an_error() -> None:
    command = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    with pytest.raises(ToolError, match="was killed by SIGKILL"):
        runner.run(command, None)


def test_the_fvp_says_what_is_missing() -> None:
    with pytest.raises(ToolError) as caught:
        runner.run_command(load_platform(ROOT, "fvp"), Path("x.elf"), Path("build/fvp/x.bin"), RunOptions())
    assert caught.value.code == "B306"
    assert "FVP_Base_RevC-2xAEMvA" in caught.value.fix
    assert "--data cluster0.cpu0=build/fvp/x.bin@0x88000000" in caught.value.fix
