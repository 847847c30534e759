"""The hypervisor's own view of memory: virtual address = physical address + one offset.

With E2H that offset puts everything in the upper half (TTBR1_EL2), and the lower half is the running partition's;
without, it is zero. Start-up sets it before anything else runs. Nothing is mapped where a wrong address wraps to.
"""

from __future__ import annotations

from compiler.language import PhysAddr, VirtAddr, static, struct, u64, wrapping_add, wrapping_sub

UPPER_HALF = 0xFFFF_FF80_0000_0000
"""First address that a T1SZ of 25 reaches: 39 bits below the top."""


@struct
class LinearMap:
    """`offset`: 0 or UPPER_HALF."""

    offset: u64 = 0


LINEAR_MAP: LinearMap = static(LinearMap())


def to_virtual(address: PhysAddr) -> VirtAddr:
    """Where the hypervisor sees a physical address."""
    return VirtAddr(wrapping_add(address.raw, LINEAR_MAP.offset))


def to_physical(address: VirtAddr) -> PhysAddr:
    """What the hypervisor's address stands for."""
    return PhysAddr(wrapping_sub(address.raw, LINEAR_MAP.offset))
