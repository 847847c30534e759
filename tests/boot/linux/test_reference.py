"""Debian's kernel and our first file system without the hypervisor: what the tests with it are compared with."""

from pathlib import Path

import pytest

from tests.boot.linux.guest import debian_programs, ramdisk
from tests.boot.linux.machine import boot
from tests.boot.linux.selection import REFERENCE_LEVELS

CPU = "cortex-a57"
CPU_COUNT = 1


@pytest.mark.parametrize("virtualization", REFERENCE_LEVELS)
def test_linux_runs_alone(virtualization: str, tmp_path: Path) -> None:
    programs = debian_programs()
    file = tmp_path / "ramdisk.img"
    file.write_bytes(ramdisk(programs.busybox))
    boot(programs.kernel, file, CPU, CPU_COUNT, virtualization).check(CPU_COUNT)
