"""FFA_MSG_WAIT: a vCPU is done and waits for a message; FFA_MSG_POLL of FF-A 1.0 (DEN0077, FFA_MSG_WAIT).

A vCPU does not wait while its RX buffer is full or an interrupt is pending, so that it misses neither.
"""

from __future__ import annotations

from hypervisor.arch.aarch64 import interrupts, timers
from hypervisor.core.partition import PartitionKind
from hypervisor.core.scheduler import return_to_primary
from hypervisor.core.vcpu import Vcpu, VcpuState, partition_of
from hypervisor.ffa.buffers import release_rx
from hypervisor.ffa.endpoint import Endpoint, endpoint_of
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message, low, target_information
from hypervisor.ffa.paravirtual import tell_interrupt
from hypervisor.ffa.protocol import VERSION_1_2

RETAIN_RX_BIT = 1
"""w2, since FF-A 1.2: keep the RX buffer."""
SLEEP_INDEFINITELY = 0xFFFF_FFFF_FFFF_FFFF
"""x2 for the primary where no timer will fire, else that is the time until then in nanoseconds."""


def handle(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Give the CPU back. The caller gets no result: its next message is what the call returns."""
    error = check(caller, call)
    if isinstance(error, FfaError):
        return error
    endpoint = endpoint_of(partition_of(caller))
    if has_message(endpoint):
        tell_message(caller, reply)
        if low(call.x2) & RETAIN_RX_BIT == 0:
            _ = release_rx(endpoint)  # not yet, where the caller has not asked for its notifications
        return None
    timers.deliver(caller)
    if interrupts.poll(caller):
        return None if tell_interrupt(caller, reply) else FfaError.INTERRUPTED
    wait(caller, reply)
    return None


def handle_poll(caller: Vcpu, reply: Message) -> FfaError | None:
    """Look for a message without waiting."""
    error = check_caller(caller)
    if isinstance(error, FfaError):
        return error
    if not has_message(endpoint_of(partition_of(caller))):
        return FfaError.RETRY
    tell_message(caller, reply)
    return None


def check(caller: Vcpu, call: Message) -> FfaError | None:
    """Unused parameters are zero, w2 too before FF-A 1.2; later versions may have more in it than is looked at."""
    unused = call.x1 | call.x3 | call.x4 | call.x5 | call.x6 | call.x7
    if partition_of(caller).version < VERSION_1_2:
        unused |= call.x2
    if low(unused) != 0:
        return FfaError.INVALID_PARAMETERS
    return check_caller(caller)


def check_caller(caller: Vcpu) -> FfaError | None:
    """The primary never waits; a request that is being served needs a response first."""
    if caller.kind == PartitionKind.PRIMARY:
        return FfaError.NOT_SUPPORTED
    if caller.requester is not None:
        return FfaError.DENIED
    return None


def has_message(endpoint: Endpoint) -> bool:
    """Whether the RX buffer is full. A message that comes at the same time is told by its notification."""
    return endpoint.rx.is_full


def tell_message(caller: Vcpu, reply: Message) -> None:
    """What a vCPU sees as if it had waited and been run again."""
    reply.x0 = Function.RUN.value
    reply.x1 = caller.partition_id.raw


def wait(caller: Vcpu, reply: Message) -> None:
    """The primary gets the CPU, and learns how long the caller may be left alone."""
    remaining = timers.remaining_nanoseconds(caller)
    return_to_primary(caller, VcpuState.WAITING)
    reply.x0 = Function.MSG_WAIT.value
    reply.x1 = target_information(caller)
    reply.x2 = SLEEP_INDEFINITELY if remaining is None else remaining
