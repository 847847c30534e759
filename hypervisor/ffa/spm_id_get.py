"""FFA_SPM_ID_GET: the ID of whoever manages the caller's partition (DEN0077, FFA_SPM_ID_GET)."""

from __future__ import annotations

from hypervisor.ffa.message import Message

SPMC_ID = 0x8000


def handle(reply: Message) -> None:
    """Cannot fail."""
    reply.succeed(SPMC_ID)
