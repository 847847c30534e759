"""FFA_MSG_SEND2 and what follows: each check and their order, the copy, the notification, the way back."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.memory.pages import PAGE_SIZE
from tests.host.ffa.machine import (
    GUEST,
    GUEST_ID,
    PRIMARY,
    PRIMARY_ID,
    RX,
    SERVICE,
    SERVICE_ID,
    TX,
    Machine,
    error,
    ram,
    success,
    target,
)
from tests.host.ffa.rows import Row, check_rows, machine_of

SEND = Function.MSG_SEND2.value
RUN = Function.RUN.value
WAIT = Function.MSG_WAIT.value
POLL = Function.MSG_POLL.value
GET = Function.NOTIFICATION_GET.value
RELEASE = Function.RX_RELEASE.value
FROM_HYPERVISOR = 1 << 3
INVALID = FfaError.INVALID_PARAMETERS
RETAIN = 1
PAYLOAD = bytes(range(1, 65))


def message(**changes: Any) -> bytes:
    """A message of the primary to the service, as it lies in the TX buffer."""
    fields = {
        "flags": 0,
        "offset": 40,
        "receiver": SERVICE_ID,
        "sender": PRIMARY_ID,
        "size": len(PAYLOAD),
        "uuid": bytes(16),
    }
    fields |= changes
    header = struct.pack(
        "<3L2H2L16s",
        *(
            fields["flags"],
            0,
            fields["offset"],
            fields["receiver"],
            fields["sender"],
            fields["size"],
            0,
            fields["uuid"],
        ),
    )
    return header + PAYLOAD


def write(machine: Machine, data: bytes, partition: int = PRIMARY) -> None:
    """Put a message in the TX buffer of a partition, with something else behind it."""
    machine.session.write(ram(partition) + TX, data + b"\xee" * (PAGE_SIZE - len(data)))


def received(machine: Machine, partition: int = SERVICE) -> bytes:
    """A partition's whole RX buffer."""
    return bytes(machine.session.read(ram(partition) + RX, PAGE_SIZE))


def ready(*, partitions: tuple[int, ...] = (SERVICE, GUEST), data: bytes | None = None) -> Machine:
    """A machine on which the primary is about to send, and these partitions have buffers with old bytes in them."""
    machine = machine_of(PRIMARY)
    machine.map_buffers()
    for partition in partitions:
        machine.session.write(ram(partition) + RX, b"\xdd" * PAGE_SIZE)
        machine.call(RUN, target(partition))
        machine.map_buffers()
        machine.call(WAIT)
    write(machine, message() if data is None else data)
    return machine


def test_calls_without_buffers_are_refused() -> None:
    check_rows(
        [
            Row("for another", PRIMARY, (SEND, GUEST_ID << 16), INVALID),
            Row("no buffers", PRIMARY, (SEND,), FfaError.DENIED),
            Row("no buffers", GUEST, (SEND,), FfaError.DENIED),
            Row("no buffers", SERVICE, (SEND,), FfaError.DENIED),
        ]
    )


@pytest.mark.parametrize(
    ("changes", "flags", "code"),
    [
        ({"sender": GUEST_ID}, 0, INVALID),
        ({"receiver": PRIMARY_ID}, 0, INVALID),
        ({"receiver": 9}, 0, INVALID),
        ({"receiver": 0x8001}, 0, INVALID),
        ({}, 1, INVALID),
        ({}, 2, INVALID),
        ({"receiver": 3}, 0, FfaError.BUSY),
        ({"offset": 39}, 0, INVALID),
        ({"offset": 0}, 0, INVALID),
        ({"offset": PAGE_SIZE + 1, "size": 0}, 0, INVALID),
        ({"size": PAGE_SIZE - 39}, 0, INVALID),
        ({"size": 0xFFFF_FFFF}, 0, INVALID),
        ({"offset": 0xFFFF_FFFF, "size": 0xFFFF_FFFF}, 0, INVALID),
    ],
)
def test_a_bad_message_changes_nothing(changes: dict[str, int], flags: int, code: FfaError) -> None:
    machine = ready(data=message(**changes))
    machine.refuses(code, SEND, 0, flags)


@pytest.mark.parametrize("partition", [PRIMARY, SERVICE])
def test_version_1_0_has_no_such_messages(partition: int) -> None:
    machine = ready()
    machine.partitions[partition].version = 0x1_0000
    machine.refuses(FfaError.DENIED, SEND)


@pytest.mark.parametrize(("version", "least"), [(0x1_0001, 20), (0x1_0002, 40), (0x1_0003, 40)])
def test_the_least_offset_is_that_of_the_senders_version(version: int, least: int) -> None:
    machine = ready(data=message(offset=least - 1))
    machine.partitions[PRIMARY].version = version
    machine.refuses(INVALID, SEND)
    write(machine, message(offset=least))
    assert machine.call(SEND) == success()


