"""The virtual timers of guests at EL1, and what stands in for the primary's while another guest has the registers.

A secondary's timer becomes virtual interrupt 3. Its IMASK bit is set then, or the physical interrupt would come back
for ever; the guest clears it when it sets the timer anew. The primary's timer goes on in CNTHP (`el1_state.py`), whose
interrupt the primary does not know: it is enabled here, comes to EL2 while a secondary runs, and is never
acknowledged, since CNTHP is off again as soon as the primary has its own timer back.
"""

from __future__ import annotations

from compiler.language import Bits, address_of, bit, cpu_index, u64, wrapping_sub
from hypervisor.arch.aarch64 import interrupts
from hypervisor.arch.aarch64.features import in_host_mode
from hypervisor.arch.aarch64.guest_registers import CNTV_CTL_EL0, CNTV_CTL_EL02, CNTV_CVAL_EL0, CNTV_CVAL_EL02
from hypervisor.arch.aarch64.registers import CNTFRQ_EL0, CNTPCT_EL0
from hypervisor.core.cpu import CPUS
from hypervisor.core.partition import PartitionKind
from hypervisor.core.vcpu import Vcpu
from hypervisor.core.virtual_interrupts import VirtualInterrupt
from hypervisor.drivers import gic

NANOSECONDS = 1_000_000_000
SECONDS_MAX = 1 << 33
"""Longer sleeps are told as this long."""
EL2_TIMER_INTERRUPT = 26
"""PPI of CNTHP (BSA)."""


class TimerControl(Bits, base=u64):
    """CNTV_CTL."""

    ENABLE = bit(0)
    IMASK = bit(1)
    ISTATUS = bit(2)


def prepare_primary_timer() -> None:
    """On this CPU the primary's timer interrupts whoever runs instead of it; again each time, as it owns the GIC."""
    gic.enable(cpu_index(), EL2_TIMER_INTERRUPT)


def serve_physical_interrupt() -> bool:
    """Whether an interrupt that came to EL2 was only the timer of the guest whose EL1 registers this CPU holds."""
    owner = CPUS.this().el1_owner
    return owner is not None and owner.value.kind == PartitionKind.EL1 and deliver(owner.value)


def deliver(vcpu: Vcpu) -> bool:
    """If the timer of a vCPU that this CPU owns has fired, make that a virtual interrupt; whether it had."""
    if vcpu.kind != PartitionKind.EL1:
        return False
    _load(vcpu)
    if not _is_armed(vcpu) or _remaining_ticks(vcpu) != 0:
        return False
    vcpu.el1.cntv_ctl |= TimerControl.IMASK
    if _is_loaded(vcpu):
        if in_host_mode():
            CNTV_CTL_EL02.write(vcpu.el1.cntv_ctl)
        else:
            CNTV_CTL_EL0.write(vcpu.el1.cntv_ctl)
    interrupts.post(vcpu, VirtualInterrupt.TIMER)
    interrupts.refresh(vcpu)
    return True


def remaining_nanoseconds(vcpu: Vcpu) -> u64 | None:
    """Until the timer of a vCPU that this CPU owns fires, rounded up; None when it will not."""
    if vcpu.kind != PartitionKind.EL1:
        return None
    _load(vcpu)
    if not _is_armed(vcpu):
        return None
    frequency = max(CNTFRQ_EL0.read().raw, 1)
    ticks = _remaining_ticks(vcpu)
    seconds = ticks // frequency
    if seconds >= SECONDS_MAX:
        return SECONDS_MAX * NANOSECONDS
    return seconds * NANOSECONDS + (ticks % frequency * NANOSECONDS + frequency - 1) // frequency


def _is_loaded(vcpu: Vcpu) -> bool:
    """Whether this CPU's timer registers are the vCPU's."""
    owner = CPUS.this().el1_owner
    return owner is not None and owner.address == address_of(vcpu).address


def _load(vcpu: Vcpu) -> None:
    """Bring what is saved of the timer up to date."""
    if not _is_loaded(vcpu):
        return
    if in_host_mode():
        vcpu.el1.cntv_ctl = CNTV_CTL_EL02.read().raw
        vcpu.el1.cntv_cval = CNTV_CVAL_EL02.read().raw
    else:
        vcpu.el1.cntv_ctl = CNTV_CTL_EL0.read().raw
        vcpu.el1.cntv_cval = CNTV_CVAL_EL0.read().raw


def _is_armed(vcpu: Vcpu) -> bool:
    control = TimerControl(vcpu.el1.cntv_ctl)
    return control.ENABLE and not control.IMASK


def _remaining_ticks(vcpu: Vcpu) -> u64:
    """Until the virtual counter reaches the deadline; 0 when it has."""
    now = wrapping_sub(CNTPCT_EL0.read().raw, vcpu.el1.cntvoff)
    deadline = vcpu.el1.cntv_cval
    return deadline - now if deadline > now else 0
