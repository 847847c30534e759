"""PSCI as a secondary guest at EL1 sees it: its vCPUs are its CPUs, named by their index.

A started vCPU runs when the primary runs it; the starter gives its CPU back so that the primary learns of it.
"""

from __future__ import annotations

from compiler.language import Ordering, cold, i32, truncate, u32, u64
from hypervisor.arch.aarch64 import interrupts
from hypervisor.arch.aarch64.guest_entry import reset_at
from hypervisor.arch.aarch64.psci import PsciError, PsciFunction
from hypervisor.core.partition import Partition
from hypervisor.core.scheduler import return_to_primary
from hypervisor.core.vcpu import Vcpu, VcpuState, partition_of, vcpu_of
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message, target_information
from hypervisor.ffa.sleep import give_up, sleep
from hypervisor.firmware.functions import SmcccFunction
from hypervisor.firmware.psci import OWN_VERSION, affinity_of, register_of

SUSPEND_FEATURES = 2
"""CPU_SUSPEND takes the power state in its extended format."""


@cold
def handle(caller: Vcpu, function: PsciFunction, call: Message, reply: Message) -> None:
    """Serve a call of a guest; `reply` is a copy of it so far, and is for whoever runs next."""
    partition = partition_of(caller)
    match function:
        case PsciFunction.VERSION:
            reply.x0 = OWN_VERSION
        case PsciFunction.FEATURES:
            reply.x0 = register_of(features(truncate(u32, call.x1)))
        case PsciFunction.AFFINITY_INFO | PsciFunction.AFFINITY_INFO_64:
            reply.x0 = register_of(affinity_info(partition, call.x1, truncate(u32, call.x2)))
        case PsciFunction.CPU_ON | PsciFunction.CPU_ON_64:
            switch_on(caller, partition, call, reply)
        case PsciFunction.CPU_OFF:
            switch_off(caller, reply)
        case PsciFunction.CPU_SUSPEND | PsciFunction.CPU_SUSPEND_64:
            keep_result(caller, call)
            sleep(caller, reply)
        case PsciFunction.SYSTEM_OFF | PsciFunction.SYSTEM_RESET:
            reply.x0 = register_of(PsciError.NOT_SUPPORTED.value)


def features(number: u32) -> i32:
    """PSCI_FEATURES."""
    function = PsciFunction.decode(number)
    if function is None:
        return 0 if number == SmcccFunction.VERSION.value else PsciError.NOT_SUPPORTED.value
    match function:
        case PsciFunction.CPU_SUSPEND | PsciFunction.CPU_SUSPEND_64:
            return SUSPEND_FEATURES
        case PsciFunction.SYSTEM_OFF | PsciFunction.SYSTEM_RESET:
            return PsciError.NOT_SUPPORTED.value
        case _:
            return 0


def affinity_info(partition: Partition, target: u64, level: u32) -> i32:
    """AFFINITY_INFO of one vCPU."""
    vcpu = vcpu_of(partition, target)
    if level != 0 or vcpu is None:
        return PsciError.INVALID_PARAMETERS.value
    return affinity_of(vcpu) if vcpu.state.load(Ordering.ACQUIRE) == VcpuState.OFF else 0


def switch_on(caller: Vcpu, partition: Partition, call: Message, reply: Message) -> None:
    """CPU_ON: make a vCPU ready, and let the primary see FFA_INTERRUPT for it; the caller then has its result."""
    vcpu = vcpu_of(partition, call.x1)
    if vcpu is None:
        reply.x0 = register_of(PsciError.INVALID_PARAMETERS.value)
        return
    if not vcpu.claim(VcpuState.OFF):
        reply.x0 = register_of(PsciError.ALREADY_ON.value)
        return
    reset_at(vcpu, call.x2, call.x3)
    vcpu.interrupts.reset()
    interrupts.refresh(vcpu)
    vcpu.state.store(VcpuState.CREATED, Ordering.RELEASE)
    keep_result(caller, call)
    return_to_primary(caller, VcpuState.PREEMPTED)
    reply.clear()
    reply.x0 = Function.INTERRUPT.value
    reply.x1 = target_information(vcpu)


def switch_off(caller: Vcpu, reply: Message) -> None:
    """CPU_OFF: not while somebody waits for a response."""
    if caller.requester is not None:
        reply.x0 = register_of(PsciError.DENIED.value)
        return
    give_up(caller, VcpuState.OFF, reply)


def keep_result(caller: Vcpu, call: Message) -> None:
    """What the caller finds when it goes on: success, and its registers as they were."""
    registers = caller.context.x
    registers[0] = 0
    registers[1] = call.x1
    registers[2] = call.x2
    registers[3] = call.x3
    registers[4] = call.x4
    registers[5] = call.x5
    registers[6] = call.x6
    registers[7] = call.x7
