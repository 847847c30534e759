"""What a primary finds in the CPU, and what others leave of its registers: a program in C and assembly that looks."""

import subprocess
from pathlib import Path

import pytest

from tests.boot.guest_runs import MANIFESTS, boot_guests
from tests.boot.machine import Outcome
from tests.tools import debian_tool

SOURCES = Path(__file__).parent / "guests"
FLAGS = [
    *("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib", "-static", "-fPIE"),
    *("-fno-stack-protector", "-fno-tree-loop-distribute-patterns", "-mgeneral-regs-only", "-mstrict-align"),
    *("-march=armv8-a", "-Wl,--build-id=none,-no-pie", f"-Wl,-T,{SOURCES / 'echo.ld'},--no-warn-rwx-segments"),
]
UNDEFINED = 0x0200_0000
DATA_ABORT_AT_EL1 = 0x25 << 26 | 1 << 25
EXTERNAL, WRITE = 0x10, 0x40
REQUESTS = 40


def run(folder: Path, cpu: str) -> Outcome:
    """Boot the program with the partitions of the stress manifest, which keep secrets in their vector registers."""
    elf = folder / "state.elf"
    gcc = [debian_tool("aarch64-linux-gnu-gcc"), *FLAGS, str(SOURCES / "state.c"), "-o", str(elf)]
    subprocess.run(gcc, check=True)
    objcopy = [debian_tool("aarch64-linux-gnu-objcopy"), "-O", "binary", str(elf), str(folder / "state.bin")]
    subprocess.run(objcopy, check=True)
    for file in MANIFESTS.glob("*.dts"):
        (folder / file.name).write_bytes(file.read_bytes())
    manifest = folder / f"state-{cpu}.dts"
    manifest.write_text((MANIFESTS / "stress.dts").read_text().replace('"stress.bin"', '"state.bin"'))
    return boot_guests(manifest, cpu, 1)


@pytest.mark.parametrize("cpu", ["max", "neoverse-n1", "cortex-a57"])
def test_the_primary_has_its_cpu(tmp_path: Path, cpu: str) -> None:
    outcome = run(tmp_path, cpu)

    def value(title: str) -> int:
        return int(outcome.line(rf"\[1 0\] {title} [0-9a-f]{{16}}").split()[-1], 16)

    assert value("identification exceptions") == 0
    assert value("hidden") == 0
    assert value("own registers exceptions") == 0
    assert value("cycles counted") == 1
    assert value("undefined") == UNDEFINED
    assert value("read of foreign memory") == DATA_ABORT_AT_EL1 | EXTERNAL
    assert value("its address") == 0x4000_1000
    assert value("write to foreign memory") == DATA_ABORT_AT_EL1 | EXTERNAL | WRITE
    if cpu == "max":
        for mode in ("vector", "streaming"):
            assert value(f"{mode} length") == 256
            assert value(f"{mode} answers") == REQUESTS
            assert value(f"{mode} wrong bytes") == 0
        assert value("second pointer") == 0x5EC2E7
    assert value("exceptions") == 3
    assert outcome.status == 0
