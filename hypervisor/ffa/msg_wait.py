"""FFA_MSG_WAIT: a partition is done and waits for a message (DEN0077, FFA_MSG_WAIT)."""

from __future__ import annotations

from hypervisor.core.partition import Partition
from hypervisor.core.scheduler import leave_cpu
from hypervisor.core.vcpu import VcpuState
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import Message, low

RETAIN_RX_BIT = 1
"""w2: keep the RX buffer; without meaning for partitions that have none."""


def handle(caller: Partition, call: Message) -> FfaError | None:
    """Give the CPU away. The caller gets no result: its next message is what the call returns."""
    error = check(caller, call)
    if isinstance(error, FfaError):
        return error
    leave_cpu(caller.vcpu, VcpuState.WAITING)
    return None


def check(caller: Partition, call: Message) -> FfaError | None:
    """Unused parameters are zero; a request that is being served needs a response first."""
    unused = call.x1 | call.x3 | call.x4 | call.x5 | call.x6 | call.x7
    if low(unused) != 0 or low(call.x2) & ~RETAIN_RX_BIT != 0:
        return FfaError.INVALID_PARAMETERS
    if caller.vcpu.requester is not None:
        return FfaError.DENIED
    return None
