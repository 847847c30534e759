"""A primary that makes each partition (of `faulty.py`) fail in another way, and shows that all others go on.

Partition n gets the n-th kind of fault, counted from 2 and starting over; the last of all partitions gets none and has
to answer after each fault.
"""

from __future__ import annotations

from compiler.language import Array, address_of, array, constant, export, static, u16, u64
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import Message
from hypervisor.ffa.protocol import VERSION_1_2
from hypervisor.guests import team
from hypervisor.guests.fault_kinds import FaultKind
from runtime import memory_functions
from runtime.partition import calls, discovery, interrupts, mailbox, psci, timer
from runtime.partition.console import log
from runtime.partition.discovery import PARTITIONS
from runtime.partition.functions import Call

ENTRY_POINTS = (memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)
OWN_ID = 1
KIND_COUNT = 7
NAMES: Array[str] = constant([kind.name.lower().replace("_", " ") for kind in FaultKind])
UNTOUCHED = 0x1234_5678_9ABC_DEF0
TARGET: Array[u64] = static(array(8))
"""What partitions try to write to."""
TIME_SLICE_NANOSECONDS = 5_000_000
SLICE_COUNT = 3


@export("partition_main")
def partition_main() -> None:
    """One fault after the other."""
    calls.version(VERSION_1_2)
    error = mailbox.map_buffers()
    assert not isinstance(error, FfaError), "no buffers"
    error = discovery.discover()
    assert not isinstance(error, FfaError), "no list of partitions"
    team.start_partitions(OWN_ID)
    interrupts.enable_timer_interrupt()
    TARGET[0] = UNTOUCHED
    last = PARTITIONS.count - 1
    for index in range(1, last):
        kind = FaultKind.decode(1 + (index - 1) % KIND_COUNT)
        assert kind is not None, "fewer kinds than counted"
        provoke(PARTITIONS.entries[index].id, kind)
        assert TARGET[0] == UNTOUCHED, "a partition wrote to our memory"
        assert answers(PARTITIONS.entries[last].id, index), "another partition suffers from the fault"
    log(f"{last - 1} faults, all contained")
    psci.system_off()


def answers(partition: u16, number: u64) -> bool:
    """Whether a partition still does what it should."""
    result = calls.request(OWN_ID, partition, Message(x3=FaultKind.NONE.value, x4=number))
    return result.x0 == Call.DIRECT_RESPONSE_64.value and result.x4 == number + 1


def provoke(partition: u16, kind: FaultKind) -> None:
    """Ask for a fault; the partition has to be stopped, or to answer where that was not fatal."""
    name = NAMES[kind.value]
    if kind == FaultKind.ENDLESS_LOOP:
        preempt(partition)
        log(f"partition {partition}: {name}, preempted")
        return
    result = calls.request(OWN_ID, partition, Message(x3=kind.value, x4=address_of(TARGET).address.raw))
    if result.x0 == Call.DIRECT_RESPONSE_64.value:
        assert kind == FaultKind.UNKNOWN_SMC, "a fault that has no consequence"
        assert answers(partition, 1), "the partition does not go on"
        log(f"partition {partition}: {name}, answered")
        return
    assert calls.is_error(result, FfaError.ABORTED), "a fault that is not answered with ABORTED"
    again = calls.request(OWN_ID, partition, Message(x3=FaultKind.NONE.value))
    assert calls.error_of(again) is not None, "a stopped partition answers"
    log(f"partition {partition}: {name}, stopped")


def preempt(partition: u16) -> None:
    """Let a partition that never ends have a few slices of time."""
    timer.start(TIME_SLICE_NANOSECONDS)
    result = calls.request(OWN_ID, partition, Message(x3=FaultKind.ENDLESS_LOOP.value))
    for _ in range(SLICE_COUNT):
        assert result.x0 == Call.INTERRUPT.value, "an endless loop is not interrupted"
        timer.start(TIME_SLICE_NANOSECONDS)
        result = calls.run(partition, 0)
    timer.stop()
