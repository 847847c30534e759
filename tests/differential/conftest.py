"""How many differential cases ran, from which seed: printed at the end of the run. A test that hangs is ended."""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Generator
from typing import Any

import pytest

CASES = int(os.environ.get("TANTALUM_CASES", "2000"))
"""How many generated cases to run: TANTALUM_CASES=10000 ./build.py test --suite differential."""

SEED = int(os.environ.get("TANTALUM_SEED", "1"))
"""Seed of the first generated program; the following programs have the following seeds."""


_SECONDS_PER_TEST = 300


@pytest.fixture(autouse=True)
def end_a_hang() -> Generator[None]:
    """End the process, with its traceback, when wrong code never returns: native code cannot be interrupted."""
    faulthandler.dump_traceback_later(_SECONDS_PER_TEST, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Add the cases of all tests up."""
    counts: dict[str, int] = {}
    reports: list[pytest.TestReport] = [
        report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])
    ]
    for report in reports:
        for name, value in report.user_properties:
            if name.endswith(" cases"):
                counts[name] = counts.get(name, 0) + int(str(value))
    for name, count in counts.items():
        seed = f", seeds from {SEED}" if name == "generated cases" else ""
        terminalreporter.write_line(f"differential: {count} {name} ran in four ways{seed}")
