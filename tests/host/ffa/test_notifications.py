"""Notifications: each check of each call, who is told what and how often, and what INFO_GET packs into registers."""

from __future__ import annotations

import pytest

from hypervisor.core.virtual_interrupts import VirtualInterrupt
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from tests.host.ffa.machine import (
    GUEST,
    GUEST_ID,
    GUEST_MP,
    GUEST_MP_ID,
    OTHER,
    OTHER_ID,
    PRIMARY,
    PRIMARY_ID,
    SERVICE,
    SERVICE_ID,
    Machine,
    success,
    target,
)
from tests.host.ffa.rows import Row, check_rows, machine_of

CREATE = Function.NOTIFICATION_BITMAP_CREATE.value
DESTROY = Function.NOTIFICATION_BITMAP_DESTROY.value
BIND = Function.NOTIFICATION_BIND.value
UNBIND = Function.NOTIFICATION_UNBIND.value
SET = Function.NOTIFICATION_SET.value
GET = Function.NOTIFICATION_GET.value
INFO = Function.NOTIFICATION_INFO_GET_64.value
RUN = Function.RUN.value
WAIT = Function.MSG_WAIT.value
SUCCESS_64 = Function.SUCCESS_64.value
ENABLE_INTERRUPT = 0xFF03
GET_INTERRUPT = 0xFF04
SEND_IPI = 0xFF0A
INVALID = FfaError.INVALID_PARAMETERS
DENIED = FfaError.DENIED
FROM_VMS = 1 << 1
BITS = (0x8000_0001, 0x4000_0002)
"""Low and high word of a bitmap."""
FROM_PRIMARY = PRIMARY_ID << 16 | SERVICE_ID
FROM_SERVICE = SERVICE_ID << 16 | PRIMARY_ID

REFUSED = [
    *[
        row
        for number in (BIND, UNBIND)
        for row in (
            Row("for another", PRIMARY, (number, PRIMARY_ID << 16 | GUEST_ID, 0, 1), INVALID),
            Row("for a third", PRIMARY, (number, GUEST_ID << 16 | SERVICE_ID, 0, 1), INVALID),
            Row("itself", PRIMARY, (number, PRIMARY_ID << 16 | PRIMARY_ID, 0, 1), INVALID),
            Row("nothing", SERVICE, (number, FROM_PRIMARY), INVALID),
            Row(
                "a partition without notifications",
                OTHER,
                (number, PRIMARY_ID << 16 | OTHER_ID, 0, 1),
                FfaError.NOT_SUPPORTED,
            ),
        )
    ],
    Row("of one vCPU", SERVICE, (BIND, FROM_PRIMARY, 1, 1), INVALID),
    Row("unknown flags", SERVICE, (BIND, FROM_PRIMARY, 2, 1), INVALID),
    Row("from nobody", SERVICE, (BIND, 9 << 16 | SERVICE_ID, 0, 1), INVALID),
    Row("from a secure partition", SERVICE, (BIND, 0x8001 << 16 | SERVICE_ID, 0, 1), INVALID),
    Row("not bound", SERVICE, (UNBIND, FROM_PRIMARY, 0, 1), DENIED),
    Row("as another", GUEST, (SET, FROM_PRIMARY, 0, 1), INVALID),
    Row("itself", GUEST, (SET, GUEST_ID << 16 | GUEST_ID, 0, 1), INVALID),
    Row("nothing", PRIMARY, (SET, FROM_PRIMARY), INVALID),
    Row("of one vCPU", PRIMARY, (SET, FROM_PRIMARY, 1, 1), INVALID),
    Row("delayed", PRIMARY, (SET, FROM_PRIMARY, 2, 1), INVALID),
    Row("of a vCPU", PRIMARY, (SET, FROM_PRIMARY, 1 << 16, 1), INVALID),
    Row("nobody", PRIMARY, (SET, PRIMARY_ID << 16 | 9, 0, 1), INVALID),
    Row("not bound", PRIMARY, (SET, FROM_PRIMARY, 0, 1), DENIED),
    Row("a partition without notifications", PRIMARY, (SET, PRIMARY_ID << 16 | OTHER_ID, 0, 1), DENIED),
    Row("another's", PRIMARY, (GET, SERVICE_ID, 2), INVALID),
    Row("unknown flags", PRIMARY, (GET, PRIMARY_ID, 16), INVALID),
    Row("no such vCPU", PRIMARY, (GET, 8 << 16 | PRIMARY_ID, 2), INVALID),
    Row("no such vCPU", SERVICE, (GET, 1 << 16 | SERVICE_ID, 2), INVALID),
    Row("who is to run", GUEST, (INFO,), FfaError.NOT_SUPPORTED),
    Row("who is to run", SERVICE, (INFO,), FfaError.NOT_SUPPORTED),
    Row("nobody is to run", PRIMARY, (INFO,), FfaError.NO_DATA),
    Row("another's bitmap", PRIMARY, (CREATE, GUEST_ID, 1), FfaError.NOT_SUPPORTED),
    Row("another's bitmap", GUEST, (DESTROY, PRIMARY_ID), FfaError.NOT_SUPPORTED),
    Row("no bitmap to destroy", PRIMARY, (DESTROY, PRIMARY_ID), DENIED),
]


