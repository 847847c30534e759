"""vCPUs: the one structure for the primary, for guests at EL1 and for partitions at EL0.

Who may write: the CPU that took the vCPU to RUNNING by `claim` owns every field until `state` is one that can be
claimed again. `state` is the only token of that ownership; `interrupts.posted` and `attention` are atomic, open to all.
A BLOCKED vCPU belongs to the CPU of the vCPU that will answer it. vCPUs of the primary never leave their CPU.
"""

from __future__ import annotations

from compiler.language import (
    Array,
    Atomic,
    EnumU8,
    Ordering,
    Ptr,
    VirtAddr,
    address_of,
    array,
    no_inline,
    offset_of,
    static,
    static_assert,
    struct,
    u8,
    u16,
    u64,
)
from hypervisor.arch.aarch64.context import Context
from hypervisor.arch.aarch64.el1_state import El1State
from hypervisor.arch.aarch64.vector_state import VectorState
from hypervisor.core.partition import Partition, PartitionId, PartitionKind
from hypervisor.core.virtual_interrupts import VirtualInterrupts

VCPU_COUNT_MAX = 40
"""For all partitions together."""


class VcpuState(EnumU8):
    """States of a vCPU (DEN0077, vCPU run-time states; the last three are the normal world's)."""

    OFF = 0
    """Not started, or switched off."""
    RUNNING = 1
    """On a CPU."""
    WAITING = 2
    """Idle; may be sent a message."""
    BLOCKED = 3
    """Waits for the answer to a request that it made."""
    ABORTED = 4
    """Stopped by a fault; never runs again."""
    CREATED = 5
    """Loaded, never entered."""
    PREEMPTED = 6
    """Lost its CPU to an interrupt; goes on where it was."""
    YIELDED = 7
    """Gave its CPU away by FFA_YIELD; goes on when it is run."""
    SLEEPING = 8
    """Executed WFI, or CPU_SUSPEND; goes on at an interrupt or when its timer has fired."""


VECTORS_IN_USE = 1 << 0
"""In `attention`: the CPU's vector registers hold this vCPU's values instead of the primary's."""
INTERRUPT_PENDING = 1 << 1
"""In `attention`: a virtual interrupt is pending and enabled."""

VERSION_OPEN = 1 << 2
"""In `attention`: the vCPU has made no call but FFA_VERSION; set at first."""
OWES_RESPONSE_2 = 1 << 3
"""In `attention`: the request that it is serving was FFA_MSG_SEND_DIRECT_REQ2."""
PARTITION_ABORTED = 1 << 4
"""In `attention`: another vCPU of its partition has faulted; it runs no more than until its next exception."""

RECEIVES_REQUESTS = 1 << 0
"""In `methods`: direct requests may be sent to the partition."""
SENDS_REQUESTS = 1 << 1
"""In `methods`: it may send some itself."""


@struct(align=64)
class Vcpu:
    """An execution context of a partition."""

    context: Context
    partition: Ptr[Partition] | None = None
    """Never None in a vCPU that runs."""
    cpu: VirtAddr = VirtAddr(0)
    """The `Cpu` that it runs on, or ran on last; `pass_cpu` and the short paths keep it."""
    successor: Ptr[Vcpu] | None = None
    """Who runs next on this CPU when the exception at hand has been served; None: this one goes on."""
    requester: Ptr[Vcpu] | None = None
    """The vCPU whose direct request this one is serving."""
    partition_id: PartitionId = PartitionId(0)
    index: u16 = 0
    """Within its partition."""
    state: Atomic[VcpuState] = Atomic(VcpuState.OFF)
    state_when_saved: VcpuState = VcpuState.OFF
    """What `state` becomes, with release order, once the registers are saved."""
    methods: u8 = 0
    kind: PartitionKind = PartitionKind.PRIMARY
    """That of its partition."""
    attention: Atomic[u64] = Atomic(VERSION_OPEN)
    """Why no short path may enter or leave the vCPU; 0 when there is no reason."""
    el1: El1State
    vectors: VectorState
    interrupts: VirtualInterrupts

    def claim(self, expected: VcpuState) -> bool:
        """Take ownership of an idle vCPU; False when it is not in the `expected` state."""
        return self.state.compare_exchange(expected, VcpuState.RUNNING, Ordering.ACQUIRE)


static_assert(offset_of(Vcpu, "context") == 0, "SP_EL2 points at the vCPU and at its context alike")
static_assert(offset_of(Vcpu, "el1") + 504 < 4096, "an offset that ADD takes")

VCPUS: Array[Vcpu] = static(array(VCPU_COUNT_MAX))
"""Those of one partition follow each other."""

BY_ID_COUNT = 64
BY_ID: Array[Ptr[Vcpu] | None] = static(array(BY_ID_COUNT))
"""For the low bits of a partition's ID its only vCPU, where the short paths look; of several with the same bits one is
here, and partitions with several vCPUs are not."""


def enter_in_table(vcpu: Vcpu) -> None:
    """Let the short paths find a partition with one vCPU."""
    BY_ID[vcpu.partition_id.raw & (BY_ID_COUNT - 1)] = address_of(vcpu)


def partition_of(vcpu: Vcpu) -> Partition:
    """The partition that a vCPU belongs to."""
    partition = vcpu.partition
    assert partition is not None, "a vCPU without a partition runs"
    return partition.value


@no_inline
def vcpu_of(partition: Partition, index: u64) -> Vcpu | None:
    """A vCPU of a partition; None where it has not that many."""
    if index >= partition.vcpu_count:
        return None
    return VCPUS[partition.first_vcpu + index]
