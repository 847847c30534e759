"""The partition that measure_ask sends its requests to: does what pong does, without a word."""

from __future__ import annotations

from compiler.language import export
from hypervisor.ffa.message import Message
from hypervisor.partitions.checksum import checksum
from runtime import memory_functions
from runtime.partition import calls, start

ENTRY_POINTS = (start.start, memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)


@export("partition_main")
def partition_main() -> None:
    """Serve for ever."""
    message = calls.wait()
    while True:
        message = calls.respond(message, Message(x3=message.x3, x4=checksum(message)))
