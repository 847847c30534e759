"""What the CPU makes of the hypervisor's tables, on target: its walks and its TLB agree with the software's."""

import re

import pytest

from tests.boot import machine
from tests.boot.machine import boot

SURVIVED = 3


@pytest.mark.parametrize(("cpu", "regimes"), [("max", [3, 2]), ("neoverse-n1", [3, 2]), ("cortex-a57", [3])])
def test_the_cpu_sees_what_the_tables_say(cpu: str, regimes: list[int]) -> None:
    outcome = boot(machine.test_image("translation"), cpu)
    assert outcome.status == SURVIVED, outcome.console
    counts = re.findall(r"regime (\d): (\d+) pages as the tables say", outcome.console)
    assert [int(regime) for regime, _ in counts] == regimes
    assert all(int(count) > 500 for _, count in counts)