def test_calls_that_are_refused() -> None:
    check_rows(REFUSED)


@pytest.mark.parametrize("number", [BIND, UNBIND])
def test_version_1_0_has_no_notifications(number: int) -> None:
    machine = machine_of(SERVICE)
    machine.partitions[SERVICE].version = 0x1_0000
    machine.refuses(FfaError.NOT_SUPPORTED, number, FROM_PRIMARY, 0, 1)


def bound(receiver: int = SERVICE) -> Machine:
    """The primary may set BITS of a partition."""
    machine = machine_of(PRIMARY)
    machine.call(RUN, target(receiver))
    assert machine.call(BIND, PRIMARY_ID << 16 | receiver + 1, 0, *BITS) == success()
    machine.call(WAIT)
    return machine


def pending(low: int, high: int = 0) -> tuple[int, ...]:
    """What NOTIFICATION_GET tells of notifications from VMs."""
    return (*success()[:4], low, high, 0, 0)


def test_a_notification_is_bound_once_until_unbound() -> None:
    machine = bound()
    machine.call(RUN, target(SERVICE))
    machine.refuses(DENIED, BIND, FROM_PRIMARY, 0, 1)
    machine.refuses(DENIED, BIND, GUEST_ID << 16 | SERVICE_ID, 0, 3)
    machine.refuses(DENIED, UNBIND, GUEST_ID << 16 | SERVICE_ID, 0, 1)
    machine.refuses(DENIED, UNBIND, FROM_PRIMARY, 0, 3)
    assert machine.call(UNBIND, FROM_PRIMARY, 0, *BITS) == success()
    machine.refuses(DENIED, UNBIND, FROM_PRIMARY, 0, 1)
    assert machine.call(BIND, GUEST_ID << 16 | SERVICE_ID, 0, 1) == success()


def test_notifications_gather_until_taken() -> None:
    machine = bound()
    machine.refuses(DENIED, SET, FROM_PRIMARY, 0, 2)
    assert machine.call(SET, FROM_PRIMARY, 0, 1) == success()
    assert machine.call(SET, FROM_PRIMARY, 0, 0, BITS[1]) == success()
    machine.call(RUN, target(SERVICE))
    machine.refuses(DENIED, UNBIND, FROM_PRIMARY, 0, 1)
    assert machine.call(GET, SERVICE_ID, 0b1101) == success(), "others than those from VMs"
    assert machine.call(GET, SERVICE_ID, FROM_VMS) == pending(1, BITS[1])
    assert machine.call(GET, SERVICE_ID, FROM_VMS) == success()
    assert machine.call(UNBIND, FROM_PRIMARY, 0, 1) == success()


def test_the_number_of_a_cpu_may_be_given() -> None:
    assert machine_of(PRIMARY).call(GET, 7 << 16 | PRIMARY_ID, 0xF) == success()


def info(*lists: tuple[int, ...], more: bool = False) -> tuple[int, ...]:
    """INFO_GET's answer: lists of an ID and its vCPUs."""
    sizes = sum(len(item) - 1 << 12 + 2 * index for index, item in enumerate(lists))
    numbers = [number for item in lists for number in item]
    words = [
        sum(number << 16 * at for at, number in enumerate(numbers[first : first + 4])) for first in range(0, 20, 4)
    ]
    return (SUCCESS_64, 0, int(more) | len(lists) << 7 | sizes, *words)


