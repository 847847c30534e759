"""Calls of guests that are not FF-A's: PSCI, SMCCC, and what may go on to the firmware.

Results are in x0; all other registers stay as they were.
"""

from __future__ import annotations

from hypervisor.arch.aarch64.psci import PsciError, PsciFunction
from hypervisor.arch.aarch64.registers import ESR_EL2
from hypervisor.core.partition import PartitionKind
from hypervisor.core.vcpu import Vcpu
from hypervisor.ffa import paravirtual
from hypervisor.ffa.functions import NO_VECTOR_STATE_BIT
from hypervisor.ffa.message import Message, low
from hypervisor.ffa.paravirtual import Paravirtual
from hypervisor.firmware import psci, psci_secondary, smccc
from hypervisor.firmware.functions import SMC64_BIT, is_psci
from hypervisor.firmware.smccc import UNKNOWN_FUNCTION
from runtime.syndrome import ExceptionClass, class_of

LOW_HALF = 0xFFFF_FFFF


def handle(caller: Vcpu, call: Message, reply: Message) -> None:
    """Serve a call; HVC and SMC are alike but for what goes on to the firmware. EL0 partitions have none of this."""
    reply.copy(call)
    number = low(call.x0) & ~NO_VECTOR_STATE_BIT
    function = Paravirtual.decode(number)
    if function is not None and caller.kind != PartitionKind.PRIMARY:
        reply.x0 = paravirtual.handle(caller, function, call)
        return
    if caller.kind == PartitionKind.EL0:
        reply.x0 = UNKNOWN_FUNCTION
        return
    if not is_psci(number):
        kind = class_of(ESR_EL2.read().raw)
        smccc.handle(caller, number, call, reply, kind is not None and kind == ExceptionClass.SMC)
        return
    psci_function = PsciFunction.decode(number)
    if psci_function is None:
        reply.x0 = psci.register_of(PsciError.NOT_SUPPORTED.value)
        return
    arguments = Message()
    arguments.copy(call)
    if number & SMC64_BIT == 0:
        arguments.x1 = call.x1 & LOW_HALF
        arguments.x2 = call.x2 & LOW_HALF
        arguments.x3 = call.x3 & LOW_HALF
    if caller.kind == PartitionKind.PRIMARY:
        reply.x0 = psci.register_of(psci.handle(caller, psci_function, arguments.x1, arguments.x2, arguments.x3))
    else:
        psci_secondary.handle(caller, psci_function, arguments, reply)
