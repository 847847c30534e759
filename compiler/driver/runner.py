"""Starts an image on its platform: the command for QEMU, its run, and what to do by hand for the Arm FVP.

The guest ends QEMU through semihosting (SYS_EXIT_EXTENDED), whose status becomes ours.
"""

import shlex
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compiler.driver import debian
from compiler.driver.errors import ToolError
from compiler.driver.paths import ROOT
from compiler.driver.platforms import Platform

STATUS_TIMEOUT = 124  # as coreutils' timeout has it
GDB_PORT = 1234
GDB_CPU = {"max": "max,pauth=off"}
"""What a CPU model becomes for gdb, which cannot take the authentication codes out of return addresses on QEMU"""


@dataclass(frozen=True)
class RunOptions:
    """What may be varied from run to run. With `gdb` the CPUs wait until a debugger lets them go."""

    cpu_count: int = 1
    cpu: str | None = None
    gdb: bool = False
    instruction_count: bool = False
    timeout_seconds: float | None = None


def run_command(platform: Platform, elf: Path, raw: Path, options: RunOptions, initrd: Path | None = None) -> list[str]:
    """Return the command that boots an image, or raise ToolError when the options or the platform do not
    allow it. With `initrd` the flat binary is booted, as a boot loader does; QEMU tells both by the device tree.
    """
    if not 1 <= options.cpu_count <= platform.cpu_count_max:
        raise ToolError(
            "B303",
            f"--smp is {options.cpu_count}; platform {platform.name} has 1 to {platform.cpu_count_max} CPUs",
            where=platform.file,
        )
    if platform.runner.kind == "fvp":
        raise _by_hand(platform, raw)
    command = [platform.runner.program, "-machine", platform.runner.machine]
    cpu = platform.runner.cpu
    command += ["-cpu", options.cpu or (GDB_CPU.get(cpu, cpu) if options.gdb else cpu), "-smp", str(options.cpu_count)]
    command += ["-m", f"{platform.dram_size_bytes >> 20}M"]
    command += ["-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot"]
    command += ["-semihosting-config", "enable=on,target=native"]
    if options.instruction_count:
        command += ["-icount", "shift=0"]
    if options.gdb:
        command += ["-S", "-gdb", f"tcp::{GDB_PORT}"]
    what = ["-kernel", str(elf)] if initrd is None else ["-kernel", str(raw), "-initrd", str(initrd)]
    return [*command, *platform.runner.arguments, *what]


def gdb_command(elf: Path, alias_offset: int = 0) -> list[str]:
    """Return the command that attaches a debugger to an image started with `gdb`.

    `alias_offset`: how far above the addresses of its file an image runs once it has switched its MMU on; breakpoints
    then stand at both.
    """
    symbols = ["-ex", f"add-symbol-file {elf} -o {alias_offset:#x}"] if alias_offset else []
    return ["gdb-multiarch", "-ex", "set confirm off", *symbols, "-ex", f"target remote :{GDB_PORT}", str(elf)]


def run(command: Sequence[str], timeout_seconds: float | None) -> int:
    """Run the command in the checkout's folder, with its console on our terminal.

    Returns its status, STATUS_TIMEOUT when it was stopped.
    """
    if shutil.which(command[0]) is None:
        debian.require(["run"], "running an image")
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            status = process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise ToolError(
                "B304",
                f"the image was still running after {timeout_seconds:g} s and was stopped",
                where=shlex.join(command),
                fix="give it more time with --timeout, or look where it is with --gdb",
                status=STATUS_TIMEOUT,
            ) from None
        except KeyboardInterrupt:
            process.send_signal(signal.SIGTERM)
            raise
    if status < 0:
        name = signal.Signals(-status).name
        raise ToolError("B305", f"{command[0]} was killed by {name}", where=shlex.join(command))
    return status


def _by_hand(platform: Platform, raw: Path) -> ToolError:
    model = platform.runner.program
    state = "is on PATH" if shutil.which(model) else "is not on PATH; Arm distributes it on developer.arm.com"
    return ToolError(
        "B306",
        f"images for {platform.name} are built but not started by this tool: the model starts at EL3 and needs "
        f"firmware (Trusted Firmware-A) below the image",
        where=platform.file,
        fix=f"the model, {model}, {state}\n"
        f"give TF-A the image as BL33: it goes to {platform.image_base:#x}, or start the model with\n"
        f"{model} --data cluster0.cpu0={raw}@{platform.image_base:#x} and firmware that enters EL2 there",
    )
