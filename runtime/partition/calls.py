"""FF-A calls of a guest (DEN0077): one source for both conduits."""

from __future__ import annotations

from compiler.language import Value, VirtAddr, address_of, i32, truncate, u16, u32, u64
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import Message, low
from runtime.partition.conduit import ffa_call, ffa_call_long
from runtime.partition.functions import Call
from runtime.partition.message import LongMessage


def call(message: Message) -> Value[Message]:
    """Make a call, give its result."""
    x0, x1, x2, x3, x4, x5, x6, x7 = ffa_call(
        message.x0, message.x1, message.x2, message.x3, message.x4, message.x5, message.x6, message.x7
    )
    return Message(x0=x0, x1=x1, x2=x2, x3=x3, x4=x4, x5=x5, x6=x6, x7=x7)


def call_long(message: LongMessage) -> None:
    """Make a call with x0 to x17; the message becomes its result."""
    ffa_call_long(address_of(message))


def error_of(result: Message) -> FfaError | None:
    """The error that a result stands for, or None."""
    if low(result.x0) != Call.ERROR.value:
        return None
    error = FfaError.decode(truncate(i32, result.x2))
    return FfaError.NOT_SUPPORTED if error is None else error


def is_error(result: Message, expected: FfaError) -> bool:
    """Whether a result is FFA_ERROR with that code."""
    error = error_of(result)
    return isinstance(error, FfaError) and error == expected


def version(wanted: u32) -> u32:
    """FFA_VERSION: the hypervisor's version."""
    result = call(Message(x0=Call.VERSION.value, x1=wanted))
    return low(result.x0)


def own_id() -> u16:
    """FFA_ID_GET: the partition's own ID."""
    result = call(Message(x0=Call.ID_GET.value))
    return truncate(u16, result.x2)


def manager_id() -> Value[Message]:
    """FFA_SPM_ID_GET: the ID of the partition manager in w2."""
    return call(Message(x0=Call.SPM_ID_GET.value))


def has_feature(feature: u32) -> bool:
    """FFA_FEATURES: whether the hypervisor offers a function or a feature."""
    result = call(Message(x0=Call.FEATURES.value, x1=feature))
    return error_of(result) is None


def map_buffers(send: VirtAddr, receive: VirtAddr, page_count: u64) -> FfaError | None:
    """FFA_RXTX_MAP."""
    return error_of(call(Message(x0=Call.RXTX_MAP_64.value, x1=send.raw, x2=receive.raw, x3=page_count)))


def unmap_buffers() -> FfaError | None:
    """FFA_RXTX_UNMAP."""
    return error_of(call(Message(x0=Call.RXTX_UNMAP.value)))


def release_receive_buffer() -> FfaError | None:
    """FFA_RX_RELEASE."""
    return error_of(call(Message(x0=Call.RX_RELEASE.value)))


def partition_info() -> Value[Message]:
    """FFA_PARTITION_INFO_GET of all partitions: w2 descriptors of w3 bytes each in the receive buffer."""
    return call(Message(x0=Call.PARTITION_INFO_GET.value))


def partition_count() -> Value[Message]:
    """FFA_PARTITION_INFO_GET that only counts: w2."""
    return call(Message(x0=Call.PARTITION_INFO_GET.value, x5=1))


def partition_info_registers(message: LongMessage, start: u16) -> None:
    """FFA_PARTITION_INFO_GET_REGS of all partitions, from the one with index `start` on."""
    clear(message)
    message.x[0] = Call.PARTITION_INFO_GET_REGS_64.value
    message.x[3] = start
    call_long(message)


def wait() -> Value[Message]:
    """FFA_MSG_WAIT: the next message."""
    return call(Message(x0=Call.MSG_WAIT.value))


def yield_cpu() -> Value[Message]:
    """FFA_YIELD: let whoever scheduled us go on."""
    return call(Message(x0=Call.YIELD.value))


def run(partition: u16, vcpu: u16) -> Value[Message]:
    """FFA_RUN: let a vCPU run until it gives the CPU back."""
    return call(Message(x0=Call.RUN.value, x1=u64(partition) << 16 | vcpu))


def request(sender: u16, receiver: u16, payload: Message) -> Value[Message]:
    """FFA_MSG_SEND_DIRECT_REQ (64 bit) with x3 to x7 of `payload`: the response, or an error."""
    return call(direct(Call.DIRECT_REQUEST_64, sender, receiver, payload))


