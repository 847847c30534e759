"""A virtual machine that never gives its CPU away: it answers when its own virtual timer has interrupted it."""

from __future__ import annotations

from compiler.language import SystemRegister, bit, export, u64
from hypervisor.ffa.message import Message
from hypervisor.ffa.protocol import VERSION_1_2
from hypervisor.guests.spinning import NOTIFICATION
from runtime import memory_functions
from runtime.partition import calls, timer
from runtime.partition.functions import Call

ENTRY_POINTS = (memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)
PRIMARY_ID = 1


class ISR_EL1(SystemRegister):
    """Which interrupts are pending, masked or not."""

    I = bit(7)  # noqa: E741


@export("partition_main")
def partition_main() -> None:
    """x3 of a request: how many nanoseconds; x4 of the response: how many passed."""
    assert calls.version(VERSION_1_2) >= VERSION_1_2, "the hypervisor has another FF-A version"
    assert timer.enable_timer_interrupt(), "no interrupt of the virtual timer"
    own_id = calls.own_id()
    bind = Message(x0=Call.NOTIFICATION_BIND.value, x1=PRIMARY_ID << 16 | u64(own_id), x3=NOTIFICATION)
    assert calls.call(bind).x0 == Call.SUCCESS.value, "no notification from the primary"
    request = calls.wait()
    while True:
        start = timer.now()
        spin(request.x3)
        passed = timer.nanoseconds_of(timer.now() - start)
        request = calls.respond(request, Message(x3=request.x3, x4=passed))


def spin(nanoseconds: u64) -> None:
    """Until the timer interrupts; interrupts are masked, so it only becomes pending."""
    timer.start(nanoseconds)
    while not ISR_EL1.read().I:
        pass
    timer.stop()
    assert timer.take_interrupt() == timer.TIMER_INTERRUPT, "interrupted by something else than the timer"
    assert not ISR_EL1.read().I, "an interrupt that was taken is still pending"
