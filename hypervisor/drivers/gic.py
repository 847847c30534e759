"""What the hypervisor needs of the GICv3 (IHI 0069) that the primary owns: one private interrupt for itself, and SGIs.

Of the redistributors only set-enable registers are written, where a bit that is zero changes nothing of the primary's.
"""

from __future__ import annotations

from compiler.language import MmioBlock, PhysAddr, SystemRegister, bits, isb, mmio_wo, u32, u64
from hypervisor.arch.aarch64 import features
from hypervisor.memory.linear_map import to_virtual
from hypervisor.platform import PLATFORM

FRAME_SIZE = 0x2_0000
"""Of one CPU: 64 KiB of control registers, then 64 KiB for private interrupts."""
PRIVATE_FRAME = 0x1_0000


class PrivateInterrupts(MmioBlock):
    """The second 64 KiB of a redistributor; the hypervisor has the first page mapped."""

    ISENABLER0 = mmio_wo(u32, 0x100)


class ICC_SGI1R_EL1(SystemRegister):
    """Sends a software-generated interrupt of group 1."""

    TARGETS = bits(15, 0)
    AFF1 = bits(23, 16)
    INTID = bits(27, 24)
    AFF2 = bits(39, 32)
    RANGE = bits(47, 44)
    AFF3 = bits(55, 48)


class Affinity(SystemRegister, register="MPIDR_EL1"):
    """Which CPU this is."""

    AFF0 = bits(7, 0)
    AFF1 = bits(15, 8)
    AFF2 = bits(23, 16)
    AFF3 = bits(39, 32)


def private_frame(cpu: u64) -> PhysAddr:
    """Where a CPU's `PrivateInterrupts` are: redistributors follow each other in the order of the CPUs."""
    return PLATFORM.redistributor_base + cpu * FRAME_SIZE + PRIVATE_FRAME


def enable(cpu: u64, interrupt: u64) -> None:
    """Let a private interrupt of a CPU come."""
    if features.has_gic_registers():
        PrivateInterrupts.at(to_virtual(private_frame(cpu))).ISENABLER0.write(u32(1 << interrupt))


def send_to_this_cpu(interrupt: u64) -> None:
    """An SGI that the primary finds pending when it has the CPU back."""
    if not features.has_gic_registers():
        return
    cpu = Affinity.read()
    target = ICC_SGI1R_EL1.make(
        TARGETS=1 << (cpu.AFF0 & 0xF), RANGE=cpu.AFF0 >> 4, AFF1=cpu.AFF1, AFF2=cpu.AFF2, AFF3=cpu.AFF3, INTID=interrupt
    )
    ICC_SGI1R_EL1.write(target)
    isb()
