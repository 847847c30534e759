"""A service for indirect messages that answers direct requests too. One source for EL0 and EL1.

When it is scheduled and a framework notification says that its receive buffer is full, it sends the payload back in
reverse order and yields.
"""

from __future__ import annotations

from compiler.language import Array, array, export, static, u8, u16, u64
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import low
from hypervisor.ffa.protocol import VERSION_1_2
from hypervisor.guests import answer
from runtime import memory_functions
from runtime.partition import calls, mailbox
from runtime.partition.message import LongMessage

ENTRY_POINTS = (memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)
PAYLOAD_SIZE_MAX = 1024
REVERSED: Array[u8] = static(array(PAYLOAD_SIZE_MAX))


@export("partition_main")
def partition_main() -> None:
    """Serve for ever."""
    assert calls.version(VERSION_1_2) >= VERSION_1_2, "the hypervisor has another FF-A version"
    own_id = calls.own_id()
    error = mailbox.map_buffers()
    assert not isinstance(error, FfaError), "no buffers"
    message = LongMessage()
    answer.wait(message)
    while True:
        if answer.is_request(message):
            answer.respond(message, own_id)
        else:
            answer_indirect(own_id)
            answer.wait(message)


def answer_indirect(own_id: u16) -> None:
    """Send back what is in the receive buffer, if anything is."""
    notifications = calls.take_notifications(own_id, 0, calls.FROM_HYPERVISOR)
    if low(notifications.x7) & calls.RECEIVE_BUFFER_FULL == 0:
        return
    sender = mailbox.received_header().sender
    payload = mailbox.received()
    size = len(payload)
    assert size <= PAYLOAD_SIZE_MAX, "a longer message than any that we serve"
    for position in range(size):
        REVERSED[position] = payload[size - 1 - position]
    error = calls.release_receive_buffer()
    assert not isinstance(error, FfaError), "the receive buffer cannot be released"
    error = mailbox.send(own_id, sender, REVERSED[u64(0) : size])
    assert not isinstance(error, FfaError), "the answer cannot be sent"
    calls.yield_cpu()
