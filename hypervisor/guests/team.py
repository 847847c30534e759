"""What every primary with several CPUs does: start the others, start the partitions, work together, end together."""

from __future__ import annotations

from typing import NoReturn

from compiler.language import Atomic, Ordering, panic, spin_hint, static, struct, u16, u64
from hypervisor.platform import PLATFORM
from runtime.partition import calls, psci
from runtime.partition.discovery import PARTITIONS
from runtime.partition.functions import Call


@struct
class Progress:
    """What the CPUs tell each other."""

    online_count: Atomic[u64] = Atomic(0)
    is_begun: Atomic[u64] = Atomic(0)
    finished_count: Atomic[u64] = Atomic(0)
    """CPUs other than the first."""


PROGRESS: Progress = static(Progress())


def start_cpus() -> u64:
    """Start CPUs until there are no more; how many there are. Each calls `wait_for_begin`."""
    count: u64 = 1
    while count < PLATFORM.cpu_count_max and psci.start_cpu(count << PLATFORM.affinity_shift, count):
        while PROGRESS.online_count.load(Ordering.ACQUIRE) != count:
            spin_hint()
        count += 1
    return count


def wait_for_begin() -> None:
    """On every CPU but the first."""
    PROGRESS.online_count.fetch_add(1, Ordering.RELEASE)
    while PROGRESS.is_begun.load(Ordering.ACQUIRE) == 0:
        spin_hint()


def begin() -> None:
    """On the first CPU: let the others go on."""
    PROGRESS.is_begun.store(1, Ordering.RELEASE)


def finish() -> NoReturn:
    """On every CPU but the first: the work is done."""
    PROGRESS.finished_count.fetch_add(1, Ordering.RELEASE)
    psci.cpu_off()
    panic("a CPU cannot be switched off")


def wait_for_others(cpu_count: u64) -> None:
    """On the first CPU: until all have finished."""
    while PROGRESS.finished_count.load(Ordering.ACQUIRE) != cpu_count - 1:
        spin_hint()


def start_partitions(own_id: u16) -> None:
    """Let every other partition run until it waits for messages."""
    for index in range(PARTITIONS.count):
        partition = PARTITIONS.entries[index].id
        if partition != own_id:
            result = calls.run(partition, 0)
            while result.x0 == Call.YIELD.value or result.x0 == Call.INTERRUPT.value:
                result = calls.run(partition, 0)
            assert result.x0 == Call.MSG_WAIT.value, "a partition does not come to wait for messages"
