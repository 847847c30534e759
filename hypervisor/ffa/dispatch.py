"""From a function ID of FF-A to its handler.

Every handler decodes, checks and commits; an error becomes FFA_ERROR. x8 to x17 of a call are in the caller's context,
and what a handler writes there is what the caller finds.
"""

from __future__ import annotations

from compiler.language import Ordering
from hypervisor.arch.aarch64 import timers
from hypervisor.core.partition import PartitionKind
from hypervisor.core.vcpu import VERSION_OPEN, Vcpu, partition_of
from hypervisor.ffa import (
    buffers,
    console_log,
    direct,
    features,
    id_get,
    mem_perm,
    msg_send2,
    msg_wait,
    notification_info,
    notifications,
    partition_info,
    run,
    spm_id_get,
    version,
    yielding,
)
from hypervisor.ffa.abort import abort_vcpu
from hypervisor.ffa.chain import is_aborted
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message, low


def handle(caller: Vcpu, function: Function, call: Message, reply: Message) -> None:
    """Serve a call that the short paths left."""
    if is_aborted(caller):
        abort_vcpu(caller, reply)
        return
    call.x0 = function.value
    if function != Function.VERSION and function != Function.INTERRUPT:
        make_version_final(caller)
    error = dispatch(caller, function, call, reply)
    if isinstance(error, FfaError):
        reply.fail(error)


def make_version_final(caller: Vcpu) -> None:
    """From its first other call on a partition keeps its version; the short paths need not look at it again."""
    if caller.attention.load(Ordering.RELAXED) & VERSION_OPEN != 0:
        if caller.kind == PartitionKind.PRIMARY:
            timers.prepare_primary_timer()
        partition_of(caller).version_is_final = True
        caller.attention.fetch_and(~VERSION_OPEN)


def dispatch(caller: Vcpu, function: Function, call: Message, reply: Message) -> FfaError | None:
    """Call the handler of a function."""
    match function:
        case Function.VERSION:
            version.handle(partition_of(caller), call, reply)
            return None
        case Function.FEATURES:
            return features.handle(caller, call, reply)
        case Function.ID_GET:
            id_get.handle(caller, reply)
            return None
        case Function.SPM_ID_GET:
            spm_id_get.handle(reply)
            return None
        case Function.RXTX_MAP:
            return buffers.handle_map(caller, low(call.x1), low(call.x2), low(call.x3), reply)
        case Function.RXTX_MAP_64:
            return buffers.handle_map(caller, call.x1, call.x2, low(call.x3), reply)
        case Function.RXTX_UNMAP:
            return buffers.handle_unmap(caller, call, reply)
        case Function.RX_RELEASE:
            return buffers.handle_release(caller, call, reply)
        case Function.PARTITION_INFO_GET:
            return partition_info.handle(caller, call, reply)
        case Function.PARTITION_INFO_GET_REGS:
            return partition_info.handle_registers(caller, call, reply)
        case Function.MEM_PERM_GET:
            return mem_perm.handle_get(caller, low(call.x1), low(call.x2), reply)
        case Function.MEM_PERM_GET_64:
            return mem_perm.handle_get(caller, call.x1, low(call.x2), reply)
        case Function.MEM_PERM_SET:
            return mem_perm.handle_set(caller, low(call.x1), low(call.x2), low(call.x3), reply)
        case Function.MEM_PERM_SET_64:
            return mem_perm.handle_set(caller, call.x1, low(call.x2), low(call.x3), reply)
        case Function.CONSOLE_LOG:
            return console_log.handle_32(caller, call, reply)
        case Function.CONSOLE_LOG_64:
            return console_log.handle_64(caller, call, reply)
        case Function.MSG_WAIT:
            return msg_wait.handle(caller, call, reply)
        case Function.MSG_POLL:
            return msg_wait.handle_poll(caller, reply)
        case Function.MSG_SEND2:
            return msg_send2.handle(caller, call, reply)
        case Function.YIELD:
            return yielding.handle(caller, call, reply)
        case Function.RUN:
            return run.handle(caller, call, reply)
        case Function.DIRECT_REQUEST | Function.DIRECT_REQUEST_64:
            return direct.handle_request(caller, call, reply)
        case Function.DIRECT_RESPONSE | Function.DIRECT_RESPONSE_64:
            return direct.handle_response(caller, call, reply)
        case Function.DIRECT_REQUEST_2:
            return direct.handle_request_2(caller, call, reply)
        case Function.DIRECT_RESPONSE_2:
            return direct.handle_response_2(caller, call, reply)
        case Function.NOTIFICATION_BITMAP_CREATE:
            return notification_info.handle_bitmap_create(caller, call, reply)
        case Function.NOTIFICATION_BITMAP_DESTROY:
            return notification_info.handle_bitmap_destroy(caller, call, reply)
        case Function.NOTIFICATION_BIND:
            return notifications.handle_bind(caller, call, reply)
        case Function.NOTIFICATION_UNBIND:
            return notifications.handle_unbind(caller, call, reply)
        case Function.NOTIFICATION_SET:
            return notifications.handle_set(caller, call, reply)
        case Function.NOTIFICATION_GET:
            return notifications.handle_get(caller, call, reply)
        case Function.NOTIFICATION_INFO_GET_64:
            return notification_info.handle(caller, reply)
        case Function.INTERRUPT:
            return FfaError.DENIED
        case _:
            return FfaError.NOT_SUPPORTED
