"""Paravirtual calls, by which guests have interrupts without a virtual GIC, and FFA_INTERRUPT for EL0 partitions.

They are Hafnium's, outside of the ranges of SMCCC: HVC or SMC from EL1, SVC from EL0. Results are in x0, the other
registers stay as they were.
"""

from __future__ import annotations

from compiler.language import EnumU32, Ordering, address_of, u64
from hypervisor.arch.aarch64 import interrupts, timers
from hypervisor.core.partition import PartitionKind
from hypervisor.core.vcpu import Vcpu, VcpuState, partition_of, vcpu_of
from hypervisor.core.virtual_interrupts import INTERRUPT_COUNT, KNOWN, Line, VirtualInterrupt
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message, low
from hypervisor.ffa.notification_state import are_pending, report_vcpu

SUCCESS = 0
FAILURE = 0xFFFF_FFFF_FFFF_FFFF
NO_INTERRUPT = 0xFFFF_FFFF


class Paravirtual(EnumU32):
    """What a guest at EL1 or a partition at EL0 may ask for."""

    INTERRUPT_ENABLE = 0xFF03
    INTERRUPT_GET = 0xFF04
    INTERRUPT_DEACTIVATE = 0xFF08
    INTERRUPT_RECONFIGURE = 0xFF09
    SEND_IPI = 0xFF0A


def handle(caller: Vcpu, function: Paravirtual, call: Message) -> u64:
    """Serve a call of a secondary; x0 of the result. No secondary owns a physical interrupt."""
    match function:
        case Paravirtual.INTERRUPT_ENABLE:
            return enable(caller, low(call.x1), low(call.x2) != 0, low(call.x3))
        case Paravirtual.INTERRUPT_GET:
            return get(caller)
        case Paravirtual.INTERRUPT_DEACTIVATE:
            return SUCCESS
        case Paravirtual.INTERRUPT_RECONFIGURE:
            return FAILURE
        case Paravirtual.SEND_IPI:
            return send_ipi(caller, low(call.x1))


def enable(caller: Vcpu, number: u64, is_enabled: bool, line: u64) -> u64:
    """Let the caller see an interrupt, as IRQ (0) or FIQ (1)."""
    if number >= INTERRUPT_COUNT or KNOWN >> number & 1 == 0 or line > Line.FIQ.value:
        return FAILURE
    caller.interrupts.enable(number, is_enabled, Line.FIQ if line == Line.FIQ.value else Line.IRQ)
    if is_enabled and number == VirtualInterrupt.NOTIFICATION.value and are_pending(partition_of(caller)):
        interrupts.post(caller, VirtualInterrupt.NOTIFICATION)
    interrupts.refresh(caller)
    return SUCCESS


def get(caller: Vcpu) -> u64:
    """Acknowledge the oldest interrupt."""
    timers.deliver(caller)
    interrupts.refresh(caller)
    number = caller.interrupts.take()
    interrupts.refresh(caller)
    return NO_INTERRUPT if number is None else number


def send_ipi(caller: Vcpu, index: u64) -> u64:
    """To a vCPU of the caller's own partition; one that runs elsewhere sees it at its next exception."""
    target = vcpu_of(partition_of(caller), index)
    if target is None:
        return FAILURE
    interrupts.post(target, VirtualInterrupt.IPI)
    if address_of(target).address == address_of(caller).address:
        interrupts.refresh(caller)
        return SUCCESS
    match target.state.load(Ordering.RELAXED):
        case VcpuState.WAITING | VcpuState.SLEEPING:
            report_vcpu(target)
        case _:
            pass
    return SUCCESS


def tell_interrupt(vcpu: Vcpu, reply: Message) -> bool:
    """Whether a partition at EL0, which cannot be interrupted, gets FFA_INTERRUPT in place of another result."""
    if vcpu.kind != PartitionKind.EL0:
        return False
    number = vcpu.interrupts.take()
    if number is None:
        return False
    interrupts.refresh(vcpu)
    reply.clear()
    reply.x0 = Function.INTERRUPT.value
    reply.x2 = number
    return True
