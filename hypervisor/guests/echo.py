"""A service that answers direct requests with a checksum. One source for EL0 and EL1."""

from __future__ import annotations

from compiler.language import export, u16
from hypervisor.ffa.protocol import VERSION_1_2
from hypervisor.guests import answer
from runtime import memory_functions
from runtime.partition import calls
from runtime.partition.message import LongMessage

ENTRY_POINTS = (memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)


@export("partition_main")
def partition_main() -> None:
    """Serve for ever."""
    assert calls.version(VERSION_1_2) >= VERSION_1_2, "the hypervisor has another FF-A version"
    serve(calls.own_id())


def serve(own_id: u16) -> None:
    """Wait; answer what is a request, and wait again after anything else, such as FFA_RUN."""
    message = LongMessage()
    answer.wait(message)
    while True:
        if answer.is_request(message):
            answer.respond(message, own_id)
        else:
            answer.wait(message)
