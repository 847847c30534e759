"""FF-A calls of a partition at EL0: SVC with the function ID in w0 (DEN0077, conduits)."""

from __future__ import annotations

from compiler.language import Value, assembly_block, i32, truncate, u16, u32, u64
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message, MessageRegisters, low


@assembly_block(
    """
    inline
    in x0 = x0, x1 = x1, x2 = x2, x3 = x3, x4 = x4, x5 = x5, x6 = x6, x7 = x7
    out x0, x1, x2, x3, x4, x5, x6, x7
    clobber x8..x17, memory
    begin
        svc     #0
    """
)
def supervisor_call(x0: u64, x1: u64, x2: u64, x3: u64, x4: u64, x5: u64, x6: u64, x7: u64) -> MessageRegisters:
    """A call with eight registers, and its result. The twin has no hypervisor beneath: nothing is supported."""
    return Function.ERROR.value, 0, truncate(u32, FfaError.NOT_SUPPORTED.value), 0, 0, 0, 0, 0


def call(message: Message) -> Value[Message]:
    """Make a call, give its result."""
    x0, x1, x2, x3, x4, x5, x6, x7 = supervisor_call(
        message.x0, message.x1, message.x2, message.x3, message.x4, message.x5, message.x6, message.x7
    )
    return Message(x0=x0, x1=x1, x2=x2, x3=x3, x4=x4, x5=x5, x6=x6, x7=x7)


def error_of(result: Message) -> FfaError | None:
    """The error that a result stands for, or None."""
    if result.x0 != Function.ERROR.value:
        return None
    error = FfaError.decode(truncate(i32, result.x2))
    return FfaError.NOT_SUPPORTED if error is None else error


def version(wanted: u32) -> u32:
    """FFA_VERSION: the hypervisor's version."""
    result = call(Message(x0=Function.VERSION.value, x1=wanted))
    return low(result.x0)


def own_id() -> u16:
    """FFA_ID_GET: the partition's own ID."""
    result = call(Message(x0=Function.ID_GET.value))
    return truncate(u16, result.x2)


def has_feature(function: Function) -> bool:
    """FFA_FEATURES: whether the hypervisor offers a function."""
    result = call(Message(x0=Function.FEATURES.value, x1=function.value))
    return error_of(result) is None


def wait() -> Value[Message]:
    """FFA_MSG_WAIT: the next message."""
    return call(Message(x0=Function.MSG_WAIT.value))


def request(sender: u16, receiver: u16, payload: Message) -> Value[Message]:
    """FFA_MSG_SEND_DIRECT_REQ (64 bit) with x3 to x7 of `payload`: the response, or an error."""
    return call(
        Message(
            x0=Function.DIRECT_REQUEST_64.value,
            x1=u64(sender) << 16 | receiver,
            x3=payload.x3,
            x4=payload.x4,
            x5=payload.x5,
            x6=payload.x6,
            x7=payload.x7,
        )
    )


def respond(to: Message, payload: Message) -> Value[Message]:
    """FFA_MSG_SEND_DIRECT_RESP to a request, of its width, with x3 to x7 of `payload`: the next message."""
    is_64 = to.x0 == Function.DIRECT_REQUEST_64.value
    sender = low(to.x1) >> 16
    receiver = low(to.x1) & 0xFFFF
    return call(
        Message(
            x0=Function.DIRECT_RESPONSE_64.value if is_64 else Function.DIRECT_RESPONSE.value,
            x1=u64(receiver << 16 | sender),
            x3=payload.x3,
            x4=payload.x4,
            x5=payload.x5,
            x6=payload.x6,
            x7=payload.x7,
        )
    )
