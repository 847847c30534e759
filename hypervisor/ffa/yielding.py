"""FFA_YIELD: a vCPU gives its CPU back to the primary and wants to go on later (DEN0077, FFA_YIELD)."""

from __future__ import annotations

from hypervisor.core.partition import PartitionKind
from hypervisor.core.vcpu import Vcpu
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message, low
from hypervisor.ffa.sleep import pause


def handle(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """The primary sees FFA_YIELD with the wanted pause in w2, w3; for the primary itself it is a success."""
    if low(call.x4 | call.x5 | call.x6 | call.x7) != 0:
        return FfaError.INVALID_PARAMETERS
    if caller.kind == PartitionKind.PRIMARY:
        reply.succeed(0)
        return None
    set_result(caller)
    pause(caller, reply)
    reply.x2 = low(call.x2)
    reply.x3 = low(call.x3)
    return None


def set_result(caller: Vcpu) -> None:
    """What the caller finds when it is run again: success."""
    for index in range(8):
        caller.context.x[index] = 0
    caller.context.x[0] = Function.SUCCESS.value
