"""vCPUs: the one structure for partitions at EL0 and, later, at EL1.

Who may write: the CPU that took the vCPU from WAITING or CREATED to RUNNING owns every field until the vCPU's state
is WAITING again. `state` is the only token of that ownership. A BLOCKED vCPU still belongs to the CPU that it ran on.
"""

from __future__ import annotations

from compiler.language import Atomic, EnumU8, Ordering, Ptr, VirtAddr, offset_of, static_assert, struct, u32, u64
from hypervisor.arch.aarch64.context import Context
from hypervisor.core.statistics import Counts


class VcpuState(EnumU8):
    """States of a vCPU (DEN0077, vCPU run-time states)."""

    CREATED = 0
    """Loaded, never entered."""
    RUNNING = 1
    """On a CPU."""
    WAITING = 2
    """Idle; may be sent a message."""
    BLOCKED = 3
    """Waits for the answer to a request that it made."""
    ABORTED = 4
    """Stopped by a fault; never runs again."""


@struct(align=64)
class Vcpu:
    """An execution context of a partition."""

    context: Context
    counts: Counts
    hypervisor_stack: VirtAddr = VirtAddr(0)
    """Top of the stack of the CPU that runs it; the vectors load it."""
    successor: Ptr[Vcpu] | None = None
    """Who runs next on this CPU when the exception at hand has been served; None: this one goes on."""
    state: Atomic[VcpuState] = Atomic(VcpuState.CREATED)
    state_when_saved: VcpuState = VcpuState.CREATED
    """What `state` becomes, with release order, once the registers are in `context`."""
    partition_index: u64 = 0
    requester: Ptr[Vcpu] | None = None
    """The vCPU whose direct request this one is serving."""
    version: u32 = 0
    """What FFA_VERSION agreed on; 0 before."""
    version_is_final: bool = False
    """Whether a call other than FFA_VERSION has been made."""

    def claim(self, expected: VcpuState) -> bool:
        """Take ownership of an idle vCPU; False when it is not in the `expected` state."""
        return self.state.compare_exchange(expected, VcpuState.RUNNING, Ordering.ACQUIRE)


static_assert(offset_of(Vcpu, "context") == 0, "SP_EL2 points at the vCPU and at its context alike")
