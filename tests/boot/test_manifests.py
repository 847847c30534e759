"""Every wrong manifest and initrd of the list on the target: its message, and the machine stops before a guest runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from compiler.driver.runner import RunOptions, run_command
from hypervisor.boot.refusal import STATUS_REFUSED
from tests.boot.machine import TIMEOUT_SECONDS, hypervisor, platform
from tests.host.boot.defects import Defect, defects
from tests.tools import debian_tool

BOOTABLE = [defect for defect in defects() if defect.archive]
"""QEMU gives an empty ramdisk to nobody."""


@pytest.mark.parametrize("defect", BOOTABLE, ids=lambda defect: defect.name)
def test_a_wrong_initrd_stops_the_boot_with_its_message(defect: Defect, tmp_path: Path) -> None:
    debian_tool("qemu-system-aarch64")
    initrd = tmp_path / "initrd"
    initrd.write_bytes(defect.archive)
    elf = hypervisor()
    command = run_command(platform(), elf, elf.with_suffix(".bin"), RunOptions(), initrd)
    ended = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_SECONDS, check=False)
    lines = ended.stdout.decode(errors="replace").splitlines()
    assert (lines[-1:], ended.returncode) == ([defect.message], STATUS_REFUSED)
    assert not any(line.startswith("[") for line in lines)  # as lines of guests do
