"""The schedule of a block on an in-order and an out-of-order core, as llvm-mca models them.

llvm-mca looks at straight-line code in text order and assumes cache hits: its cycles compare two versions of a block,
they do not predict a run. An instruction that it cannot model takes the place of a NOP, and its row says so.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict, cast

from compiler.asm.block import AssembledBlock

IN_ORDER, OUT_OF_ORDER = "cortex-a55", "neoverse-n1"
_OPTIONS = ("-mtriple=aarch64", "-mattr=+v8.5a", "-iterations=1", "-json", "-timeline", "-timeline-max-cycles=0")
_BAD_LINE = re.compile(r"^<stdin>:(\d+):\d+: error", re.MULTILINE)
_UNSUPPORTED = re.compile(r"^note: instruction:\s+(\S+)", re.MULTILINE)


class _InstructionInfo(TypedDict):
    Latency: int
    hasUnmodeledSideEffects: bool


class _InstructionInfoView(TypedDict):
    InstructionList: list[_InstructionInfo]


class _Timeline(TypedDict):
    CycleIssued: int
    CycleExecuted: int


class _TimelineView(TypedDict):
    TimelineInfo: list[_Timeline]


class _Summary(TypedDict):
    TotalCycles: int


class _Region(TypedDict):
    InstructionInfoView: _InstructionInfoView
    TimelineView: _TimelineView
    SummaryView: _Summary


class _Report(TypedDict):
    CodeRegions: list[_Region]


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One instruction: the cycles, from the block's start, in which it issues and in which its result is there.

    `modelled` is false where the model knows no cost, as for system registers and barriers.
    """

    offset: int
    line: int
    text: str
    issue_cycle: int
    done_cycle: int
    latency_cycles: int
    modelled: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """A block on one core: its rows, and the cycles until the last instruction has retired."""

    cpu: str
    rows: tuple[ScheduleRow, ...]
    total_cycles: int


class ScheduleUnavailable(Exception):
    """llvm-mca is missing or does not know the core; the text says what to do."""


def _analyse(tool: str, cpu: str, lines: Sequence[str]) -> tuple[_Region, set[int]]:
    """llvm-mca's report on the lines, and the indices of those that it could not take."""
    lines = list(lines)
    replaced: set[int] = set()
    while True:
        command = [tool, f"-mcpu={cpu}", *_OPTIONS]
        run = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=60)
        bad = {int(number) - 1 for number in _BAD_LINE.findall(run.stderr)}
        for mnemonic in _UNSUPPORTED.findall(run.stderr):
            bad |= {index for index, line in enumerate(lines) if line.split()[0] == mnemonic}
        bad -= replaced
        if not bad and (run.returncode != 0 or not run.stdout.lstrip().startswith("{")):
            message = (run.stderr.strip().splitlines() or ["no message"])[0]
            raise ScheduleUnavailable(f"llvm-mca -mcpu={cpu} rejects the block: {message}")
        if not bad:
            return cast(_Report, json.loads(run.stdout))["CodeRegions"][0], replaced
        for index in bad:
            lines[index] = "nop"
        replaced |= bad


def schedule(block: AssembledBlock, cpu: str) -> Schedule:
    """The schedule of a block on `cpu`, such as `IN_ORDER` or `OUT_OF_ORDER`. Raises ScheduleUnavailable."""
    tool = shutil.which("llvm-mca")
    if tool is None:
        raise ScheduleUnavailable("llvm-mca is not installed; run: sudo apt-get install llvm")
    region, replaced = _analyse(tool, cpu, [instruction.text for instruction in block.instructions])
    infos = region["InstructionInfoView"]["InstructionList"]
    timeline = region["TimelineView"]["TimelineInfo"]
    rows = tuple(
        ScheduleRow(
            offset=instruction.offset,
            line=instruction.line,
            text=instruction.text,
            issue_cycle=cycles["CycleIssued"],
            done_cycle=cycles["CycleExecuted"],
            latency_cycles=info["Latency"],
            modelled=index not in replaced and not info["hasUnmodeledSideEffects"],
        )
        for index, (instruction, info, cycles) in enumerate(zip(block.instructions, infos, timeline, strict=False))
    )
    return Schedule(cpu, rows, region["SummaryView"]["TotalCycles"])
