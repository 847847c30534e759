"""Schedules of blocks by llvm-mca on both cores."""

import pytest

from compiler.asm.schedule import IN_ORDER, OUT_OF_ORDER, ScheduleUnavailable, schedule
from tests.compiler.asm.support import block
from tests.tools import debian_tool

_BLOCK = """in x0, x1
out x0
clobber x2, x3, memory
begin
    ldr     x2, [x0, #8]
    add     x2, x2, #1
    casal   x2, x1, [x0]
    mrs     x3, VSTTBR_EL2
    mul     x0, x2, x3
    cbz     x0, 1f
    str     x0, [x1]
1:  ret
"""


@pytest.mark.parametrize("cpu", [IN_ORDER, OUT_OF_ORDER])
def test_rows_follow_the_instructions(cpu: str) -> None:
    debian_tool("llvm-mca")
    result = schedule(block(_BLOCK), cpu)
    assert [(row.line, row.text.split()[0]) for row in result.rows] == list(
        enumerate(["ldr", "add", "casal", "mrs", "mul", "cbz", "str", "ret"], 5)
    )
    load, add = result.rows[:2]
    assert add.issue_cycle >= load.issue_cycle + load.latency_cycles - 1
    assert [row.text.split()[0] for row in result.rows if not row.modelled] == ["casal", "mrs", "ret"]
    assert result.total_cycles >= max(row.done_cycle for row in result.rows)


def test_unknown_core_is_refused() -> None:
    debian_tool("llvm-mca")
    with pytest.raises(ScheduleUnavailable, match="llvm-mca -mcpu=nothing rejects the block"):
        schedule(block(_BLOCK), "nothing")
