"""The end of a partition one of whose vCPUs faulted: none of them runs again, and who waits for one is told.

The others learn of it by `attention` at their next exception, or when they are to be run. A vCPU that is blocked ends
when its answer comes: its own requester then gets an error in its place.
"""

from __future__ import annotations

from compiler.language import Ordering
from hypervisor.core.vcpu import PARTITION_ABORTED, Vcpu, VcpuState, partition_of, vcpu_of
from hypervisor.ffa.chain import answer_with_error
from hypervisor.ffa.message import Message


def abort_vcpu(vcpu: Vcpu, reply: Message) -> None:
    """Take the CPU from a vCPU of a secondary for good; the reply, FFA_ERROR, is for who gets it."""
    partition = partition_of(vcpu)
    for index in range(partition.vcpu_count):
        sibling = vcpu_of(partition, index)
        if sibling is not None:
            sibling.attention.fetch_or(PARTITION_ABORTED, Ordering.RELAXED)
    answer_with_error(vcpu, VcpuState.ABORTED, vcpu, reply)
