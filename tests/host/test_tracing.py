"""Python's own tools on re-emitted functions: tracebacks, debuggers and line coverage show the dialect source."""

from __future__ import annotations

import bdb
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from compiler.check import check_program, check_source
from compiler.host import Interpreter, Session, TrapError
from compiler.host.native import Native
from compiler.program.program import Program

SOURCE = """from compiler.language import *


@struct
class Totals:
    sum: u32
    count: u8


def scaled(value: u32) -> u32:
    factor: u32 = 3
    return value * factor


def collect(
    totals: Totals,
    values: Slice[u32],
) -> u32:
    largest: u32 = 0
    for index, value in enumerate(values):
        if value > largest:
            largest = value
        elif value == 7:
            continue
        match index:
            case 0:
                totals.count = 0
            case 1 | 2:
                totals.count += 1
            case _:
                totals.count += 2
        totals.sum = (
            totals.sum
            + scaled(value)
        )
    return largest
"""


def line_of(text: str) -> int:
    """The line of the source that has this text."""
    return next(number for number, line in enumerate(SOURCE.splitlines(), 1) if text in line)


@pytest.fixture(name="program")
def fixture_program() -> Program:
    return check_source(SOURCE, ["collect"], module="traced")


def test_tracebacks_show_each_dialect_frame_and_line(program: Program) -> None:
    session = Interpreter(program)
    with pytest.raises(TrapError) as caught:
        session.call("collect", {"sum": 0, "count": 0}, [1, 2**31])
    frames = traceback.extract_tb(caught.value.__traceback__)
    dialect = [(frame.name, frame.lineno, frame.line) for frame in frames if frame.filename == "traced.py"]
    assert dialect == [
        ("collect", line_of("scaled(value)"), "+ scaled(value)"),
        ("scaled", line_of("value * factor"), "return value * factor"),
    ]
    assert frames[-1].filename == "traced.py"
    assert str(caught.value) == f"traced.py:{line_of('value * factor')}:12: arithmetic overflow"


class Recorder(bdb.Bdb):
    """Stops at one breakpoint and steps on from there; keeps where it was and what the locals were."""

    def __init__(self, file: str, line: int) -> None:
        super().__init__()
        self.stops: list[tuple[str, int, dict[str, Any]]] = []
        self.problem = self.set_break(file, line)

    def user_line(self, frame: FrameType) -> None:
        if self.stops or self.break_here(frame):
            self.stops.append((frame.f_code.co_name, frame.f_lineno, dict(frame.f_locals)))


def test_debuggers_break_step_and_show_locals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "traced_file.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    session = Interpreter(check_program(["traced_file.py:collect"], name="traced"))
    recorder = Recorder("traced_file.py", line_of("largest = value"))
    assert recorder.problem is None
    recorder.runcall(session.call, "collect", {"sum": 0, "count": 0}, [5])
    function, line, variables = recorder.stops[0]
    assert (function, line) == ("collect", line_of("largest = value"))
    assert {name: variables[name] for name in ("index", "value", "largest")} == {"index": 0, "value": 5, "largest": 0}
    stepped = [line for function, line, _ in recorder.stops if function in ("collect", "scaled")]
    assert line_of("totals.count = 0") in stepped and line_of("factor: u32") in stepped


def traced_lines(call: Callable[[], object]) -> set[int]:
    """Lines of the source on which Python reports a line event."""
    lines: set[int] = set()

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        if frame.f_code.co_filename != "traced.py":
            return None
        if event == "line":
            lines.add(frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return lines


EXPECTED: tuple[tuple[list[int], set[str]], ...] = (
    ([], {"largest: u32", "for index", "return largest"}),
    ([5], {"if value >", "largest = value", "match index", "case 0:", "totals.count = 0", "totals.sum = (", "factor:"}),
    ([9, 7], {"elif value ==", "continue"}),
    ([9, 1, 1, 1], {"case 1 | 2:", "totals.count += 1", "totals.count += 2"}),
)
"""Values to collect, and lines that run with them but not with those before."""


def collect_in(session: Session, values: list[int]) -> Callable[[], object]:
    """A call to trace."""
    return partial(session.call, "collect", {"sum": 0, "count": 0}, values)


def test_line_coverage_is_that_of_the_statements_run(program: Program) -> None:
    session = Interpreter(program)
    before: set[int] = set()
    for values, texts in EXPECTED:
        lines = traced_lines(collect_in(session, values))
        assert {line_of(text) for text in texts} <= lines
        assert not before or not {line_of(text) for text in texts} <= before
        before |= lines


def test_native_coverage_agrees(program: Program) -> None:
    interpreter = Interpreter(program)
    with Native(program, coverage=True) as native:
        for values, _ in EXPECTED:
            native.clear_lines()
            collect_in(native, values)()
            known = native.lines()
            ran = {line for (_, line), executed in known.items() if executed}
            lines = traced_lines(collect_in(interpreter, values))
            assert lines & {line for _, line in known} == ran
