"""EL2 instructions of FF-A calls, counted one by one on QEMU, sorted by kind, per mode of EL0 partitions.

The image `measure` is the hypervisor with two partitions that make each kind of call 1,000 times and verify every
answer. A visit is what the hypervisor executes from its vector up to the ERET, both included; a direct request and its
response are two. `value` is the largest of all rounds, `detail` has the smallest and the median, and the median round
by kind. Limits apply to the largest. With PAuth, HYPERVISOR_KEY is loaded for the handlers and the key of the partition
before it goes on, see hypervisor/arch/aarch64/pointer_keys.py.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from compiler.cli import output
from compiler.cli.bench import Options, Row
from compiler.driver import debian
from compiler.driver.errors import ToolError
from compiler.driver.images import find_image
from compiler.driver.paths import ROOT
from compiler.driver.pipeline import build
from compiler.driver.platforms import load_platform
from compiler.driver.runner import RunOptions, run_command
from compiler.driver.stages import CompilerStages, Profile, Target
from compiler.driver.timing import PhaseLog
from compiler.inspect.executable import Executable, read_executable
from hypervisor.memory.linear_map import UPPER_HALF
from hypervisor.partitions.measure_ask import ROUND_COUNT, Measured
from tests.bench.trace import Counts, Kind, follow, kind_of, visits

VECTOR = "lower_sync"
VISITS_BEFORE = 1
"""measure_serve waits for its first request."""
VISITS_AFTER = 1
"""measure_ask is done and waits."""

SHORT = {
    Measured.VERSION: (150.0, 1453),
    Measured.ID_GET: (60.0, 751),
    Measured.FEATURES: (150.0, 1469),
    Measured.UNKNOWN: (60.0, 378),
    Measured.CONSOLE_LOG: (None, None),
}
"""The most that is allowed, and what Hafnium takes with VHE."""
DIRECT = (Measured.DIRECT_32, Measured.DIRECT_64)
HAFNIUM_DIRECT = 4574


@dataclass(frozen=True)
class Mode:
    """A CPU of QEMU, how partitions run on it, and the most that a direct request with its response may take."""

    cpu: str
    title: str
    is_upper_half: bool
    direct_limit: float


MODES = (
    Mode("max", "vhe, PAuth", True, 300),
    Mode("neoverse-n1", "vhe", True, 260),
    Mode("cortex-a72", "tge", False, 300),
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


def run(options: Options) -> list[Row]:
    """Every kind of call in every mode."""
    debian.require(["run"], "bench ffa")
    platform = load_platform(ROOT, "qemu")
    target = Target(ROOT, find_image(ROOT, "measure"), platform, Profile.RELEASE)
    artefacts = build(target, CompilerStages(), PhaseLog()).artefacts
    code = Code(read_executable(artefacts["elf"].read_bytes()))
    rows: list[Row] = []
    for mode in MODES:
        simulation = RunOptions(cpu=mode.cpu, instruction_count=True)
        command = run_command(platform, artefacts["elf"], artefacts["bin"], simulation)
        if options.verbose:
            output.say(f"$ {shlex.join(command)}", "dim")
        rows += measure(command, code, mode)
    return rows


def measure(command: Sequence[str], code: Code, mode: Mode) -> list[Row]:
    """Boot the image once, and make a row for each kind of call."""
    offset = UPPER_HALF if mode.is_upper_half else 0
    executed = follow(command, code.start + offset, code.size_bytes)
    counted = [code.count(visit, offset) for visit in visits(executed, code.vector + offset)]
    expected = VISITS_BEFORE + ROUND_COUNT * (len(SHORT) + 2 * len(DIRECT)) + VISITS_AFTER
    if len(counted) != expected:
        raise ToolError(
            "B114",
            f"the image was entered {len(counted)} times where its partitions make {expected} calls",
            where="bench ffa",
            fix="bring tests/bench/ffa.py and hypervisor/partitions/measure_ask.py together",
            status=1,
        )
    remaining = iter(counted[VISITS_BEFORE:])
    rows: list[Row] = []
    for kind, (limit, hafnium) in SHORT.items():
        rounds = list(islice(remaining, ROUND_COUNT))
        rows.append(_row(f"{mode.title}: {kind.value}", hafnium, rounds, limit))
    for kind in DIRECT:
        halves = list(islice(remaining, 2 * ROUND_COUNT))
        rounds = [request + response for request, response in zip(halves[::2], halves[1::2], strict=True)]
        hafnium = HAFNIUM_DIRECT if mode.is_upper_half else None
        rows.append(_row(f"{mode.title}: {kind.value}", hafnium, rounds, mode.direct_limit))
    return rows


def _row(title: str, hafnium: int | None, rounds: Sequence[Counts], limit: float | None) -> Row:
    ordered = sorted(rounds, key=Counts.total)
    middle = ordered[len(ordered) // 2]
    kinds = " + ".join(f"{middle[kind]} {kind.value}" for kind in Kind)
    detail = f"min {ordered[0].total()}, median {middle.total()} = {kinds}"
    name = title if hafnium is None else f"{title} (Hafnium {hafnium:,})"
    return Row(name, ordered[-1].total(), "instructions", limit, detail)
