"""The virtual timer as a guest at EL1 uses it (DDI 0487, D11)."""

from __future__ import annotations

from compiler.language import SystemRegister, bit, bits, isb, u64, wfi
from runtime.partition.conduit import ffa_call
from runtime.partition.functions import Paravirtual

NANOSECONDS = 1_000_000_000
TIMER_INTERRUPT = 3
"""The hypervisor's number for a VM's virtual timer."""


class CNTFRQ_EL0(SystemRegister):
    """Ticks per second."""

    HZ = bits(31, 0)


class CNTVCT_EL0(SystemRegister):
    """The virtual count."""


class CNTV_TVAL_EL0(SystemRegister):
    """Ticks until the virtual timer fires."""


class CNTV_CTL_EL0(SystemRegister):
    """The virtual timer."""

    ENABLE = bit(0)
    MASK = bit(1)
    FIRED = bit(2)


def now() -> u64:
    """Ticks."""
    isb()
    return CNTVCT_EL0.read().raw


def ticks_of(nanoseconds: u64) -> u64:
    """How many ticks that are."""
    return nanoseconds * CNTFRQ_EL0.read().HZ // NANOSECONDS


def nanoseconds_of(ticks: u64) -> u64:
    """How long that is."""
    return ticks * NANOSECONDS // CNTFRQ_EL0.read().HZ


def enable_timer_interrupt() -> bool:
    """For a secondary: let the virtual timer's interrupt be pending for us. Whether the hypervisor does that."""
    result, _, _, _, _, _, _, _ = ffa_call(Paravirtual.INTERRUPT_ENABLE.value, TIMER_INTERRUPT, 1, 0, 0, 0, 0, 0)
    return result == 0


def take_interrupt() -> u64:
    """For a secondary: the next pending interrupt, which is then no longer pending; all ones where there is none."""
    result, _, _, _, _, _, _, _ = ffa_call(Paravirtual.INTERRUPT_GET.value, 0, 0, 0, 0, 0, 0, 0)
    return result & 0xFFFF_FFFF


def sleep(nanoseconds: u64) -> None:
    """For a secondary: wait for the timer by WFI, interrupts masked."""
    start(nanoseconds)
    while not CNTV_CTL_EL0.read().FIRED:
        wfi()
    stop()


def start(nanoseconds: u64) -> None:
    """Let the timer's interrupt come."""
    CNTV_TVAL_EL0.write(ticks_of(nanoseconds))
    CNTV_CTL_EL0.write(CNTV_CTL_EL0.ENABLE)
    isb()


def stop() -> None:
    """Switch the timer off; its interrupt is then no longer pending."""
    CNTV_CTL_EL0.write(0)
    isb()