def respond(to: Message, payload: Message) -> Value[Message]:
    """FFA_MSG_SEND_DIRECT_RESP to a request, of its width, with x3 to x7 of `payload`: the next message."""
    function = Call.DIRECT_RESPONSE_64 if to.x0 == Call.DIRECT_REQUEST_64.value else Call.DIRECT_RESPONSE
    return call(direct(function, receiver_of(to), sender_of(to), payload))


def direct(function: Call, sender: u16, receiver: u16, payload: Message) -> Value[Message]:
    """The registers of a direct message."""
    return Message(
        x0=function.value,
        x1=u64(sender) << 16 | receiver,
        x3=payload.x3,
        x4=payload.x4,
        x5=payload.x5,
        x6=payload.x6,
        x7=payload.x7,
    )


def request_2(sender: u16, receiver: u16, message: LongMessage) -> None:
    """FFA_MSG_SEND_DIRECT_REQ2 with x4 to x17 of `message`, which becomes the response; to no service in particular."""
    message.x[0] = Call.DIRECT_REQUEST_2.value
    message.x[1] = u64(sender) << 16 | receiver
    message.x[2] = 0
    message.x[3] = 0
    call_long(message)


def sender_of(message: Message) -> u16:
    """Who sent a direct message."""
    return truncate(u16, message.x1 >> 16)


def receiver_of(message: Message) -> u16:
    """Whom a direct message is for."""
    return truncate(u16, message.x1)


def is_request(message: Message) -> bool:
    """Whether it is a direct request of x3 to x7."""
    return message.x0 == Call.DIRECT_REQUEST.value or message.x0 == Call.DIRECT_REQUEST_64.value


def clear(message: LongMessage) -> None:
    """All zeros."""
    for index in range(len(message.x)):
        message.x[index] = 0


def send_message() -> FfaError | None:
    """FFA_MSG_SEND2 of what is in the send buffer."""
    return error_of(call(Message(x0=Call.MSG_SEND2.value)))


def bind_notifications(sender: u16, receiver: u16, bitmap: u64) -> FfaError | None:
    """FFA_NOTIFICATION_BIND: let `sender` set these notifications of ours."""
    return error_of(call(notification(Call.NOTIFICATION_BIND, sender, receiver, bitmap)))


def unbind_notifications(sender: u16, receiver: u16, bitmap: u64) -> FfaError | None:
    """FFA_NOTIFICATION_UNBIND."""
    return error_of(call(notification(Call.NOTIFICATION_UNBIND, sender, receiver, bitmap)))


def set_notifications(sender: u16, receiver: u16, bitmap: u64) -> FfaError | None:
    """FFA_NOTIFICATION_SET: signal these to the receiver."""
    return error_of(call(notification(Call.NOTIFICATION_SET, sender, receiver, bitmap)))


def notification(function: Call, sender: u16, receiver: u16, bitmap: u64) -> Value[Message]:
    """The registers of those three."""
    return Message(x0=function.value, x1=u64(sender) << 16 | receiver, x3=truncate(u32, bitmap), x4=bitmap >> 32)


FROM_SECURE_PARTITIONS = 1
FROM_VMS = 2
FROM_MANAGER = 4
FROM_HYPERVISOR = 8
"""Which bitmaps FFA_NOTIFICATION_GET gives and clears."""
RECEIVE_BUFFER_FULL = 1
"""The hypervisor's framework notification: w7 of the result."""


def take_notifications(receiver: u16, vcpu: u16, flags: u64) -> Value[Message]:
    """FFA_NOTIFICATION_GET: w2 and w3 from secure partitions, w4 and w5 from VMs, w6 and w7 from the framework."""
    return call(Message(x0=Call.NOTIFICATION_GET.value, x1=u64(vcpu) << 16 | receiver, x2=flags))


def pending_notifications() -> Value[Message]:
    """FFA_NOTIFICATION_INFO_GET, for the primary: which partitions have notifications that nobody told it of yet."""
    return call(Message(x0=Call.NOTIFICATION_INFO_GET_64.value))


def memory_permissions(address: VirtAddr) -> Value[Message]:
    """FFA_MEM_PERM_GET of a page: w2."""
    return call(Message(x0=Call.MEM_PERM_GET_64.value, x1=address.raw))


def set_memory_permissions(address: VirtAddr, page_count: u64, permissions: u64) -> FfaError | None:
    """FFA_MEM_PERM_SET: 3 read and execute, 5 read and write, 7 read."""
    return error_of(call(Message(x0=Call.MEM_PERM_SET_64.value, x1=address.raw, x2=page_count, x3=permissions)))
