"""A primary that schedules sleepers (`sleeper.py`) and holds what FFA_RUN tells about their sleep to the clock."""

from __future__ import annotations

from compiler.language import export, u16, u64
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import low
from hypervisor.ffa.protocol import VERSION_1_2
from hypervisor.guests import sleep_time, team
from runtime import memory_functions
from runtime.partition import calls, discovery, mailbox, psci, timer
from runtime.partition.console import log
from runtime.partition.discovery import PARTITIONS
from runtime.partition.functions import WAIT_FOR_INTERRUPT, Call

ENTRY_POINTS = (memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)
OWN_ID = 1
ROUND_COUNT = 3


@export("partition_main")
def partition_main() -> None:
    """One sleeper after the other."""
    calls.version(VERSION_1_2)
    error = mailbox.map_buffers()
    assert not isinstance(error, FfaError), "no buffers"
    error = discovery.discover()
    assert not isinstance(error, FfaError), "no list of partitions"
    team.start_partitions(OWN_ID)
    for index in range(1, PARTITIONS.count):
        for _ in range(ROUND_COUNT):
            watch_sleep(PARTITIONS.entries[index].id)
    log(f"{ROUND_COUNT * (PARTITIONS.count - 1)} sleeps, all as long as they had to be")
    psci.system_off()


def watch_sleep(partition: u16) -> None:
    """Run a sleeper until it yields."""
    start = timer.now()
    result = calls.run(partition, 0)
    asleep_count: u64 = 0
    remaining: u64 = sleep_time.SLEEP_NANOSECONDS
    while result.x0 == WAIT_FOR_INTERRUPT:
        asleep_count += 1
        told = u64(low(result.x2))
        assert told <= remaining, "the sleep becomes longer"
        if told != 0:
            remaining = told
        result = calls.run(partition, 0)
    elapsed = timer.nanoseconds_of(timer.now() - start)
    assert result.x0 == Call.YIELD.value, "the sleeper does not yield"
    assert asleep_count != 0 and remaining < sleep_time.SLEEP_NANOSECONDS, "FFA_RUN does not tell about the sleep"
    assert elapsed >= sleep_time.SLEEP_NANOSECONDS, "the sleep was too short"
    log(f"partition {partition}: asleep for {elapsed // 1000} us, as FFA_RUN said {asleep_count} times")
    assert calls.run(partition, 0).x0 == Call.MSG_WAIT.value, "the sleeper does not wait again"