def test_checks_come_in_order() -> None:
    """A message that is wrong in every way, made right from the first check to the last."""
    machine = machine_of(PRIMARY)
    machine.partitions[PRIMARY].version = 0x1_0000
    wrong: dict[str, int] = {"sender": GUEST_ID, "offset": 0}
    machine.refuses(INVALID, SEND, GUEST_ID << 16, 1)
    machine.refuses(FfaError.DENIED, SEND, 0, 1)
    machine.map_buffers()
    for code, flags, changes in [
        (INVALID, 1, wrong),
        (INVALID, 0, wrong),
        (FfaError.DENIED, 0, {"offset": 0}),
    ]:
        write(machine, message(**changes))
        machine.refuses(code, SEND, 0, flags)
    machine.partitions[PRIMARY].version = 0x1_0002
    machine.refuses(FfaError.BUSY, SEND)
    machine.call(RUN, target(SERVICE))
    machine.map_buffers()
    machine.call(WAIT)
    machine.refuses(INVALID, SEND)
    write(machine, message())
    assert machine.call(SEND) == success()


@pytest.mark.parametrize("size", [0, 1, 64, PAGE_SIZE - 40])
def test_the_receiver_gets_the_message_and_zeros(size: int) -> None:
    machine = ready(data=message(size=size) + bytes(number % 251 for number in range(PAGE_SIZE - 104)))
    sent = bytes(machine.session.read(ram(PRIMARY) + TX, 40 + size))
    assert machine.call(SEND) == success()
    assert received(machine) == sent + bytes(PAGE_SIZE - 40 - size)


def test_nothing_of_a_longer_message_is_left() -> None:
    machine = ready(data=message(size=2000) + b"\x55" * 2000)
    machine.call(SEND)
    machine.call(RUN, target(SERVICE))
    machine.call(GET, SERVICE_ID, FROM_HYPERVISOR)
    assert machine.call(RELEASE) == success()
    machine.call(WAIT)
    write(machine, message(size=3))
    assert machine.call(SEND) == success()
    assert received(machine) == message(size=3)[:43] + bytes(PAGE_SIZE - 43)


def test_a_full_buffer_is_not_overwritten() -> None:
    machine = ready()
    assert machine.call(SEND) == success()
    machine.refuses(FfaError.BUSY, SEND)
    write(machine, message(receiver=GUEST_ID))
    assert machine.call(SEND) == success()


def test_the_receiver_learns_of_it_and_gives_the_buffer_back() -> None:
    machine = ready()
    machine.call(SEND)
    assert machine.call(RUN, target(SERVICE)) == (RUN, SERVICE_ID, 0, 0, 0, 0, 0, 0)
    machine.refuses(FfaError.DENIED, RELEASE)
    assert machine.call(GET, SERVICE_ID, FROM_HYPERVISOR) == (*success()[:7], 1)
    assert machine.call(GET, SERVICE_ID, FROM_HYPERVISOR) == success()
    assert machine.call(RELEASE) == success()
    machine.refuses(FfaError.DENIED, RELEASE)


def test_a_message_for_the_primary_is_told_as_all_others() -> None:
    machine = ready()
    machine.call(RUN, target(GUEST))
    write(machine, message(sender=GUEST_ID, receiver=PRIMARY_ID), GUEST)
    assert machine.call(SEND) == success()
    machine.call(WAIT)
    assert received(machine, PRIMARY)[40:104] == PAYLOAD
    assert machine.call(GET, PRIMARY_ID, FROM_HYPERVISOR) == (*success()[:7], 1)


@pytest.mark.parametrize(("flags", "has_asked", "is_full"), [(0, True, False), (0, False, True), (RETAIN, True, True)])
def test_a_wait_with_a_full_buffer_ends_at_once_and_releases_it(flags: int, has_asked: bool, is_full: bool) -> None:
    machine = ready()
    machine.call(SEND)
    machine.call(RUN, target(SERVICE))
    assert machine.call(POLL) == (RUN, SERVICE_ID, 0, 0, 0, 0, 0, 0)
    if has_asked:
        machine.call(GET, SERVICE_ID, FROM_HYPERVISOR)
    assert machine.call(WAIT, 0, flags) == (RUN, SERVICE_ID, 0, 0, 0, 0, 0, 0)
    assert machine.running() == SERVICE
    assert machine.endpoint(SERVICE).rx.is_full == is_full
    if not is_full:
        assert machine.call(POLL) == error(FfaError.RETRY)
        assert machine.call(WAIT)[0] == WAIT
        assert machine.running() == PRIMARY
