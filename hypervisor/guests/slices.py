"""A primary that lets `spinner.py` run in slices of time, and is told by an interrupt of its own whom to schedule."""

from __future__ import annotations

from compiler.language import SystemRegister, Value, export, isb, truncate, u16, u64
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import Message
from hypervisor.ffa.protocol import VERSION_1_2
from hypervisor.guests import team
from hypervisor.guests.spinning import NOTIFICATION
from runtime import memory_functions
from runtime.partition import calls, discovery, interrupts, mailbox, psci, timer
from runtime.partition.console import log
from runtime.partition.functions import Call

ENTRY_POINTS = (memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)
OWN_ID = 1
SPINNER_ID = 2
SLICE_NANOSECONDS = 2_000_000
SPIN_NANOSECONDS = 100_000_000
SLICE_COUNT_LEAST = 4
SCHEDULE_RECEIVER_INTERRUPT = 8


class ICC_HPPIR1_EL1(SystemRegister):
    """The interrupt that would be taken next."""


@export("partition_main")
def partition_main() -> None:
    """Slices, then one long turn, then a notification."""
    calls.version(VERSION_1_2)
    error = mailbox.map_buffers()
    assert not isinstance(error, FfaError), "no buffers"
    error = discovery.discover()
    assert not isinstance(error, FfaError), "no list of partitions"
    team.start_partitions(OWN_ID)
    interrupts.enable_timer_interrupt()
    log(f"{spin_in_slices()} slices until the spinner answers")
    spin_at_once()
    log("the spinner's own timer does not preempt it")
    notify()
    log("told by an interrupt whom to schedule")
    psci.system_off()


def spin_in_slices() -> u64:
    """Our timer takes the CPU back while the spinner has the timer's registers; how often."""
    count: u64 = 0
    timer.start(SLICE_NANOSECONDS)
    result = ask()
    while result.x0 == Call.INTERRUPT.value:
        assert result.x1 == SPINNER_ID << 16, "another vCPU than the spinner's was preempted"
        count += 1
        timer.start(SLICE_NANOSECONDS)
        result = calls.run(SPINNER_ID, 0)
    timer.stop()
    check(result.x0, result.x4)
    assert count >= SLICE_COUNT_LEAST, "the spinner ran on when our timer fired"
    return count


def spin_at_once() -> None:
    """Nobody takes the CPU from the spinner but its own timer, which is no reason to."""
    result = ask()
    check(result.x0, result.x4)


def ask() -> Value[Message]:
    """Let the spinner spin."""
    return calls.request(OWN_ID, SPINNER_ID, Message(x3=SPIN_NANOSECONDS))


def check(function: u64, passed: u64) -> None:
    """It answers, after the time it was asked for."""
    assert function == Call.DIRECT_RESPONSE_64.value, "the spinner does not answer"
    assert passed >= SPIN_NANOSECONDS, "the spinner's timer fired too early"


def notify() -> None:
    """A notification makes SGI 8 pending here, and FFA_NOTIFICATION_INFO_GET names the spinner."""
    interrupts.enable_private_interrupt(SCHEDULE_RECEIVER_INTERRUPT)
    change = Message(x0=Call.NOTIFICATION_SET.value, x1=OWN_ID << 16 | SPINNER_ID, x3=NOTIFICATION)
    assert calls.call(change).x0 == Call.SUCCESS.value, "the spinner cannot be notified"
    isb()
    assert ICC_HPPIR1_EL1.read().raw == SCHEDULE_RECEIVER_INTERRUPT, "no interrupt to schedule the receiver"
    news = calls.call(Message(x0=Call.NOTIFICATION_INFO_GET_64.value))
    assert truncate(u16, news.x3) == SPINNER_ID, "another partition than the spinner has news"
