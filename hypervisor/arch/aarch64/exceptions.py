"""Exceptions of vCPUs that are not calls: interrupts preempt, waits give the CPU away, traps are emulated.

Nothing that a guest does stops the hypervisor. What it may not do is an exception in the guest where it is at EL1 and
can handle one: for the primary always, for a secondary where a register or an instruction is meant. A secondary that
touches memory that it has not got, and a partition at EL0 that faults, never run again.
"""

from __future__ import annotations

from compiler.language import cold, export, u64
from hypervisor.arch.aarch64 import fault_report, injection, trapped_registers, vector_use
from hypervisor.arch.aarch64.injection import Syndrome
from hypervisor.arch.aarch64.registers import ELR_EL2, ESR_EL2
from hypervisor.core.partition import PartitionKind
from hypervisor.core.scheduler import current_vcpu
from hypervisor.core.vcpu import Vcpu, partition_of
from hypervisor.ffa.abort import abort_vcpu
from hypervisor.ffa.message import Message, MessageRegisters, registers_of
from hypervisor.ffa.preempt import preempt
from hypervisor.ffa.sleep import pause, sleep
from hypervisor.memory.page_table import query
from runtime.syndrome import ExceptionClass, class_of, is_abort, is_translation_fault

INSTRUCTION_SIZE = 4
SHORT_INSTRUCTION_SIZE = 2
INTERRUPT = 0x40
SERROR = 0x41
"""What `switch.serve_exception` passes instead of an exception class."""
IS_EVENT = 1 << 0
"""In the syndrome of a trapped wait: WFE, not WFI."""


@export("handle_exception")
def handle_exception(cause: u64) -> MessageRegisters:
    """Serve an exception whose registers the vectors saved; x0 to x7 for the vCPU that runs next."""
    vcpu = current_vcpu()
    reply = Message()
    if cause == INTERRUPT and vcpu.kind != PartitionKind.PRIMARY:
        preempt(vcpu, reply)
    elif cause == SERROR and vcpu.kind != PartitionKind.PRIMARY:
        _end(vcpu, reply, None)
    else:
        is_served = False
        if cause != INTERRUPT and cause != SERROR:
            is_served = _handle_synchronous(vcpu, reply)
        if not is_served:
            reply.load(vcpu.context.x)
    return registers_of(reply)


def _handle_synchronous(vcpu: Vcpu, reply: Message) -> bool:
    """Serve a synchronous exception; True if `reply` is for who runs next, else the vCPU goes on as it was."""
    syndrome = ESR_EL2.read().raw
    kind = class_of(syndrome)
    if kind is not None and kind == ExceptionClass.WFX:
        step_over()
        if vcpu.kind == PartitionKind.PRIMARY:
            return False
        if syndrome & IS_EVENT != 0:
            pause(vcpu, reply)
        else:
            sleep(vcpu, reply)
        return True
    if kind is not None and kind == ExceptionClass.VECTOR and vcpu.kind != PartitionKind.PRIMARY:
        vector_use.take(vcpu)
        return False
    if vcpu.kind == PartitionKind.EL0:
        _end(vcpu, reply, kind)
        return True
    if kind is not None and is_abort(kind):
        if is_mapped_again(vcpu, syndrome):
            return False
        if vcpu.kind != PartitionKind.PRIMARY:
            _end(vcpu, reply, kind)
            return True
        fault_report.report_injected(vcpu)
        injection.inject_abort(syndrome)
    elif kind is not None and kind == ExceptionClass.SYSTEM_REGISTER and trapped_registers.emulate(vcpu, syndrome):
        step_over()
    else:
        injection.inject_undefined()
    return False


def is_mapped_again(vcpu: Vcpu, syndrome: u64) -> bool:
    """Whether an access of a guest at EL1 met an entry that another CPU had taken away for a moment, to change it.

    Reading the tables waits until the change is done; what they map then can be accessed again.
    """
    if not is_translation_fault(syndrome):
        return False
    return query(partition_of(vcpu).memory, fault_report.intermediate_address()).is_valid()


def step_over() -> None:
    """Go on behind the trapped instruction."""
    size = INSTRUCTION_SIZE if Syndrome(ESR_EL2.read().raw).IL else SHORT_INSTRUCTION_SIZE
    ELR_EL2.write(ELR_EL2.read().raw + size)


@cold
def _end(vcpu: Vcpu, reply: Message, kind: ExceptionClass | None) -> None:
    """A fault that nothing can be done about; another vCPU runs next."""
    fault_report.report(vcpu, kind)
    abort_vcpu(vcpu, reply)
