"""What our services compute of a direct request, so that its sender can verify the response.

The answer depends on every payload register, on their order and on who answers: a message that is lost, delivered to
another partition or mixed with another shows.
"""

from __future__ import annotations

from compiler.language import rotate_left, truncate, u16, u32, u64, wrapping_mul
from runtime.partition import calls
from runtime.partition.functions import Call
from runtime.partition.message import REGISTER_COUNT, LongMessage

ODD_FACTOR = 0x9E37_79B9_7F4A_7C15
"""2**64 divided by the golden ratio: multiples of it look random."""
FIRST_PAYLOAD = 3
END_PAYLOAD = 8
FIRST_PAYLOAD_2 = 4
"""Payload of a direct request is x3 to x7, of FFA_MSG_SEND_DIRECT_REQ2 x4 to x17."""
ANSWER = 4
"""The register that the answer is in."""


def checksum(message: LongMessage, first: u64, end: u64, answerer: u16) -> u64:
    """The answer to the registers from `first` on."""
    value: u64 = u64(answerer) + 1
    for register in range(first, end):
        value = wrapping_mul(rotate_left(value, 7) ^ message.x[register], ODD_FACTOR)
    return value


def is_request(message: LongMessage) -> bool:
    """Whether it is a direct request of any kind."""
    function = message.x[0]
    return (
        function == Call.DIRECT_REQUEST.value
        or function == Call.DIRECT_REQUEST_64.value
        or function == Call.DIRECT_REQUEST_2.value
    )


def respond(message: LongMessage, own_id: u16) -> None:
    """Answer a request; the message becomes the next one."""
    prepare_response(message, own_id)
    calls.call_long(message)


def prepare_response(message: LongMessage, own_id: u16) -> None:
    """Turn a request into its response: the answer, and of the request its first payload register."""
    sender = truncate(u16, message.x[1] >> 16)
    if message.x[0] == Call.DIRECT_REQUEST_2.value:
        answer = checksum(message, FIRST_PAYLOAD_2, REGISTER_COUNT, own_id)
        echo = message.x[FIRST_PAYLOAD_2]
        calls.clear(message)
        message.x[ANSWER] = answer
        message.x[ANSWER + 1] = echo
        message.x[0] = Call.DIRECT_RESPONSE_2.value
        message.x[1] = u64(own_id) << 16 | sender
        return
    is_64 = message.x[0] == Call.DIRECT_REQUEST_64.value
    answer = checksum(message, FIRST_PAYLOAD, END_PAYLOAD, own_id)
    echo = message.x[FIRST_PAYLOAD]
    calls.clear(message)
    message.x[0] = Call.DIRECT_RESPONSE_64.value if is_64 else Call.DIRECT_RESPONSE.value
    message.x[1] = u64(own_id) << 16 | sender
    message.x[FIRST_PAYLOAD] = echo
    message.x[ANSWER] = answer if is_64 else truncate(u32, answer)


def wait(message: LongMessage) -> None:
    """FFA_MSG_WAIT: the message becomes the next one."""
    calls.clear(message)
    message.x[0] = Call.MSG_WAIT.value
    calls.call_long(message)
