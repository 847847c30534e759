"""Boots Linux on QEMU until it switches the machine off, and reads what it said."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tools import debian_tool

TIMEOUT_SECONDS = 300
MEMORY_MIB = 1024
MODELS = {"max": "max,pauth-impdef=on"}
"""What a CPU model becomes: QEMU computes the architected pointer authentication code a hundred times more slowly."""
CONSOLE = "console=ttyAMA0 earlycon=pl011,mmio32,0x09000000"
TROUBLE = re.compile(
    r"\b(BUG|Oops|WARNING|Internal error|Kernel panic|SANITY CHECK|Unable to handle|Call trace|FAILED)\b"
    r"|undefined instruction|rcu:.*stall|CPU\d+: failed|Bad mode"
)


@dataclass(frozen=True)
class Linux:
    """What a run of the guest printed."""

    console: str

    def said(self, pattern: str) -> str:
        """What stands behind "init: " in the one line of the first process that the pattern matches."""
        lines = [line.removeprefix("init: ") for line in self.console.splitlines() if line.startswith("init: ")]
        found = [line for line in lines if re.search(pattern, line)]
        assert len(found) == 1, f"{len(found)} lines of init match {pattern!r} in:\n{self.console}"
        return found[0]

    def check(self, cpu_count: int) -> None:
        """Fail unless all CPUs came up, every load gave the right result, and the kernel complained about nothing."""
        trouble = [line for line in self.console.splitlines() if TROUBLE.search(line)]
        assert not trouble, f"{trouble[0]}\nin:\n{self.console}"
        online = "0" if cpu_count == 1 else f"0-{cpu_count - 1}"
        assert self.said("^online") == f"online CPUs: {online}, present: {online}"
        assert self.said("^cpu load").endswith(f"on each of {cpu_count} CPUs")
        assert "kept what was written" in self.said("^memory load")
        if cpu_count > 1:
            last = cpu_count - 1
            assert self.said("^restarted") == f"restarted CPU {last}: {last} CPUs without it, {cpu_count} with it"
        self.said("^done$")


def boot(kernel: Path, ramdisk: Path, cpu: str, cpu_count: int, virtualization: str = "on") -> Linux:
    """Start a kernel, or a hypervisor in its place, and wait until the machine is switched off.

    `virtualization`: whether the CPUs have EL2 ("on") or not ("off").
    """
    command = [debian_tool("qemu-system-aarch64"), "-machine", f"virt,virtualization={virtualization},gic-version=3"]
    command += ["-cpu", MODELS.get(cpu, cpu), "-smp", str(cpu_count), "-m", f"{MEMORY_MIB}M"]
    command += ["-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot"]
    command += ["-kernel", str(kernel), "-initrd", str(ramdisk), "-append", CONSOLE]
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        console = (late.output or b"").decode(errors="replace")
        pytest.fail(f"the machine was not switched off within {TIMEOUT_SECONDS} s:\n{console}", pytrace=False)
    console = result.stdout.decode(errors="replace")
    assert result.returncode == 0, console
    return Linux(console)
