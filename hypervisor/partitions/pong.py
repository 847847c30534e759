"""A partition that answers: waits for direct requests and returns the checksum of each."""

from __future__ import annotations

from compiler.language import export
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message
from hypervisor.partitions.checksum import checksum
from runtime import memory_functions
from runtime.partition import calls, start
from runtime.partition.console import log

ENTRY_POINTS = (start.start, memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)


@export("partition_main")
def partition_main() -> None:
    """Serve for ever."""
    log("ready")
    message = calls.wait()
    while True:
        is_request = message.x0 == Function.DIRECT_REQUEST.value or message.x0 == Function.DIRECT_REQUEST_64.value
        assert is_request, "a message that is no direct request"
        message = calls.respond(message, Message(x3=message.x3, x4=checksum(message)))
