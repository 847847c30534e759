"""FFA_MSG_WAIT: a vCPU is done and waits for a message (DEN0077, FFA_MSG_WAIT)."""

from __future__ import annotations

from hypervisor.core.partition import PartitionKind
from hypervisor.core.scheduler import return_to_primary
from hypervisor.core.vcpu import Vcpu, VcpuState
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message, low, target_information

RETAIN_RX_BIT = 1
"""w2: keep the RX buffer."""


def handle(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Give the CPU back. The caller gets no result: its next message is what the call returns."""
    error = check(caller, call)
    if isinstance(error, FfaError):
        return error
    return_to_primary(caller, VcpuState.WAITING)
    reply.x0 = Function.MSG_WAIT.value
    reply.x1 = target_information(caller)
    return None


def check(caller: Vcpu, call: Message) -> FfaError | None:
    """Unused parameters are zero; a request that is being served needs a response first; the primary never waits."""
    if caller.kind == PartitionKind.PRIMARY:
        return FfaError.NOT_SUPPORTED
    unused = call.x1 | call.x3 | call.x4 | call.x5 | call.x6 | call.x7
    if low(unused) != 0 or low(call.x2) & ~RETAIN_RX_BIT != 0:
        return FfaError.INVALID_PARAMETERS
    if caller.requester is not None:
        return FfaError.DENIED
    return None
