"""FFA_FEATURES: which functions and features the hypervisor offers to a caller (DEN0077, FFA_FEATURES)."""

from __future__ import annotations

from compiler.language import Array, constant, u32
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message, low

WITHOUT_PROPERTIES = [
    Function.ERROR,
    Function.SUCCESS,
    Function.SUCCESS_64,
    Function.INTERRUPT,
    Function.VERSION,
    Function.FEATURES,
    Function.ID_GET,
    Function.MSG_WAIT,
    Function.YIELD,
    Function.RUN,
    Function.DIRECT_REQUEST,
    Function.DIRECT_REQUEST_64,
    Function.DIRECT_RESPONSE,
    Function.DIRECT_RESPONSE_64,
    Function.SPM_ID_GET,
    Function.CONSOLE_LOG,
    Function.CONSOLE_LOG_64,
]
"""What every caller has, with nothing to say about it."""

_NUMBERS: Array[u32] = constant([u32(function.value) for function in WITHOUT_PROPERTIES])


def handle(call: Message, reply: Message) -> FfaError | None:
    """Succeed, with no properties, for each function that everybody has."""
    wanted = low(call.x1)
    for number in _NUMBERS:
        if number == wanted:
            reply.succeed(0)
            return None
    return FfaError.NOT_SUPPORTED
