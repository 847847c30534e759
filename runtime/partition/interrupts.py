"""As much of a GICv3 (IHI 0069) as the primary needs to be interrupted by its timer on the boot CPU.

Interrupts stay masked: they only take the CPU from another partition, whose FFA_RUN then ends with FFA_INTERRUPT.
"""

from __future__ import annotations

from compiler.language import MmioBlock, SystemRegister, VirtAddr, isb, mmio_rw, u32, u64
from hypervisor.platform import PLATFORM

VIRTUAL_TIMER = 27
GROUP_1 = 1 << 1
AFFINITY_ROUTING = 1 << 4
"""GICD_CTLR, as seen by the non-secure world with one security state or two."""
SLEEP = 1 << 1
CHILDREN_ASLEEP = 1 << 2
"""GICR_WAKER."""
LOWEST_PRIORITY = 0xFF
ALL = 0xFFFF_FFFF
"""Every private interrupt of the CPU is in group 1, as operating systems have it: that of the hypervisor's timer too,
which stands in for ours while another guest runs."""


class Distributor(MmioBlock):
    """GICD."""

    CTLR = mmio_rw(u32, 0x0)


class Redistributor(MmioBlock):
    """GICR of a CPU; its private interrupts are in the second frame."""

    WAKER = mmio_rw(u32, 0x14)
    IGROUPR0 = mmio_rw(u32, 0x1_0080)
    ISENABLER0 = mmio_rw(u32, 0x1_0100)


class ICC_SRE_EL1(SystemRegister):
    """System register interface."""


class ICC_PMR_EL1(SystemRegister):
    """Priority mask."""


class ICC_IGRPEN1_EL1(SystemRegister):
    """Group 1."""


def enable_timer_interrupt() -> None:
    """Let the virtual timer's interrupt reach the boot CPU."""
    Distributor.at(VirtAddr(PLATFORM.distributor_base.raw)).CTLR.write(AFFINITY_ROUTING | GROUP_1)
    redistributor = Redistributor.at(VirtAddr(PLATFORM.redistributor_base.raw))
    redistributor.WAKER.write(redistributor.WAKER.read() & ~SLEEP)
    while redistributor.WAKER.read() & CHILDREN_ASLEEP != 0:
        pass
    redistributor.IGROUPR0.write(ALL)
    enable_private_interrupt(VIRTUAL_TIMER)
    ICC_SRE_EL1.write(1)
    isb()
    ICC_PMR_EL1.write(LOWEST_PRIORITY)
    ICC_IGRPEN1_EL1.write(1)
    isb()


def enable_private_interrupt(number: u64) -> None:
    """Let an SGI or a PPI come on the boot CPU."""
    redistributor = Redistributor.at(VirtAddr(PLATFORM.redistributor_base.raw))
    redistributor.ISENABLER0.write(u32(1 << number))
