"""The hypervisor with its partitions, from start-up to the end of the run, in both modes and on several CPUs."""

import re

import pytest

from compiler.driver.stages import Profile
from tests.boot.machine import boot, hypervisor

VHE = "EL2 with E2H, partitions by stage 1, at 0xffffff8040200000"
NO_VHE = "EL2 without E2H, partitions by stage 2, at 0x40200000"
EXCHANGE = [
    "pong: ready",
    "ping: FF-A 1.2, my ID is 3",
    "ping: 1000 requests answered, all answers right",
    "1000 direct requests, 1000 direct responses",
    "2 of 2 partitions wait for messages, 0 aborted",
]


@pytest.mark.parametrize(("cpu", "mode"), [("max", VHE), ("neoverse-n1", VHE), ("cortex-a72", NO_VHE)])
@pytest.mark.parametrize("cpu_count", [1, 4])
def test_partitions_exchange_messages(cpu: str, mode: str, cpu_count: int) -> None:
    outcome = boot(hypervisor(), cpu, cpu_count)
    assert outcome.lines[0] == f"Tantalum hypervisor on qemu: {mode}"
    found = [line for line in outcome.lines if line in EXCHANGE]
    if cpu_count > 1:  # pong and ping start at the same time
        found[:2] = sorted(found[:2], reverse=True)
    assert found == EXCHANGE
    assert outcome.status == 0


@pytest.mark.parametrize("cpu_count", [1, 2, 8])
def test_every_cpu_comes_online(cpu_count: int) -> None:
    outcome = boot(hypervisor(), "max", cpu_count)
    online = [line for line in outcome.lines if re.fullmatch(r"CPU \d online", line)]
    assert online == [f"CPU {index} online" for index in range(1, cpu_count)]
    assert outcome.line("CPUs online").startswith(f"{cpu_count} of at most 8 CPUs online")


def test_one_cpu_gives_the_same_console_every_time() -> None:
    assert boot(hypervisor()) == boot(hypervisor())


def test_busy_partitions_are_asked_again_and_no_message_is_lost() -> None:
    for _ in range(5):
        outcome = boot(hypervisor(), "max", 4)
        errors = re.search(r"(\d+) FF-A calls, (\d+) of them", outcome.console)
        assert errors is not None
        assert int(errors[1]) == 2012 + int(errors[2])
        assert outcome.status == 0


def test_the_flat_binary_boots_like_the_elf_file() -> None:
    assert boot(hypervisor().with_suffix(".bin")) == boot(hypervisor())


@pytest.mark.parametrize("cpu", ["max", "cortex-a72"])
def test_unoptimised_code_does_the_same(cpu: str) -> None:
    outcome = boot(hypervisor(Profile.DEBUG), cpu)
    assert [line for line in outcome.lines if line in EXCHANGE] == EXCHANGE
    assert outcome.status == 0
