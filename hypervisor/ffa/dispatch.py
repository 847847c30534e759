"""From the vectors to the call families: decodes the function ID and calls its handler.

The vectors call `handle_call` with x0 to x7 of the partition and give what it returns to the vCPU that runs next.
"""

from __future__ import annotations

from compiler.language import export, u64
from hypervisor.core.partition import Partition, partition_of
from hypervisor.core.scheduler import current_vcpu
from hypervisor.ffa import console_log, direct, features, id_get, msg_wait, version
from hypervisor.ffa.endpoint import Endpoint, endpoint_of
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import NO_VECTOR_STATE_BIT, Function
from hypervisor.ffa.message import Message, MessageRegisters, low, registers_of


@export("handle_call")
def handle_call(x0: u64, x1: u64, x2: u64, x3: u64, x4: u64, x5: u64, x6: u64, x7: u64) -> MessageRegisters:
    """Serve an SVC of the partition that runs on this CPU."""
    call = Message(x0=x0, x1=x1, x2=x2, x3=x3, x4=x4, x5=x5, x6=x6, x7=x7)
    reply = Message()
    caller = partition_of(current_vcpu())
    caller.vcpu.counts.calls += 1
    error = dispatch(caller, endpoint_of(caller), call, reply)
    if isinstance(error, FfaError):
        reply.fail(error)
        caller.vcpu.counts.errors += 1
    return registers_of(reply)


def dispatch(caller: Partition, endpoint: Endpoint, call: Message, reply: Message) -> FfaError | None:
    """Call the handler of a function; an error becomes FFA_ERROR."""
    function = Function.decode(low(call.x0) & ~NO_VECTOR_STATE_BIT)
    if function is None:
        return FfaError.NOT_SUPPORTED
    if function != Function.VERSION:
        caller.vcpu.version_is_final = True
    match function:
        case Function.VERSION:
            version.handle(caller.vcpu, call, reply)
            return None
        case Function.FEATURES:
            return features.handle(call, reply)
        case Function.ID_GET:
            id_get.handle(caller, reply)
            return None
        case Function.CONSOLE_LOG:
            return console_log.handle_32(caller, endpoint, call, reply)
        case Function.CONSOLE_LOG_64:
            return console_log.handle_64(caller, endpoint, call, reply)
        case Function.MSG_WAIT:
            return msg_wait.handle(caller, call)
        case Function.DIRECT_REQUEST | Function.DIRECT_REQUEST_64:
            return direct.handle_request(caller, call, reply)
        case Function.DIRECT_RESPONSE | Function.DIRECT_RESPONSE_64:
            return direct.handle_response(caller, call, reply)
        case Function.ERROR | Function.SUCCESS | Function.INTERRUPT:
            return FfaError.NOT_SUPPORTED
