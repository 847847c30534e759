"""From the vectors to whoever serves a call: FF-A, or else PSCI, SMCCC and the firmware.

The vectors call `handle_call` with x0 to x7 of the caller and give what it returns to the vCPU that runs next.
"""

from __future__ import annotations

from compiler.language import export, u64
from hypervisor.core.scheduler import current_vcpu
from hypervisor.ffa import dispatch as ffa_dispatch
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import NO_VECTOR_STATE_BIT, Function, is_ffa
from hypervisor.ffa.message import Message, MessageRegisters, low, registers_of
from hypervisor.firmware import other_calls


@export("handle_call")
def handle_call(x0: u64, x1: u64, x2: u64, x3: u64, x4: u64, x5: u64, x6: u64, x7: u64) -> MessageRegisters:
    """Serve an HVC, SMC or SVC of the vCPU that runs on this CPU."""
    call = Message(x0=x0, x1=x1, x2=x2, x3=x3, x4=x4, x5=x5, x6=x6, x7=x7)
    reply = Message()
    caller = current_vcpu()
    number = low(x0) & ~NO_VECTOR_STATE_BIT
    function = Function.decode(number)
    if function is not None:
        ffa_dispatch.handle(caller, function, call, reply)
    elif is_ffa(number):
        reply.fail(FfaError.NOT_SUPPORTED)
    else:
        other_calls.handle(caller, call, reply)
    return registers_of(reply)
