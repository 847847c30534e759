"""A virtual machine that sleeps: each time that it is scheduled it waits for its virtual timer, then yields."""

from __future__ import annotations

from compiler.language import export
from hypervisor.ffa.protocol import VERSION_1_2
from hypervisor.guests.sleep_time import SLEEP_NANOSECONDS
from runtime import memory_functions
from runtime.partition import calls, timer

ENTRY_POINTS = (memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)


@export("partition_main")
def partition_main() -> None:
    """Sleep whenever scheduled."""
    assert calls.version(VERSION_1_2) >= VERSION_1_2, "the hypervisor has another FF-A version"
    assert timer.enable_timer_interrupt(), "no interrupt of the virtual timer"
    while True:
        calls.wait()
        start = timer.now()
        timer.sleep(SLEEP_NANOSECONDS)
        assert timer.nanoseconds_of(timer.now() - start) >= SLEEP_NANOSECONDS - 1000, "woken too early"
        assert timer.take_interrupt() == timer.TIMER_INTERRUPT, "woken by something else than the timer"
        calls.yield_cpu()
