"""Times of a build's phases, told to whoever shows them while they happen."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from compiler.syntax.diagnostics import Diagnostic

Event = Literal["begin", "end"]


@dataclass
class Phase:
    """One phase; `detail` is a remark such as a count, `cached` says that an earlier result was taken."""

    name: str
    seconds: float = 0.0
    detail: str = ""
    cached: bool = False


def _ignore(_event: Event, _phase: Phase) -> None:
    pass


@dataclass
class PhaseLog:
    """The phases so far, in order. `observer` is called when each begins and ends, also when it
    fails; `warnings` are what the compiler found on the way and built in spite of."""

    observer: Callable[[Event, Phase], None] = _ignore
    warnings: list["Diagnostic"] = field(default_factory=list["Diagnostic"])
    phases: list[Phase] = field(default_factory=list[Phase])

    @contextmanager
    def phase(self, name: str) -> Generator[Phase]:
        """Time the body of the `with` statement as one phase, which the body may annotate."""
        phase = Phase(name)
        self.phases.append(phase)
        self.observer("begin", phase)
        start = time.perf_counter()
        try:
            yield phase
        finally:
            phase.seconds = time.perf_counter() - start
            self.observer("end", phase)

    @property
    def seconds(self) -> float:
        """The sum over all phases."""
        return sum(phase.seconds for phase in self.phases)
