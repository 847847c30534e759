"""FFA_FEATURES: which functions the hypervisor offers (DEN0077, FFA_FEATURES)."""

from __future__ import annotations

from compiler.language import u32
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message, low

FUNCTION_ID_BIT = 1 << 31
"""Set in function IDs, clear in the IDs of other features, of which there is none here."""


def handle(call: Message, reply: Message) -> FfaError | None:
    """Succeed, with no properties, for each function that `dispatch` serves or answers with."""
    wanted = low(call.x1)
    if not is_supported(wanted):
        return FfaError.NOT_SUPPORTED
    reply.succeed(0)
    return None


def is_supported(wanted: u32) -> bool:
    """Whether it is a function ID that the hypervisor knows."""
    return wanted & FUNCTION_ID_BIT != 0 and Function.decode(wanted) is not None
