"""Calls of guests that are not FF-A's: answered here or passed to the firmware, else SMCCC's unknown function."""

from __future__ import annotations

from hypervisor.core.vcpu import Vcpu
from hypervisor.ffa.message import Message

UNKNOWN_FUNCTION = 0xFFFF_FFFF_FFFF_FFFF
"""-1 in x0 (DEN0028, 5.2); the other registers stay as they are."""


def handle(_caller: Vcpu, call: Message, reply: Message) -> None:
    """Nothing is known here yet."""
    reply.copy(call)
    reply.x0 = UNKNOWN_FUNCTION