def test_the_primary_is_told_once_of_what_is_new() -> None:
    machine = bound()
    machine.call(SET, FROM_PRIMARY, 0, 1)
    assert machine.call(INFO) == info((SERVICE_ID,))
    machine.refuses(FfaError.NO_DATA, INFO)
    machine.call(SET, FROM_PRIMARY, 0, 0x8000_0000)
    assert machine.call(INFO) == info((SERVICE_ID,))
    machine.call(RUN, target(SERVICE))
    machine.call(GET, SERVICE_ID, FROM_VMS)
    machine.call(WAIT)
    machine.refuses(FfaError.NO_DATA, INFO)


def test_all_partitions_with_news_are_listed() -> None:
    machine = bound(GUEST)
    for partition in (GUEST_MP, SERVICE):
        machine.call(RUN, target(partition))
        machine.call(BIND, PRIMARY_ID << 16 | partition + 1, 0, *BITS)
        machine.call(WAIT)
    machine.call(RUN, target(GUEST))
    machine.call(WAIT)
    for receiver in (GUEST_ID, GUEST_MP_ID, SERVICE_ID):
        assert machine.call(SET, PRIMARY_ID << 16 | receiver, 0, 1) == success()
    assert machine.call(INFO) == info((GUEST_ID,), (GUEST_MP_ID,), (SERVICE_ID,))


def test_vcpus_that_got_an_ipi_are_listed_with_their_partition() -> None:
    machine = machine_of(PRIMARY)
    machine.call(RUN, target(GUEST_MP, 0))
    for number in (1, 2, 4, 6, 7):
        assert machine.call(SEND_IPI, number)[0] == 0
    machine.call(WAIT)
    assert machine.call(INFO) == info((GUEST_MP_ID, 1, 2, 4), (GUEST_MP_ID, 6, 7))
    machine.refuses(FfaError.NO_DATA, INFO)


def test_a_guest_is_interrupted_if_it_wants() -> None:
    machine = bound(GUEST)
    machine.call(RUN, target(GUEST))
    machine.call(ENABLE_INTERRUPT, VirtualInterrupt.NOTIFICATION.value, 1, 0)
    machine.call(WAIT)
    machine.call(SET, PRIMARY_ID << 16 | GUEST_ID, 0, 1)
    machine.call(RUN, target(GUEST))
    assert machine.vcpu(GUEST).context.configuration & 1 << 7
    assert machine.call(GET_INTERRUPT)[0] == VirtualInterrupt.NOTIFICATION.value
    machine.call(GET, GUEST_ID, FROM_VMS)
    assert machine.call(WAIT)[0] == WAIT


def test_taking_notifications_withdraws_the_interrupt() -> None:
    machine = bound(GUEST)
    machine.call(RUN, target(GUEST))
    machine.call(ENABLE_INTERRUPT, VirtualInterrupt.NOTIFICATION.value, 1, 0)
    machine.call(WAIT)
    machine.call(SET, PRIMARY_ID << 16 | GUEST_ID, 0, 1)
    machine.call(RUN, target(GUEST))
    assert machine.call(GET, GUEST_ID, FROM_VMS) == pending(1)
    assert machine.vcpu(GUEST).context.configuration & 1 << 7 == 0
    assert machine.call(WAIT)[0] == WAIT


def test_an_operating_system_creates_its_bitmap_once() -> None:
    machine = machine_of(PRIMARY)
    assert machine.call(CREATE, PRIMARY_ID, 8) == success()
    machine.refuses(DENIED, CREATE, PRIMARY_ID, 8)
    machine.call(BIND, FROM_SERVICE, 0, 1)
    machine.call(RUN, target(SERVICE))
    assert machine.call(SET, FROM_SERVICE, 0, 1) == success()
    machine.call(WAIT)
    machine.refuses(DENIED, DESTROY, PRIMARY_ID)
    assert machine.call(GET, PRIMARY_ID, FROM_VMS) == pending(1)
    assert machine.call(DESTROY, PRIMARY_ID) == success()
