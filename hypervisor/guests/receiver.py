"""A service that takes indirect messages and does nothing with them: the least that receiving costs."""

from __future__ import annotations

from compiler.language import export
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import low
from hypervisor.ffa.protocol import VERSION_1_2
from runtime import memory_functions
from runtime.partition import calls, mailbox

ENTRY_POINTS = (memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)
PAYLOAD_SIZE = 64


@export("partition_main")
def partition_main() -> None:
    """Serve for ever."""
    assert calls.version(VERSION_1_2) >= VERSION_1_2, "the hypervisor has another FF-A version"
    own_id = calls.own_id()
    error = mailbox.map_buffers()
    assert not isinstance(error, FfaError), "no buffers"
    calls.wait()
    while True:
        notifications = calls.take_notifications(own_id, 0, calls.FROM_HYPERVISOR)
        assert low(notifications.x7) & calls.RECEIVE_BUFFER_FULL != 0, "run without a message"
        assert len(mailbox.received()) == PAYLOAD_SIZE, "a message of another size"
        error = calls.release_receive_buffer()
        assert not isinstance(error, FfaError), "the receive buffer cannot be released"
        calls.wait()
