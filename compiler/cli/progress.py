"""Shows a build's phases: a moving line on a terminal while one lasts, and its time when it is over."""

import sys
from typing import TYPE_CHECKING

from compiler.cli import output
from compiler.driver.timing import Event, Phase

if TYPE_CHECKING:
    from rich.status import Status


class PhaseDisplay:
    """An observer for PhaseLog."""

    def __init__(self) -> None:
        self._status: Status | None = None

    def __call__(self, event: Event, phase: Phase) -> None:
        if event == "begin":
            self._begin(phase)
        else:
            self._end(phase)

    def _begin(self, phase: Phase) -> None:
        if sys.stdout.isatty():
            self._status = output.console().status(f"{phase.name} ...", refresh_per_second=10)
            self._status.start()

    def _end(self, phase: Phase) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
        detail = f"  {phase.detail}" if phase.detail else ""
        output.say(
            f"{phase.name:10}{phase.seconds:6.2f} s{detail}{'  (nothing changed)' if phase.cached else ''}", "dim"
        )
