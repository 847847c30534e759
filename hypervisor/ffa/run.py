"""FFA_RUN: the primary lends its CPU to a vCPU of a secondary (DEN0077, FFA_RUN)."""

from __future__ import annotations

from compiler.language import Ordering, truncate, u16
from hypervisor.core.partition import PartitionId, PartitionKind, find_partition
from hypervisor.core.scheduler import pass_cpu
from hypervisor.core.vcpu import Vcpu, VcpuState, vcpu_of
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message, low


def handle(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Run a vCPU; the reply is for it. What it answers in the end is what the call returns to the primary."""
    target = check(caller, call)
    if isinstance(target, FfaError):
        return target
    state = target.state.load(Ordering.RELAXED)
    error = check_state(state)
    if isinstance(error, FfaError):
        return error
    if not target.claim(state):
        return FfaError.BUSY
    pass_cpu(caller, VcpuState.BLOCKED, target)
    if state == VcpuState.WAITING:
        reply.x0 = Function.RUN.value
        reply.x1 = target.partition_id.raw
    else:
        reply.load(target.context.x)
    return None


def check(caller: Vcpu, call: Message) -> Vcpu | FfaError:
    """Only the primary runs others, and only secondaries."""
    if caller.kind != PartitionKind.PRIMARY:
        return FfaError.DENIED
    information = low(call.x1)
    partition = find_partition(PartitionId(truncate(u16, information >> 16)))
    if partition is None or partition.kind == PartitionKind.PRIMARY:
        return FfaError.INVALID_PARAMETERS
    vcpu = vcpu_of(partition, information & 0xFFFF)
    if vcpu is None:
        return FfaError.INVALID_PARAMETERS
    return vcpu


def check_state(state: VcpuState) -> FfaError | None:
    """Which states a vCPU can be run from."""
    match state:
        case VcpuState.ABORTED:
            return FfaError.ABORTED
        case VcpuState.OFF:
            return FfaError.INVALID_PARAMETERS
        case VcpuState.RUNNING | VcpuState.BLOCKED:
            return FfaError.BUSY
        case VcpuState.CREATED | VcpuState.WAITING | VcpuState.PREEMPTED | VcpuState.YIELDED | VcpuState.SLEEPING:
            return None
