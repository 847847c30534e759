"""Exceptions of vCPUs that are not calls: interrupts preempt, waits give the CPU away, faults end a secondary."""

from __future__ import annotations

from compiler.language import export, u64
from hypervisor.arch.aarch64 import fault_report
from hypervisor.arch.aarch64.registers import ELR_EL2, ESR_EL2
from hypervisor.core.partition import PartitionKind
from hypervisor.core.scheduler import current_vcpu
from hypervisor.core.vcpu import Vcpu
from hypervisor.ffa.abort import abort_vcpu
from hypervisor.ffa.message import Message, MessageRegisters, registers_of
from hypervisor.ffa.preempt import preempt
from runtime.syndrome import ExceptionClass, class_of

INSTRUCTION_SIZE = 4
INTERRUPT = 0x40
SERROR = 0x41
"""What `switch.serve_exception` passes instead of an exception class."""


@export("handle_exception")
def handle_exception(cause: u64) -> MessageRegisters:
    """Serve an exception whose registers the vectors saved; x0 to x7 for the vCPU that runs next."""
    vcpu = current_vcpu()
    reply = Message()
    if cause == INTERRUPT:
        preempt(vcpu, reply)
    elif cause == SERROR:
        _end(vcpu, reply, None)
    else:
        _handle_synchronous(vcpu, reply)
    return registers_of(reply)


def _handle_synchronous(vcpu: Vcpu, reply: Message) -> None:
    kind = class_of(ESR_EL2.read().raw)
    if kind is not None and kind == ExceptionClass.WFX:
        step_over()
        reply.load(vcpu.context.x)
        return
    _end(vcpu, reply, kind)


def step_over() -> None:
    """Go on behind the trapped instruction."""
    ELR_EL2.write(ELR_EL2.read().raw + INSTRUCTION_SIZE)


def _end(vcpu: Vcpu, reply: Message, kind: ExceptionClass | None) -> None:
    """A fault that nothing can be done about."""
    fault_report.report(vcpu, kind)
    assert vcpu.kind != PartitionKind.PRIMARY, "the primary cannot go on"
    abort_vcpu(vcpu, reply)
