"""A partition to be measured with: makes each kind of call a fixed number of times, and verifies every answer.

The kinds follow each other in the order of `Measured`; `./build.py bench ffa` counts on it.
"""

from __future__ import annotations

from enum import Enum

from compiler.language import export, truncate, u32, u64
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message
from hypervisor.ffa.protocol import VERSION_1_2
from hypervisor.partitions.checksum import checksum
from runtime import memory_functions
from runtime.partition import calls, start

ENTRY_POINTS = (start.start, memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)

OWN_ID = 3
SERVER_ID = 2
ROUND_COUNT = 1000
UNKNOWN_FUNCTION = 0x8400_00FF
EIGHT_CHARACTERS_LOW = 0x7361_656D
EIGHT_CHARACTERS_HIGH = 0x0A65_7275


class Measured(Enum):
    """What is measured, in this order; each value is what a person calls it."""

    VERSION = "FFA_VERSION"
    """Before all others, which make the version final."""
    ID_GET = "FFA_ID_GET"
    FEATURES = "FFA_FEATURES"
    UNKNOWN = "unknown function"
    CONSOLE_LOG = "FFA_CONSOLE_LOG, a line of 8 characters"
    DIRECT_32 = "direct request + response, 32 bit"
    DIRECT_64 = "direct request + response, 64 bit"


@export("partition_main")
def partition_main() -> None:
    """Every kind in its order."""
    for _ in range(ROUND_COUNT):
        assert calls.version(VERSION_1_2) == VERSION_1_2, "another version"
    for _ in range(ROUND_COUNT):
        assert calls.own_id() == OWN_ID, "not the ID of the list of partitions"
    for _ in range(ROUND_COUNT):
        assert calls.has_feature(Function.ID_GET.value), "no FFA_ID_GET"
    for _ in range(ROUND_COUNT):
        assert is_error(calls.call(Message(x0=UNKNOWN_FUNCTION)), FfaError.NOT_SUPPORTED), "a function of that number"
    for _ in range(ROUND_COUNT):
        log_eight_characters()
    for round_number in range(ROUND_COUNT):
        exchange(Function.DIRECT_REQUEST, Function.DIRECT_RESPONSE, round_number)
    for round_number in range(ROUND_COUNT):
        exchange(Function.DIRECT_REQUEST_64, Function.DIRECT_RESPONSE_64, round_number)


def is_error(result: Message, expected: FfaError) -> bool:
    """Whether a result is FFA_ERROR with that code."""
    error = calls.error_of(result)
    return isinstance(error, FfaError) and error == expected


def log_eight_characters() -> None:
    """FFA_CONSOLE_LOG of the line "measure" that the constants are."""
    call = Message(x0=Function.CONSOLE_LOG.value, x1=8, x2=EIGHT_CHARACTERS_LOW, x3=EIGHT_CHARACTERS_HIGH)
    assert calls.call(call).x0 == Function.SUCCESS.value, "no console"


def exchange(request: Function, response: Function, round_number: u64) -> None:
    """One direct request, its response verified."""
    first = round_number * 5
    payload = Message(x3=first, x4=first + 1, x5=first + 2, x6=first + 3, x7=first + 4)
    result = calls.call(
        Message(
            x0=request.value,
            x1=u64(OWN_ID) << 16 | SERVER_ID,
            x3=payload.x3,
            x4=payload.x4,
            x5=payload.x5,
            x6=payload.x6,
            x7=payload.x7,
        )
    )
    assert result.x0 == response.value, "no response"
    assert result.x1 == u64(SERVER_ID) << 16 | OWN_ID, "the response of another partition"
    assert result.x3 == first, "the response to another request"
    assert truncate(u32, result.x4) == truncate(u32, checksum(payload)), "a wrong answer"
