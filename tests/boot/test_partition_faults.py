"""A partition that faults while it serves a request: it alone ends, with a report, and its requester is told."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.driver.paths import ROOT
from tests.boot.machine import boot

SOURCES = ("compiler", "hypervisor", "runtime", "linker_scripts", "build.py")
SERVED = "        message = calls.respond("
FAULTS = {
    "write to code": ("Ptr[u64].at(IMAGE_START.address()).value = 1", "data access failed"),
    "nothing there": ("Ptr[u64].at(VirtAddr(0x2000_0000)).value = 1", "data access failed"),
    "hypervisor": ("Ptr[u64].at(VirtAddr(0xFFFF_FF80_4020_0000)).value = 1", "data access failed"),
    "system register": ("VBAR_EL1.write(0)", "instruction that is undefined or not allowed"),
    "failed check": ("assert message.x3 != 5", "assertion failed, in hypervisor/partitions/pong.py:"),
}
DETAILS = {
    "write to code": "not permitted; the partition may read and execute there",
    "nothing there": "not mapped; the partition has no memory there",
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, to build a changed partition from."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def build_with(checkout: Path, fault: str) -> Path:
    """Build a hypervisor whose pong executes the statement when it gets the sixth request."""
    file = Path("hypervisor", "partitions", "pong.py")
    text = (ROOT / file).read_text(encoding="utf-8")
    assert SERVED in text
    text = text.replace(SERVED, f"        if message.x3 == 5:\n            {FAULTS[fault][0]}\n{SERVED}")
    text = text.replace("import export\n", "import Ptr, SystemRegister, VirtAddr, export, linker_symbol, u64\n")
    text += '\n\nIMAGE_START = linker_symbol("__image_start")\n\n\nclass VBAR_EL1(SystemRegister):\n    pass\n'
    (checkout / file).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "compiler.cli", "build", "-i", "hypervisor"]
    result = subprocess.run(command, cwd=checkout, capture_output=True, text=True, env=os.environ, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return checkout / "build" / "qemu" / "hypervisor.elf"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulting_partition_ends_alone(checkout: Path, fault: str) -> None:
    image = build_with(checkout, fault)
    for cpu in ("max", "cortex-a72"):
        outcome = boot(image, cpu)
        outcome.line("^partition pong: stopped at pc 0x1")
        outcome.line(r"^  at \S+ hypervisor/partitions/pong\.py:\d+$")
        outcome.line(f"^  cause: {FAULTS[fault][1]}")
        if fault in DETAILS:
            outcome.line(DETAILS[fault])
        outcome.line("^6 direct requests, 5 direct responses$")
        outcome.line("^  cause: no response, in hypervisor/partitions/ping.py:")
        assert outcome.status == 1
