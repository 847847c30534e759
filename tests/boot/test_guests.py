"""The hypervisor with our guests: messages, stress, sleep and faults, with VHE and without, on several CPUs."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.boot.guest_runs import MANIFESTS, boot_guests
from tests.boot.machine import Outcome
from tests.tools import debian_tool

CPUS = ["max", "neoverse-n1", "cortex-a57"]
SOURCES = Path(__file__).parent / "guests"
C_FLAGS = [
    *("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib", "-static", "-fPIE"),
    *("-fno-stack-protector", "-fno-tree-loop-distribute-patterns", "-mgeneral-regs-only", "-mstrict-align"),
    "-Wl,--build-id=none,-no-pie",
]


def numbers(outcome: Outcome, title: str) -> list[list[int]]:
    """The rows of numbers below the line that begins with a title."""
    start = next(index for index, line in enumerate(outcome.lines) if title in line)
    rows: list[list[int]] = []
    for line in outcome.lines[start + 1 :]:
        found = re.fullmatch(r"\[1 \d\] (?:vm)?([ \d]+)", line)
        if found is None:
            return rows
        rows.append([int(word) for word in found[1].split()])
    return rows


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("cpu_count", [1, 4, 8])
def test_every_partition_answers_every_cpu(cpu: str, cpu_count: int) -> None:
    outcome = boot_guests(MANIFESTS / "default.dts", cpu, cpu_count)
    outcome.line(rf"FF-A 1\.3; CPUs: {cpu_count}, other partitions: 4")
    rows = numbers(outcome, "direct  retried  indirect")
    assert [(row[0], row[1], row[3]) for row in rows] == [
        (number, 300 * cpu_count, 10 * (number % 2)) for number in (2, 3, 4, 5)
    ]
    outcome.line(f"{4 * 300 * cpu_count + 20} messages sent and answered, all answers right")
    assert outcome.status == 0


@pytest.mark.parametrize(("cpu", "cpu_count"), [("max", 8), ("neoverse-n1", 4), ("cortex-a57", 8)])
def test_no_message_is_lost_and_no_secret_leaks(cpu: str, cpu_count: int) -> None:
    outcome = boot_guests(MANIFESTS / "stress.dts", cpu, cpu_count)
    rows = numbers(outcome, "partition     sent")
    assert sum(row[1] for row in rows) == sum(row[2] for row in rows) == 100_000
    assert all(row[1] == row[2] > 1000 and row[3:] == [0, 0, 0] for row in rows)
    outcome.line("0 registers wrong, 0 secrets leaked")
    assert outcome.status == 0


@pytest.mark.parametrize("cpu", CPUS)
def test_sleep_is_as_long_as_it_has_to_be_and_told_to_the_scheduler(cpu: str) -> None:
    outcome = boot_guests(MANIFESTS / "timers.dts", cpu)
    outcome.line("6 sleeps, all as long as they had to be")
    assert outcome.status == 0


@pytest.mark.parametrize("cpu", CPUS)
def test_the_primary_takes_its_cpu_back_by_its_timer(cpu: str) -> None:
    outcome = boot_guests(MANIFESTS / "slices.dts", cpu)
    outcome.line(r"\d+ slices until the spinner answers")
    outcome.line("the spinner's own timer does not preempt it")
    outcome.line("told by an interrupt whom to schedule")
    assert outcome.status == 0


@pytest.mark.parametrize("cpu", CPUS)
def test_faults_are_contained(cpu: str) -> None:
    outcome = boot_guests(MANIFESTS / "faults.dts", cpu)
    kinds = ["absent memory", "foreign memory", "undefined", "unknown smc", "system register", "failed check"]
    for number, kind in enumerate([*kinds, "endless loop", *kinds, "endless loop"], 2):
        is_answered = kind == "unknown smc" and number < 9
        end = "answered" if is_answered else "preempted" if kind == "endless loop" else "stopped"
        outcome.line(f"partition {number}: {kind}, {end}")
    outcome.line("14 faults, all contained")
    assert outcome.status == 0


@pytest.mark.parametrize("cpu", CPUS)
def test_guests_in_c_need_nothing_of_our_library(tmp_path: Path, cpu: str) -> None:
    for name, flags in (("echo_el0", ['-DCONDUIT="svc"', "-DEL0"]), ("echo_el1", ['-DCONDUIT="hvc"'])):
        elf = tmp_path / f"{name}.elf"
        script = f"-Wl,-T,{SOURCES / 'echo.ld'},--no-warn-rwx-segments"
        gcc = [debian_tool("aarch64-linux-gnu-gcc"), *C_FLAGS, *flags, script, str(SOURCES / "echo.c"), "-o", str(elf)]
        subprocess.run(gcc, check=True)
        objcopy = [debian_tool("aarch64-linux-gnu-objcopy"), "-O", "binary", str(elf), str(tmp_path / f"{name}.bin")]
        subprocess.run(objcopy, check=True)
    for file in MANIFESTS.glob("*.dts"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    manifest = (tmp_path / "default.dts").rename(tmp_path / f"c-{cpu}.dts")
    outcome = boot_guests(manifest, cpu, 2)
    assert sorted(line for line in outcome.lines if "service in C" in line) == [
        f"[{number} 0] service in C" for number in (2, 4)
    ]
    outcome.line("2420 messages sent and answered, all answers right")
    assert outcome.status == 0
