"""The primary of `./build.py bench ffa`: makes each kind of call a fixed number of times, and verifies every answer.

The kinds follow each other in the order of `Measured`, and nothing but SYSTEM_OFF comes behind them.
"""

from __future__ import annotations

from compiler.language import Array, array, export, static, truncate, u8, u16, u32, u64
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import Message, low
from hypervisor.ffa.protocol import VERSION_1_2
from hypervisor.guests import answer
from hypervisor.guests.measured import RECEIVER_EL0_ID, RECEIVER_EL1_ID, ROUND_COUNT, SERVER_EL0_ID, SERVER_EL1_ID
from runtime import memory_functions
from runtime.partition import calls, mailbox, psci
from runtime.partition.functions import Call
from runtime.partition.message import REGISTER_COUNT, LongMessage

ENTRY_POINTS = (memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)

OWN_ID = 1
UNKNOWN_FUNCTION = 0x8600_00FF
EIGHT_CHARACTERS = 0x0A65_7275_7361_656D
"""The line `measure`, little-endian."""
PAYLOAD_SIZE = 64
PAYLOAD: Array[u8] = static(array(PAYLOAD_SIZE))


@export("partition_main")
def partition_main() -> None:
    """Start the services, then every kind in its order."""
    agreed = calls.version(VERSION_1_2)
    assert agreed >= VERSION_1_2, "the hypervisor has another FF-A version"
    error = mailbox.map_buffers()
    assert not isinstance(error, FfaError), "no buffers"
    for service in range(SERVER_EL0_ID, RECEIVER_EL1_ID + 1):
        assert low(calls.run(u16(service), 0).x0) == Call.MSG_WAIT.value, "a service does not wait for messages"
    send(RECEIVER_EL0_ID)  # the first message to a receiver zeroes its whole buffer
    send(RECEIVER_EL1_ID)
    measure_short_calls(agreed)
    for round_number in range(ROUND_COUNT):
        exchange(SERVER_EL0_ID, round_number)
    for round_number in range(ROUND_COUNT):
        exchange(SERVER_EL1_ID, round_number)
    for round_number in range(ROUND_COUNT):
        exchange_2(SERVER_EL0_ID, round_number)
    for _ in range(ROUND_COUNT):
        send(RECEIVER_EL0_ID)
    for _ in range(ROUND_COUNT):
        send(RECEIVER_EL1_ID)
    psci.system_off()


def measure_short_calls(agreed: u32) -> None:
    """Calls that the hypervisor answers itself."""
    for _ in range(ROUND_COUNT):
        assert calls.version(VERSION_1_2) == agreed, "another version"
    for _ in range(ROUND_COUNT):
        assert calls.own_id() == OWN_ID, "not the ID of a primary"
    for _ in range(ROUND_COUNT):
        assert calls.has_feature(Call.ID_GET.value), "no FFA_ID_GET"
    for _ in range(ROUND_COUNT):
        result = calls.call(Message(x0=UNKNOWN_FUNCTION))
        assert result.x0 == 0xFFFF_FFFF_FFFF_FFFF, "a function of that number"
    for _ in range(ROUND_COUNT):
        assert psci.version() >= 1 << 16, "no PSCI"
    for _ in range(ROUND_COUNT):
        log_eight_characters()


def log_eight_characters() -> None:
    """FFA_CONSOLE_LOG of one line."""
    call = Message(x0=Call.CONSOLE_LOG_64.value, x1=8, x2=EIGHT_CHARACTERS)
    assert calls.call(call).x0 == Call.SUCCESS.value, "no console"


def exchange(server: u16, round_number: u64) -> None:
    """One direct request, its response verified."""
    message = LongMessage()
    message.x[0] = Call.DIRECT_REQUEST.value
    message.x[1] = u64(OWN_ID) << 16 | server
    for register in range(answer.FIRST_PAYLOAD, answer.END_PAYLOAD):
        message.x[register] = round_number * 8 + register
    expected = truncate(u32, answer.checksum(message, answer.FIRST_PAYLOAD, answer.END_PAYLOAD, server))
    calls.call_long(message)
    assert message.x[0] == Call.DIRECT_RESPONSE.value, "no response"
    assert message.x[1] == u64(server) << 16 | OWN_ID, "the response of another partition"
    assert message.x[answer.ANSWER] == expected, "a wrong answer"


def exchange_2(server: u16, round_number: u64) -> None:
    """The same with FFA_MSG_SEND_DIRECT_REQ2."""
    message = LongMessage()
    for register in range(answer.FIRST_PAYLOAD_2, REGISTER_COUNT):
        message.x[register] = round_number * 32 + register
    expected = answer.checksum(message, answer.FIRST_PAYLOAD_2, REGISTER_COUNT, server)
    calls.request_2(OWN_ID, server, message)
    assert message.x[0] == Call.DIRECT_RESPONSE_2.value, "no response"
    assert message.x[answer.ANSWER] == expected, "a wrong answer"


def send(receiver: u16) -> None:
    """One indirect message; its receiver takes it and waits for the next."""
    error = mailbox.send(OWN_ID, receiver, PAYLOAD[0:PAYLOAD_SIZE])
    assert not isinstance(error, FfaError), "the message cannot be sent"
    assert low(calls.run(receiver, 0).x0) == Call.MSG_WAIT.value, "the receiver does not wait again"
