"""Phase times: order, annotations, and failing phases."""

import pytest

from compiler.driver.timing import Event, Phase, PhaseLog


def test_phases_are_told_while_they_happen() -> None:
    told: list[tuple[Event, str, str]] = []

    def observe(event: Event, phase: Phase) -> None:
        told.append((event, phase.name, phase.detail))

    log = PhaseLog(observe)
    with log.phase("load") as phase:
        phase.detail = "3 files"
    with pytest.raises(ValueError, match="bad"), log.phase("check"):
        raise ValueError("bad")
    assert told == [
        ("begin", "load", ""),
        ("end", "load", "3 files"),
        ("begin", "check", ""),
        ("end", "check", ""),
    ]
    assert log.seconds == sum(phase.seconds for phase in log.phases) > 0
