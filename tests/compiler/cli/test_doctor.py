"""`doctor`: what is there, what is missing, the command that installs it."""

import sys
from pathlib import Path

from tests.compiler.cli.conftest import Tool


def test_everything_is_listed(tool: Tool) -> None:
    said = tool("doctor")
    for name in ("Python", "llvmlite", "keystone-engine", "pytest", "qemu-system-aarch64", "gdb-multiarch", "dtc"):
        assert name in said.stdout


def test_what_is_missing_and_how_to_install_it(tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "clang").symlink_to(sys.executable)
    said = tool("doctor", PATH=str(tmp_path))
    assert said.returncode == 1  # QEMU is missing, which `run` needs
    assert said.stdout.splitlines()[-1] == (
        "Install what is missing with: sudo apt-get update && sudo apt-get install qemu-system-arm "
        "device-tree-compiler gdb-multiarch lld llvm binutils-aarch64-linux-gnu gcc-aarch64-linux-gnu cpio"
    )
