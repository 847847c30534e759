"""What guests at EL1 find in the CPU, and what others leave of a primary's registers: programs in C that look."""

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


def build(folder: Path, source: str, name: str, *flags: str) -> None:
    """Compile a program to FOLDER/NAME.bin."""
    elf = folder / f"{name}.elf"
    gcc = [debian_tool("aarch64-linux-gnu-gcc"), *FLAGS, *flags, str(SOURCES / source), "-o", str(elf)]
    subprocess.run(gcc, check=True)
    objcopy = [debian_tool("aarch64-linux-gnu-objcopy"), "-O", "binary", str(elf), str(folder / f"{name}.bin")]
    subprocess.run(objcopy, check=True)


def boot(folder: Path, manifest: str, name: str, primary: str, cpu: str) -> Outcome:
    """Boot the hypervisor with a manifest of ours, which may have been changed, and a primary in FOLDER."""
    for file in MANIFESTS.glob("*.dts"):
        if not (folder / file.name).exists():
            (folder / file.name).write_bytes(file.read_bytes())
    changed = folder / f"{name}-{cpu}.dts"
    changed.write_text(manifest.replace('"stress.bin"', f'"{primary}.bin"'))
    return boot_guests(changed, cpu, 1)


def value(outcome: Outcome, title: str, vcpu: str = "1 0") -> int:
    """The number behind a title."""
    return int(outcome.line(rf"\[{vcpu}\] {title} [0-9a-f]{{16}}").split()[-1], 16)


@pytest.mark.parametrize("cpu", ["max", "neoverse-n1", "cortex-a57"])
def test_the_primary_has_its_cpu(tmp_path: Path, cpu: str) -> None:
    build(tmp_path, "state.c", "state")
    outcome = boot(tmp_path, (MANIFESTS / "stress.dts").read_text(), "state", "state", cpu)
    assert value(outcome, "identification exceptions") == 0
    assert value(outcome, "hidden") == 0
    assert value(outcome, "own registers exceptions") == 0
    assert value(outcome, "cycles counted") == 1
    assert value(outcome, "undefined") == UNDEFINED
    assert value(outcome, "read of foreign memory") == DATA_ABORT_AT_EL1 | EXTERNAL
    assert value(outcome, "its address") == 0x4000_1000
    assert value(outcome, "write to foreign memory") == DATA_ABORT_AT_EL1 | EXTERNAL | WRITE
    if cpu == "max":
        for mode in ("vector", "streaming"):
            assert value(outcome, f"{mode} length") == 256
            assert value(outcome, f"{mode} answers") == REQUESTS
            assert value(outcome, f"{mode} wrong bytes") == 0
        assert value(outcome, "second pointer") == 0x5EC2E7
    assert value(outcome, "exceptions") == 3
    assert outcome.status == 0


MANIFEST_OF_TWO = """
/dts-v1/;

/ {
	hypervisor {
		compatible = "hafnium,hafnium";

		vm1 {
			debug_name = "primary";
			kernel_filename = "stress.bin";
		};

		vm2 {
			is_ffa_partition;
			hyp_loaded;
			debug_name = "secondary";
			vcpu_count = <2>;
			mem_size = <0x100000>;
			kernel_filename = "secondary.bin";
			fdt_filename = "echo_el1.dtb";
		};
	};
};
"""
ERROR, INTERRUPT, MSG_WAIT, SLEEP = 0x8400_0060, 0x8400_0062, 0x8400_006B, 0xFF06


@pytest.mark.parametrize("cpu", ["max", "neoverse-n1", "cortex-a57"])
def test_a_secondary_starts_its_second_vcpu(tmp_path: Path, cpu: str) -> None:
    build(tmp_path, "vcpus.c", "primary", "-DPRIMARY")
    build(tmp_path, "vcpus.c", "secondary")
    (tmp_path / "echo_el1.dts").write_text(
        (MANIFESTS / "echo_el1.dts").read_text().replace("execution-ctx-count = <1>", "execution-ctx-count = <2>")
    )
    outcome = boot(tmp_path, MANIFEST_OF_TWO, "two", "primary", cpu)
    titles = ["an idle vCPU", "the second", "the first", "a vCPU that is off"]
    first, second, third, last = [value(outcome, f"run of {title}") for title in titles]
    found = [first, value(outcome, "start"), second, third, last]
    assert [number >> 32 for number in found] == [ERROR, INTERRUPT, SLEEP, MSG_WAIT, ERROR]
    assert [number & 0xFFFF_FFFF for number in found[1:4]] == [2 << 16 | 1, 2 << 16 | 1, 2 << 16]
    assert value(outcome, "undefined", "2 0") == 6 << 32 | UNDEFINED
    assert value(outcome, "exceptions", "2 0") == 6
    assert value(outcome, "shown", "2 0") & 0xFFF == 0, "neither GIC, RAS, SVE nor counters"
    assert value(outcome, "PSCI", "2 0") == 0x1_0001
    assert value(outcome, "second is off", "2 0") == value(outcome, "second is off again", "2 0") == 1
    assert value(outcome, "started", "2 0") == 0
    assert value(outcome, "argument", "2 1") == 0x5EC2_E700_0000_01
    assert value(outcome, "affinity", "2 1") == 1 << 31 | 1
    assert outcome.status == 0
