"""Sends indirect messages to services like `messenger.py` and verifies what comes back."""

from __future__ import annotations

from compiler.language import Array, array, static, truncate, u8, u16, u64
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import low
from runtime.partition import calls, discovery, mailbox
from runtime.partition.discovery import PartitionInfo
from runtime.partition.functions import Call

ROUND_COUNT = 10
PAYLOAD_SIZE = 64
PAYLOAD: Array[u8] = static(array(PAYLOAD_SIZE))


def exchange(own_id: u16, partition: PartitionInfo) -> u64:
    """Messages to a partition that takes them, and its answers; how many were answered."""
    if partition.properties & discovery.INDIRECT == 0:
        return 0
    for round_number in range(ROUND_COUNT):
        exchange_one(own_id, partition.id, round_number)
    return ROUND_COUNT


def exchange_one(own_id: u16, partition: u16, round_number: u64) -> None:
    """One message, the partition's turn, its answer."""
    for position in range(PAYLOAD_SIZE):
        PAYLOAD[position] = truncate(u8, position * 3 + round_number * 7 + partition)
    error = mailbox.send(own_id, partition, PAYLOAD)
    assert not isinstance(error, FfaError), "an indirect message cannot be sent"
    assert calls.run(partition, 0).x0 == Call.YIELD.value, "the partition does not yield after its answer"
    notifications = calls.take_notifications(own_id, 0, calls.FROM_HYPERVISOR)
    assert low(notifications.x7) & calls.RECEIVE_BUFFER_FULL != 0, "no notification of the answer"
    assert mailbox.received_header().sender == partition, "the answer of another partition"
    received = mailbox.received()
    assert len(received) == PAYLOAD_SIZE, "an answer of another size"
    for position in range(PAYLOAD_SIZE):
        assert received[position] == PAYLOAD[PAYLOAD_SIZE - 1 - position], "a wrong answer"
    error = calls.release_receive_buffer()
    assert not isinstance(error, FfaError), "the receive buffer cannot be released"
    assert calls.run(partition, 0).x0 == Call.MSG_WAIT.value, "the partition does not wait again"
