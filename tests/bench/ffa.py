"""EL2 instructions of calls and of booting, counted one by one on QEMU, sorted by kind, on CPUs with and without VHE.

The guest `measure` makes each kind of call 1,000 times and verifies every answer. A visit is what the hypervisor
executes from its vector up to the ERET, both included; a direct request and its response are two. `value` is the
largest of all rounds, `detail` has the smallest and the median, and the median round by kind. Limits apply to the
largest. Booting is all that is executed before the primary's first call.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path

from compiler.cli import output
from compiler.cli.bench import Options, Row
from compiler.driver import debian
from compiler.driver.errors import ToolError
from compiler.driver.images import find_image
from compiler.driver.initrd import make_initrd
from compiler.driver.paths import ROOT
from compiler.driver.pipeline import build
from compiler.driver.platforms import Platform, load_platform
from compiler.driver.runner import RunOptions, run_command
from compiler.driver.stages import CompilerStages, Profile, Target
from compiler.driver.timing import PhaseLog
from compiler.inspect.executable import Executable, read_executable
from hypervisor.guests.measured import ROUND_COUNT, VISIT_COUNTS, Measured
from hypervisor.memory.linear_map import UPPER_HALF
from tests.bench.trace import Counts, Kind, follow, kind_of, visits

VECTOR = "lower_sync"
MANIFESTS = Path("hypervisor", "guests", "manifests")
VISITS_AFTER = 1
"""SYSTEM_OFF."""


@dataclass(frozen=True)
class Mode:
    """A CPU of QEMU, how EL0 partitions run on it, and the most that a direct message and its response may take."""

    cpu: str
    title: str
    is_upper_half: bool
    direct_el0_limit: float
    direct_el1_limit: float
    cpu_count: int = 1


MODES = (
    Mode("max", "vhe, all keys", True, 300, 500),
    Mode("neoverse-n1", "vhe", True, 260, 500),
    Mode("cortex-a57", "tge", False, 300, 500),
    Mode("max", "vhe, all keys, 8 CPUs", True, 300, 500, 8),
)
LIMITS = {
    Measured.VERSION: 150.0,
    Measured.ID_GET: 60.0,
    Measured.FEATURES: 150.0,
    Measured.UNKNOWN: 60.0,
    Measured.INDIRECT_EL0: 1500.0,
}
HAFNIUM = {
    Measured.VERSION: (1453, 1444),
    Measured.ID_GET: (751, 742),
    Measured.FEATURES: (1469, 1460),
    Measured.UNKNOWN: (378, 369),
    Measured.PSCI_VERSION: (266, 257),
    Measured.DIRECT_EL0: (4574, None),
    Measured.DIRECT_EL1: (4618, 4604),
}
"""What Hafnium takes with VHE, and without."""
BOOTS = (
    ("boot_alone", "boot, no secondaries", 500_000.0, 10_349_850),
    ("boot_with_three", "boot, three EL1 secondaries of 1 MiB", 1_000_000.0, 15_981_892),
)


class Code:
    """The code of an image: where it lies, and the kind of each of its instructions."""

    def __init__(self, image: Executable) -> None:
        code = [section for section in image.sections if section.kind == "code"]
        self.start = min(section.address for section in code)
        self.size_bytes = max(section.address + section.size_bytes for section in code) - self.start
        self.vector = next(address for address, name in image.symbols if name == VECTOR)
        self._words = {
            section.address + offset: int.from_bytes(section.data[offset : offset + 4], "little")
            for section in code
            for offset in range(0, section.size_bytes, 4)
        }

    def count(self, executed: Iterable[int], offset: int) -> Counts:
        """How many instructions of each kind; the image runs `offset` above its addresses."""
        return Counts(kind_of(self._words[address - offset]) for address in executed)


class Bench:
    """The hypervisor's image, built, and machines to boot it on."""

    def __init__(self, options: Options) -> None:
        debian.require(["run"], "bench ffa")
        self.platform: Platform = load_platform(ROOT, "qemu")
        self.target = Target(ROOT, find_image("hypervisor"), self.platform, Profile.RELEASE)
        self.artefacts = build(self.target, CompilerStages(), PhaseLog()).artefacts
        self.code = Code(read_executable(self.artefacts["elf"].read_bytes()))
        self.verbose = options.verbose

    def command(self, manifest: str, cpu: str, cpu_count: int) -> list[str]:
        """The command that boots the image with a manifest's guests."""
        initrd = make_initrd(self.target, ROOT / MANIFESTS / f"{manifest}.dts", CompilerStages(), PhaseLog()).file
        simulation = RunOptions(cpu_count, cpu, instruction_count=True)
        command = run_command(self.platform, self.artefacts["elf"], self.artefacts["bin"], simulation, initrd)
        if self.verbose:
            output.say(f"$ {shlex.join(command)}", "dim")
        return command

    def calls(self, mode: Mode) -> list[Row]:
        """A row for each kind of call."""
        offset = UPPER_HALF if mode.is_upper_half else 0
        command = self.command("measure", mode.cpu, mode.cpu_count)
        executed = follow(command, self.code.start + offset, self.code.size_bytes)
        counted = [self.code.count(visit, offset) for visit in visits(executed, self.code.vector + offset)]
        expected = ROUND_COUNT * sum(VISIT_COUNTS.get(kind, 1) for kind in Measured) + VISITS_AFTER
        if len(counted) < expected:
            raise ToolError(
                "B114",
                f"the image was entered {len(counted)} times where its guests make at least {expected} calls",
                where="bench ffa",
                fix="bring tests/bench/ffa.py and hypervisor/guests/measure.py together",
                status=1,
            )
        remaining = iter(counted[len(counted) - expected :])
        return [each for kind in Measured for each in self._rows(mode, kind, remaining)]

    def _rows(self, mode: Mode, kind: Measured, remaining: Iterable[Counts]) -> list[Row]:
        visit_count = VISIT_COUNTS.get(kind, 1)
        found = list(islice(remaining, visit_count * ROUND_COUNT))
        rounds = [sum(found[at : at + visit_count], Counts()) for at in range(0, len(found), visit_count)]
        limits = LIMITS | {
            Measured.DIRECT_EL0: mode.direct_el0_limit,
            Measured.DIRECT_EL1: mode.direct_el1_limit,
        }
        hafnium = HAFNIUM.get(kind, (None, None))[0 if mode.is_upper_half else 1]
        title = f"{mode.title}: {kind.value}"
        if kind not in (Measured.INDIRECT_EL0, Measured.INDIRECT_EL1):
            return [row(title, hafnium, rounds, limits.get(kind))]
        received = [sum(found[at : at + visit_count - 1], Counts()) for at in range(0, len(found), visit_count)]
        return [row(title, hafnium, received, limits.get(kind)), row(f"{title} + MSG_WAIT", hafnium, rounds, None)]

    def boot(self, manifest: str, title: str, limit: float, hafnium: int) -> Row:
        """Everything before the primary's first call, on a machine with one CPU that has VHE."""
        command = self.command(manifest, "max", 1)
        counts = Counts()
        for offset in (0, UPPER_HALF):
            executed = follow(command, self.code.start + offset, self.code.size_bytes)
            before = takewhile(lambda address: address != self.code.vector + UPPER_HALF, executed)
            counts += self.code.count(before, offset)
        return row(title, hafnium, [counts], limit)


def run(options: Options) -> list[Row]:
    """Every kind of call in every mode, and booting."""
    bench = Bench(options)
    rows = [bench.boot(*arguments) for arguments in BOOTS]
    for mode in MODES:
        rows += bench.calls(mode)
    return rows


def row(title: str, hafnium: int | None, rounds: Sequence[Counts], limit: float | None) -> Row:
    """The largest of some rounds, and what they are made of."""
    ordered = sorted(rounds, key=lambda counts: counts.total())
    middle = ordered[len(ordered) // 2]
    kinds = " + ".join(f"{middle[kind]} {kind.value}" for kind in Kind)
    detail = f"min {ordered[0].total()}, median {middle.total()} = {kinds}"
    name = title if hafnium is None else f"{title} (Hafnium {hafnium:,})"
    return Row(name, ordered[-1].total(), "instructions", limit, detail)
