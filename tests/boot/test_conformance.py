"""FF-A's set-up and discovery on the machine: the table of the host tests, by every kind of caller and version."""

import re

import pytest

from tests.boot.guest_runs import MANIFESTS, boot_guests


@pytest.mark.parametrize("cpu", ["max", "cortex-a57"])
def test_guests_find_every_row_answered_as_it_says(cpu: str) -> None:
    outcome = boot_guests(MANIFESTS / "conformance.dts", cpu)
    found = [re.fullmatch(r"\[(\d) 0\] version 1\.(\d): (\d+) rows, (\d+) wrong", line) for line in outcome.lines]
    rows = [match.groups() for match in found if match is not None]
    assert [int(partition) for partition, *_ in rows] == list(range(1, 10))
    assert {version for _, version, *_ in rows[1:5]} == {version for _, version, *_ in rows[5:]} == set("0123")
    assert all(int(count) > 250 and wrong == "0" for *_, count, wrong in rows)
    outcome.line(re.escape("[1 0] 9 partitions replayed their rows"))
    assert outcome.status == 0
