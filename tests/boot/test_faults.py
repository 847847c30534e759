"""Deliberate faults on target: each ends in the panic report, which names the reason and the line at fault."""

from pathlib import Path

import pytest

from tests.boot import machine
from tests.boot.machine import Outcome, boot

PANIC_STATUS = 70
IMAGES = Path(__file__).parent / "images"
REASONS = {
    "overflow": "arithmetic overflow",
    "out_of_bounds": "index out of bounds",
    "misaligned_pointer": "pointer is null or misaligned",
    "unaligned": "data access failed: 0x[0-9a-f]+ is misaligned",
    "stack_overflow": "stack overflow",
    "write_to_code": "data access failed: 0xffffff8040001000 is not permitted",
    "undefined_instruction": "instruction that is undefined or not allowed",
}
FAULTY_TEXT = {
    "overflow": "largest + 1",
    "out_of_bounds": "TABLE[zero + 4]",
    "misaligned_pointer": "Ptr[u64].at(",
    "unaligned": "start.cast(u32).value",
    "stack_overflow": "stp     x29, x30",
    "write_to_code": ".value = 0",
    "undefined_instruction": "udf     #7",
}
LINES_BEFORE = dict.fromkeys(REASONS, 0) | {"unaligned": 2, "stack_overflow": 1}
"""How far above the access the line table's last entry may be: it has calls, checks and system instructions only."""


def run(name: str, cpu: str = "max") -> Outcome:
    return boot(machine.test_image(name), cpu)


def line_of(name: str) -> int:
    """The line of the image's source that is at fault."""
    lines = (IMAGES / f"{name}.py").read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if FAULTY_TEXT[name] in line)


@pytest.mark.parametrize("name", REASONS)
def test_the_report_names_reason_and_line(name: str) -> None:
    outcome = run(name)
    outcome.line(f"PANIC on CPU 0: {REASONS[name]}$")
    found = outcome.line(rf"^  at 0x[0-9a-f]{{16}} \S+ tests/boot/images/{name}\.py:\d+$")
    line = int(found.rpartition(":")[2])
    assert line_of(name) - LINES_BEFORE[name] <= line <= line_of(name)
    assert outcome.status == PANIC_STATUS
    assert "survived" not in outcome.console


def test_the_report_has_registers_and_callers() -> None:
    outcome = run("overflow")
    for register in [f"x{number}" for number in range(31)] + ["sp", "esr", "far"]:
        outcome.line(rf" {register} +0x[0-9a-f]{{16}}")
    backtrace = outcome.console.partition("  backtrace")[2]
    assert "image_main tests/boot/images/harness.py:" in backtrace


def test_faults_are_reported_at_physical_addresses_too() -> None:
    outcome = run("overflow", "cortex-a72")
    outcome.line("PANIC on CPU 0: arithmetic overflow$")
    outcome.line(rf"^  at 0x00000000400[0-9a-f]{{5}} fault tests/boot/images/overflow\.py:{line_of('overflow')}$")
    assert outcome.status == PANIC_STATUS
