"""Debian's Linux as the primary VM, with partitions beside it: to user space, on all CPUs, under load, to power off."""

from pathlib import Path

import pytest

from tests.boot.linux.guest import debian_programs, ramdisk
from tests.boot.linux.machine import boot
from tests.boot.linux.primary import hypervisor_ramdisk
from tests.boot.linux.selection import MACHINES
from tests.boot.machine import hypervisor


@pytest.mark.parametrize(("model", "cpu_count"), MACHINES)
def test_linux_is_the_primary(model: str, cpu_count: int, tmp_path: Path) -> None:
    programs = debian_programs()
    file = tmp_path / "initrd.cpio"
    file.write_bytes(hypervisor_ramdisk(programs.kernel.read_bytes(), ramdisk(programs.busybox)))
    linux = boot(hypervisor().with_suffix(".bin"), file, model, cpu_count)
    linux.check(cpu_count)
