"""A partition that asks: finds out where it runs, sends pong a series of requests and verifies every answer.

A wrong answer fails an assertion, which ends the partition, which the hypervisor's exit status shows.
"""

from __future__ import annotations

from compiler.language import export, u16, u64, wrapping_mul
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message
from hypervisor.ffa.protocol import VERSION_1_2
from hypervisor.partitions.checksum import checksum
from runtime import memory_functions
from runtime.partition import calls, start
from runtime.partition.console import log

ENTRY_POINTS = (start.start, memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)

PONG_ID = 2
ROUND_COUNT = 1000
ODD_FACTOR = 0x9E37_79B9_7F4A_7C15
"""2**64 divided by the golden ratio: multiples of it look random."""


@export("partition_main")
def partition_main() -> None:
    """Discover, exchange messages, report."""
    own_id = discover()
    for round_number in range(ROUND_COUNT):
        exchange(own_id, round_number)
    log(f"{ROUND_COUNT} requests answered, all answers right")


def discover() -> u16:
    """Ask the hypervisor what it is and who we are."""
    version = calls.version(VERSION_1_2)
    own_id = calls.own_id()
    log(f"FF-A {version >> 16}.{version & 0xFFFF}, my ID is {own_id}")
    assert calls.has_feature(Function.DIRECT_REQUEST_64.value), "the hypervisor has no direct requests"
    assert calls.has_feature(Function.CONSOLE_LOG_64.value), "the hypervisor has no console"
    return own_id


def exchange(own_id: u16, round_number: u64) -> None:
    """One request and its response."""
    payload = Message(
        x3=round_number,
        x4=wrapping_mul(round_number + 1, ODD_FACTOR),
        x5=wrapping_mul(round_number + 2, ODD_FACTOR),
        x6=wrapping_mul(round_number + 3, ODD_FACTOR),
        x7=wrapping_mul(round_number + 4, ODD_FACTOR),
    )
    response = calls.request(own_id, PONG_ID, payload)
    while is_busy(response):
        response = calls.request(own_id, PONG_ID, payload)
    assert response.x0 == Function.DIRECT_RESPONSE_64.value, "no response"
    assert response.x3 == round_number, "the response to another request"
    assert response.x4 == checksum(payload), "a wrong answer"


def is_busy(result: Message) -> bool:
    """Whether pong cannot take the request yet."""
    error = calls.error_of(result)
    return isinstance(error, FfaError) and error == FfaError.BUSY
