"""FFA_RUN: the primary lends its CPU to a vCPU of a secondary (DEN0077, FFA_RUN)."""

from __future__ import annotations

from compiler.language import Ordering, truncate, u16
from hypervisor.arch.aarch64 import interrupts, timers
from hypervisor.core.partition import PartitionId, PartitionKind, find_partition
from hypervisor.core.scheduler import pass_cpu
from hypervisor.core.vcpu import Vcpu, VcpuState, vcpu_of
from hypervisor.ffa import chain, paravirtual
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message, low
from hypervisor.ffa.sleep import tell_sleep


def handle(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Run a vCPU; the reply is for it. What it answers in the end is what the call returns to the primary."""
    target = check(caller, call)
    if isinstance(target, FfaError):
        return target
    state = target.state.load(Ordering.RELAXED)
    error = check_state(target, state)
    if isinstance(error, FfaError):
        return error
    if not target.claim(state):
        return FfaError.BUSY
    if not is_ready(target, state):
        tell_sleep(target, reply)
        target.state.store(VcpuState.SLEEPING, Ordering.RELEASE)
        return None
    commit(caller, target, state, reply)
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


def check_state(target: Vcpu, state: VcpuState) -> FfaError | None:
    """Which states a vCPU can be run from."""
    match state:
        case VcpuState.ABORTED:
            return FfaError.ABORTED
        case VcpuState.RUNNING | VcpuState.BLOCKED:
            return FfaError.BUSY
        case VcpuState.OFF:
            return FfaError.ABORTED if chain.is_aborted(target) else FfaError.INVALID_PARAMETERS
        case VcpuState.CREATED | VcpuState.WAITING | VcpuState.PREEMPTED | VcpuState.YIELDED | VcpuState.SLEEPING:
            return FfaError.ABORTED if chain.is_aborted(target) else None


def is_ready(target: Vcpu, state: VcpuState) -> bool:
    """Whether a vCPU that this CPU has claimed has something to do: one that sleeps needs an interrupt."""
    has_fired = timers.deliver(target)
    is_pending = interrupts.poll(target)
    return has_fired or is_pending or state != VcpuState.SLEEPING


def commit(caller: Vcpu, target: Vcpu, state: VcpuState, reply: Message) -> None:
    """Block the caller and let the vCPU find what it waits for, or its registers as they were."""
    timers.prepare_primary_timer()
    chain.adopt(target, caller)
    pass_cpu(caller, VcpuState.BLOCKED, target)
    if state != VcpuState.WAITING:
        reply.load(target.context.x)
    elif not paravirtual.tell_interrupt(target, reply):
        reply.x0 = Function.RUN.value
        reply.x1 = target.partition_id.raw
