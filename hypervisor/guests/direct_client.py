"""Sends direct requests and verifies the responses, as `answer.py` says they have to be."""

from __future__ import annotations

from compiler.language import i32, truncate, u16, u32, u64, wrapping_mul
from hypervisor.ffa.errors import FfaError
from hypervisor.guests import answer
from runtime.partition import calls, discovery
from runtime.partition.discovery import PartitionInfo
from runtime.partition.functions import Call
from runtime.partition.message import REGISTER_COUNT, LongMessage

CPU_SHIFT = 32


def kind_count(partition: PartitionInfo) -> u64:
    """How many kinds of direct requests it takes."""
    return 3 if partition.properties & discovery.RECEIVES_DIRECT_2 != 0 else 2


def exchange(own_id: u16, partition: PartitionInfo, cpu: u64, round_number: u64) -> u64:
    """One request of each kind; how many times the partition was busy. Fails an assertion where an answer is wrong."""
    seed = cpu << CPU_SHIFT | round_number
    busy_count = exchange_one(Call.DIRECT_REQUEST_64, own_id, partition.id, seed)
    busy_count += exchange_one(Call.DIRECT_REQUEST, own_id, partition.id, seed)
    if partition.properties & discovery.RECEIVES_DIRECT_2 != 0:
        busy_count += exchange_one(Call.DIRECT_REQUEST_2, own_id, partition.id, seed)
    return busy_count


def exchange_one(function: Call, own_id: u16, partition: u16, seed: u64) -> u64:
    """One request, repeated while the partition is busy with another; the number of repetitions."""
    busy_count: u64 = 0
    message = LongMessage()
    fill(message, function, own_id, partition, seed)
    expected = expected_answer(message, partition)
    calls.call_long(message)
    while is_to_be_repeated(message):
        busy_count += 1
        fill(message, function, own_id, partition, seed)
        calls.call_long(message)
    verify(message, function, u64(partition) << 16 | own_id, expected, seed)
    return busy_count


def fill(message: LongMessage, function: Call, own_id: u16, partition: u16, seed: u64) -> None:
    """The registers of a request: x3 (or x4) is the seed, the rest follows from it."""
    calls.clear(message)
    message.x[0] = function.value
    message.x[1] = u64(own_id) << 16 | partition
    first = first_payload(function)
    for register in range(first, end_payload(function)):
        value = wrapping_mul(seed + register, answer.ODD_FACTOR)
        message.x[register] = truncate(u32, value) if function == Call.DIRECT_REQUEST else value
    message.x[first] = truncate(u32, seed) if function == Call.DIRECT_REQUEST else seed


def first_payload(function: Call) -> u64:
    """The first payload register of a kind of request."""
    return answer.FIRST_PAYLOAD_2 if function == Call.DIRECT_REQUEST_2 else answer.FIRST_PAYLOAD


def end_payload(function: Call) -> u64:
    """The register after the payload."""
    return REGISTER_COUNT if function == Call.DIRECT_REQUEST_2 else answer.END_PAYLOAD


def expected_answer(request: LongMessage, partition: u16) -> u64:
    """What the partition has to answer."""
    function = request.x[0]
    if function == Call.DIRECT_REQUEST_2.value:
        return answer.checksum(request, answer.FIRST_PAYLOAD_2, REGISTER_COUNT, partition)
    value = answer.checksum(request, answer.FIRST_PAYLOAD, answer.END_PAYLOAD, partition)
    return truncate(u32, value) if function == Call.DIRECT_REQUEST.value else value


def is_to_be_repeated(result: LongMessage) -> bool:
    """Whether the partition was busy."""
    return result.x[0] == Call.ERROR.value and truncate(i32, result.x[2]) == FfaError.BUSY.value


def verify(result: LongMessage, function: Call, endpoints: u64, expected: u64, seed: u64) -> None:
    """Hold a response to what it has to be, register by register."""
    if function == Call.DIRECT_REQUEST_2:
        assert result.x[0] == Call.DIRECT_RESPONSE_2.value, "no response"
        assert result.x[answer.ANSWER + 1] == seed, "the response to another request"
    elif function == Call.DIRECT_REQUEST:
        assert result.x[0] == Call.DIRECT_RESPONSE.value, "no response"
        assert result.x[answer.FIRST_PAYLOAD] == truncate(u32, seed), "the response to another request"
    else:
        assert result.x[0] == Call.DIRECT_RESPONSE_64.value, "no response"
        assert result.x[answer.FIRST_PAYLOAD] == seed, "the response to another request"
    assert result.x[1] == endpoints, "the response of another partition"
    assert result.x[answer.ANSWER] == expected, "a wrong answer"
