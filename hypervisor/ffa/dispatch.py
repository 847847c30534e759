"""From a function ID of FF-A to its handler.

Every handler decodes, checks and commits; an error becomes FFA_ERROR. x8 to x17 of a call are in the caller's context,
and what a handler writes there is what the caller finds.
"""

from __future__ import annotations

from compiler.language import Ordering
from hypervisor.core.vcpu import VERSION_OPEN, Vcpu, partition_of
from hypervisor.ffa import (
    console_log,
    direct,
    features,
    id_get,
    msg_wait,
    run,
    spm_id_get,
    version,
    yielding,
)
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message


def handle(caller: Vcpu, function: Function, call: Message, reply: Message) -> None:
    """Serve a call that the short paths left."""
    if function != Function.VERSION:
        make_version_final(caller)
    error = dispatch(caller, function, call, reply)
    if isinstance(error, FfaError):
        reply.fail(error)


def make_version_final(caller: Vcpu) -> None:
    """From its first other call on a partition keeps its version; the short paths need not look at it again."""
    if caller.attention.load(Ordering.RELAXED) & VERSION_OPEN != 0:
        partition_of(caller).version_is_final = True
        caller.attention.fetch_and(~VERSION_OPEN)


def dispatch(caller: Vcpu, function: Function, call: Message, reply: Message) -> FfaError | None:
    """Call the handler of a function."""
    match function:
        case Function.VERSION:
            version.handle(partition_of(caller), call, reply)
            return None
        case Function.FEATURES:
            return features.handle(call, reply)
        case Function.ID_GET:
            id_get.handle(caller, reply)
            return None
        case Function.SPM_ID_GET:
            spm_id_get.handle(reply)
            return None
        case Function.CONSOLE_LOG:
            return console_log.handle_32(caller, call, reply)
        case Function.CONSOLE_LOG_64:
            return console_log.handle_64(caller, call, reply)
        case Function.MSG_WAIT:
            return msg_wait.handle(caller, call, reply)
        case Function.YIELD:
            return yielding.handle(caller, call, reply)
        case Function.RUN:
            return run.handle(caller, call, reply)
        case Function.DIRECT_REQUEST | Function.DIRECT_REQUEST_64:
            return direct.handle_request(caller, call, reply)
        case Function.DIRECT_RESPONSE | Function.DIRECT_RESPONSE_64:
            return direct.handle_response(caller, call, reply)
        case _:
            return FfaError.NOT_SUPPORTED
