"""What pong computes and ping expects."""

from __future__ import annotations

from compiler.language import rotate_left, u64
from hypervisor.ffa.message import Message


def checksum(message: Message) -> u64:
    """A number in which every bit of x4 to x7 and their order matter."""
    value = message.x4
    value = rotate_left(value, 7) ^ message.x5
    value = rotate_left(value, 7) ^ message.x6
    return rotate_left(value, 7) ^ message.x7
