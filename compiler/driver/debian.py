"""Programs that come from Debian packages: which there are, which are missing, how they get installed.

Only the standard library is imported: `build.py` needs this before any package is installed. Nothing is
installed unless the user is root or has passwordless sudo; otherwise the error holds the exact command. With
TANTALUM_INSTALL=never in the environment nothing is ever installed.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from compiler.driver.errors import ToolError


@dataclass(frozen=True)
class Program:
    """A program of a Debian package, and the purpose ("run" or "test") that it serves."""

    name: str
    package: str
    purpose: str
    used_for: str


PROGRAMS = (
    Program("qemu-system-aarch64", "qemu-system-arm", "run", "booting images"),
    Program("dtc", "device-tree-compiler", "run", "compiling manifests"),
    Program("gdb-multiarch", "gdb-multiarch", "test", "debug-info tests, `run --gdb`"),
    Program("clang", "clang", "test", "C kernels that compiled code is compared with"),
    Program("ld.lld", "lld", "test", "reference linker"),
    Program("llvm-mca", "llvm", "test", "schedules of assembly blocks"),
    Program("aarch64-linux-gnu-as", "binutils-aarch64-linux-gnu", "test", "reference assembler and disassembler"),
    Program("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu", "test", "C objects linked with compiled ones"),
    Program("cpio", "cpio", "test", "reference archives"),
)


def missing_programs(purposes: Iterable[str]) -> list[Program]:
    """Return the programs of the given purposes that are not on PATH, in table order."""
    wanted = set(purposes)
    return [program for program in PROGRAMS if program.purpose in wanted and shutil.which(program.name) is None]


def install_command(packages: Sequence[str]) -> str:
    """Return the command that a user types to install the packages."""
    return f"sudo apt-get update && sudo apt-get install {' '.join(packages)}"


def install(packages: Sequence[str], needed_for: str) -> None:
    """Install Debian packages, or raise ToolError B401 with the command that would."""
    listed = ", ".join(packages)
    fix = f"run: {install_command(packages)}"
    apt = _privileged_apt()
    if apt is None:
        raise ToolError("B401", f"{needed_for} needs Debian packages that are not installed: {listed}", fix=fix)
    arguments = [*apt, "install", "--yes", "--no-install-recommends", *packages]
    print(f"installing {listed} with apt-get (for {needed_for})", flush=True)
    result = _quiet(arguments)
    if result.returncode != 0:  # the package lists may be absent or old
        _quiet([*apt, "update"])
        result = _quiet(arguments)
    if result.returncode != 0:
        said = result.stdout.strip().splitlines()[-3:]
        raise ToolError("B402", f"apt-get could not install {listed}: {' / '.join(said)}", fix=fix)


def require(purposes: Sequence[str], needed_for: str) -> None:
    """Make sure that the programs of the given purposes are installed."""
    packages = [program.package for program in missing_programs(purposes)]
    if packages:
        install(packages, needed_for)


def _privileged_apt() -> list[str] | None:
    """Return the command prefix that may install, or None when this user has none."""
    if os.environ.get("TANTALUM_INSTALL") == "never" or shutil.which("apt-get") is None:
        return None
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=120"]
    if os.geteuid() == 0:
        return apt
    if shutil.which("sudo") and _quiet(["sudo", "-n", "true"]).returncode == 0:
        return ["sudo", "-n", "DEBIAN_FRONTEND=noninteractive", *apt]
    return None


def _quiet(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
