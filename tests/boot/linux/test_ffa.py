"""Linux with its arm_ffa driver as the primary VM: finds the partitions, gets right answers from all CPUs, and keeps
its timer while a partition loops.
"""

from pathlib import Path

import pytest

from tests.boot.linux.ffa_kernel import ffa_kernel
from tests.boot.linux.guest import debian_programs, ramdisk
from tests.boot.linux.machine import boot
from tests.boot.linux.primary import LOOPS, SERVICES, hypervisor_ramdisk
from tests.boot.linux.selection import MACHINES
from tests.boot.machine import hypervisor

ROUND_COUNT = 1000
LOAD_MODULE = f'insmod /ffa_check.ko round_count={ROUND_COUNT} || fail "the module ends with an error"\n'


@pytest.mark.parametrize(("model", "cpu_count"), MACHINES)
def test_the_driver_finds_and_asks_the_partitions(model: str, cpu_count: int, tmp_path: Path) -> None:
    kernel = ffa_kernel()
    first = ramdisk(
        debian_programs().busybox,
        {"ffa_check.ko": kernel.module.read_bytes(), "step.ffa": LOAD_MODULE.encode()},
    )
    file = tmp_path / "initrd.cpio"
    file.write_bytes(hypervisor_ramdisk(kernel.image.read_bytes(), first))
    linux = boot(hypervisor().with_suffix(".bin"), file, model, cpu_count)
    linux.check(cpu_count)
    answered = f"{cpu_count * ROUND_COUNT} right answers of {len(SERVICES)} partitions to {cpu_count} CPUs"
    assert f"ffa_check: {answered}" in linux.console
    assert linux.console.count("a loop is interrupted by the timer of its CPU") == len(LOOPS)
