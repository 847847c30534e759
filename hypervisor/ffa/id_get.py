"""FFA_ID_GET: a partition asks for its own ID (DEN0077, FFA_ID_GET)."""

from __future__ import annotations

from hypervisor.core.vcpu import Vcpu
from hypervisor.ffa.message import Message


def handle(caller: Vcpu, reply: Message) -> None:
    """Cannot fail."""
    reply.succeed(caller.partition_id.raw)
