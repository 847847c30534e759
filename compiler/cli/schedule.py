"""`asm --schedule`: the cycles of an assembly block's instructions on an in-order and an out-of-order core."""

import shutil
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING

from compiler.cli import output
from compiler.driver.debian import install
from compiler.driver.errors import ToolError
from compiler.driver.stages import CompilerStages, Target, assembled_blocks

if TYPE_CHECKING:
    from compiler.asm import AssembledBlock
    from compiler.asm.schedule import Schedule


class Core(Enum):
    """The cores that blocks are scheduled for, by llvm-mca's names."""

    IN_ORDER = "cortex-a55"
    OUT_OF_ORDER = "neoverse-n1"


def show_schedules(symbol: str, target: Target, core: Core | None) -> None:
    """Print the schedules of the image's blocks of that name. Raises ToolError B112, and B401 without llvm-mca."""
    from compiler.asm.schedule import schedule

    blocks = _matching(symbol, assembled_blocks(CompilerStages().check(target).program))
    if shutil.which("llvm-mca") is None:
        install(["llvm"], "the schedule of an assembly block")
    for block in blocks:
        output.say(f"{block.name} ({block.file}:{block.first_line})", "bold")
        _show([schedule(block, each.value) for each in ([core] if core is not None else Core)])


def _matching(symbol: str, blocks: Sequence["AssembledBlock"]) -> list["AssembledBlock"]:
    found = [block for block in blocks if block.name == symbol]
    found = found or [block for block in blocks if block.name.endswith(f".{symbol}")]
    if not found:
        names = ", ".join(sorted(block.name for block in blocks)) or "none"
        fix = f"the image's assembly blocks: {names}"
        raise ToolError("B112", f"there is no assembly block '{symbol}'; only these have a schedule", fix=fix)
    return found


def _show(schedules: Sequence["Schedule"]) -> None:
    """One row for each instruction, and for each core the cycles in which it issues and its result is there."""
    cores = [schedule.cpu for schedule in schedules]
    numbers = [f"{core} {what}" for core in cores for what in ("issue", "done")]
    rows: list[list[str]] = []
    for parts in zip(*(schedule.rows for schedule in schedules), strict=True):
        cycles = [str(cycle) for row in parts for cycle in (row.issue_cycle, row.done_cycle)]
        mark = "" if all(row.modelled for row in parts) else "as NOP"
        rows.append([str(parts[0].line), f"{parts[0].offset:#x}", parts[0].text, *cycles, mark])
    output.show_table(["line", "offset", "instruction", *numbers, ""], rows, right=["line", "offset", *numbers])
    totals = ", ".join(f"{schedule.total_cycles} cycles on {schedule.cpu}" for schedule in schedules)
    output.say(f"{totals}; straight-line code, all accesses hit; `as NOP`: the model has no cost for it")
