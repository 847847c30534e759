"""Virtual interrupts of guests at EL1 and of EL0 partitions, down to HCR_EL2.VI and VF.

What is pending is in `core/virtual_interrupts.py`. Here the owner of a vCPU brings `attention` and HCR_EL2 in line with
it, whenever it changed and whenever the vCPU is about to run.
"""

from __future__ import annotations

from compiler.language import Ordering, address_of, u64
from hypervisor.arch.aarch64.registers import HCR_EL2
from hypervisor.core.cpu import CPUS
from hypervisor.core.partition import PartitionKind
from hypervisor.core.vcpu import INTERRUPT_PENDING, Vcpu
from hypervisor.core.virtual_interrupts import Line, VirtualInterrupt

LINES = HCR_EL2.VI | HCR_EL2.VF


def post(vcpu: Vcpu, interrupt: VirtualInterrupt) -> None:
    """Make an interrupt pending in any vCPU; its owner sees it at the latest when the vCPU runs next."""
    vcpu.interrupts.post(interrupt)
    vcpu.attention.fetch_or(INTERRUPT_PENDING, Ordering.RELEASE)


def refresh(vcpu: Vcpu) -> bool:
    """Collect what was posted, and assert what is pending; whether an enabled one is. For the vCPU's owner.

    `attention` is cleared first: what is posted in between sets it again.
    """
    interrupts = vcpu.interrupts
    vcpu.attention.fetch_and(~INTERRUPT_PENDING, Ordering.ACQ_REL)
    interrupts.collect()
    is_pending = interrupts.has_pending()
    if is_pending:
        vcpu.attention.fetch_or(INTERRUPT_PENDING, Ordering.RELAXED)
    if vcpu.kind == PartitionKind.EL1:
        _assert_lines(vcpu)
    return is_pending


def poll(vcpu: Vcpu) -> bool:
    """The same where nothing was enabled or disabled since: what is pending has set `attention`."""
    return vcpu.attention.load(Ordering.ACQUIRE) & INTERRUPT_PENDING != 0 and refresh(vcpu)


def _assert_lines(vcpu: Vcpu) -> None:
    lines: u64 = HCR_EL2.VI if vcpu.interrupts.asserts(Line.IRQ) else 0
    if vcpu.interrupts.asserts(Line.FIQ):
        lines |= HCR_EL2.VF
    if vcpu.context.configuration & LINES == lines:
        return
    vcpu.context.configuration = vcpu.context.configuration & ~LINES | lines
    current = CPUS.this().current
    if current is not None and current.address == address_of(vcpu).address:
        HCR_EL2.write(vcpu.context.configuration)
