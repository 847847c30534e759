"""FFA_MSG_SEND_DIRECT_REQ2 and _RESP2: services, versions, kinds of responses, and x4 to x17."""

from __future__ import annotations

import pytest

from hypervisor.core.vcpu import OWES_RESPONSE_2, VcpuState
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import NO_VECTOR_STATE_BIT, Function
from tests.host.ffa.machine import (
    GUEST,
    GUEST_ID,
    GUEST_MP,
    GUEST_MP_ID,
    OTHER_ID,
    PRIMARY,
    PRIMARY_ID,
    SERVICE,
    SERVICE_ID,
    SERVICES,
    Machine,
)
from tests.host.ffa.rows import Row, check_rows, machine_of

REQUEST = Function.DIRECT_REQUEST.value
RESPONSE = Function.DIRECT_RESPONSE.value
REQUEST_2 = Function.DIRECT_REQUEST_2.value
RESPONSE_2 = Function.DIRECT_RESPONSE_2.value
ID_GET = Function.ID_GET.value
INVALID = FfaError.INVALID_PARAMETERS
DENIED = FfaError.DENIED
NIL = (0, 0)
MP_UUID = SERVICES[GUEST_MP][0][0]
UUID_REQUEST, UUID_REQUEST_2 = (uuid for uuid, _ in SERVICES[SERVICE])
TO_SERVICE = PRIMARY_ID << 16 | SERVICE_ID
TO_PRIMARY = SERVICE_ID << 16 | PRIMARY_ID
PAYLOAD = [0x1111_2222_3333_4400 + number for number in range(14)]

REFUSED = [
    Row("another's ID", PRIMARY, (REQUEST_2, GUEST_ID << 16 | SERVICE_ID, *NIL), INVALID),
    Row("to itself", GUEST, (REQUEST_2, GUEST_ID << 16 | GUEST_ID, *NIL), INVALID),
    Row("to the primary", GUEST_MP, (REQUEST_2, GUEST_MP_ID << 16 | PRIMARY_ID, *NIL), INVALID),
    Row("to nobody", PRIMARY, (REQUEST_2, PRIMARY_ID << 16 | 9, *NIL), INVALID),
    Row("to a secure partition", PRIMARY, (REQUEST_2, PRIMARY_ID << 16 | 0x8001, *NIL), INVALID),
    Row("another's service", PRIMARY, (REQUEST_2, TO_SERVICE, *MP_UUID), INVALID),
    Row("half of a service's UUID", PRIMARY, (REQUEST_2, TO_SERVICE, UUID_REQUEST_2[0], 0), INVALID),
    Row("a service that takes REQ alone", PRIMARY, (REQUEST_2, TO_SERVICE, *UUID_REQUEST), DENIED),
    Row("a partition that takes REQ alone", PRIMARY, (REQUEST_2, PRIMARY_ID << 16 | OTHER_ID, *NIL), DENIED),
    Row("a caller that sends REQ alone", GUEST, (REQUEST_2, GUEST_ID << 16 | SERVICE_ID, *NIL), DENIED),
    Row("a response to nobody", GUEST, (RESPONSE_2, GUEST_ID << 16 | PRIMARY_ID), DENIED),
    Row("a response with a UUID", GUEST, (RESPONSE_2, GUEST_ID << 16 | PRIMARY_ID, 1), INVALID),
    Row("a response with half a UUID", GUEST, (RESPONSE_2, GUEST_ID << 16 | PRIMARY_ID, 0, 1), INVALID),
    Row("a response of another", GUEST, (RESPONSE_2, SERVICE_ID << 16 | PRIMARY_ID), INVALID),
]


def test_calls_that_are_refused() -> None:
    check_rows(REFUSED)


def send(machine: Machine, uuid: tuple[int, int] = NIL) -> tuple[int, ...]:
    return machine.call(REQUEST_2, TO_SERVICE, *uuid, *PAYLOAD[:4], extended=PAYLOAD[4:])


@pytest.mark.parametrize("uuid", [NIL, UUID_REQUEST_2])
def test_all_registers_go_there_and_back(uuid: tuple[int, int]) -> None:
    machine = machine_of(PRIMARY)
    assert send(machine, uuid) == (REQUEST_2, TO_SERVICE, *uuid, *PAYLOAD[:4])
    assert machine.running() == SERVICE
    assert list(machine.extended()) == PAYLOAD[4:]
    answer = PAYLOAD[::-1]
    result = machine.call(RESPONSE_2, TO_PRIMARY, 0, 0, *answer[:4], extended=answer[4:])
    assert result == (RESPONSE_2, TO_PRIMARY, 0, 0, *answer[:4])
    assert machine.running() == PRIMARY
    assert list(machine.extended()) == answer[4:]
    assert (machine.state(PRIMARY), machine.state(SERVICE)) == (VcpuState.RUNNING, VcpuState.WAITING)
    assert machine.vcpu(SERVICE).attention & OWES_RESPONSE_2 == 0


def test_the_hint_of_the_caller_is_not_passed_on() -> None:
    machine = machine_of(PRIMARY)
    assert machine.call(REQUEST_2 | NO_VECTOR_STATE_BIT, TO_SERVICE)[0] == REQUEST_2


def test_a_request_is_answered_by_its_own_kind() -> None:
    machine = machine_of(PRIMARY)
    send(machine)
    machine.call(ID_GET)
    machine.refuses(DENIED, RESPONSE, TO_PRIMARY)
    machine.refuses(DENIED, RESPONSE_2, SERVICE_ID << 16 | GUEST_ID)
    machine.call(RESPONSE_2, TO_PRIMARY)
    machine.call(REQUEST, TO_SERVICE)
    machine.refuses(DENIED, RESPONSE_2, TO_PRIMARY)
    assert machine.call(RESPONSE, TO_PRIMARY)[0] == RESPONSE
    assert machine.running() == PRIMARY


@pytest.mark.parametrize("partition", [PRIMARY, SERVICE])
@pytest.mark.parametrize(("version", "is_refused"), [(0x1_0000, True), (0x1_0001, True), (0x1_0002, False)])
def test_both_know_1_2(partition: int, version: int, is_refused: bool) -> None:
    machine = machine_of(PRIMARY)
    machine.partitions[partition].version = version
    if is_refused:
        machine.refuses(DENIED, REQUEST_2, TO_SERVICE)
    else:
        assert send(machine)[0] == REQUEST_2


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (VcpuState.CREATED, FfaError.BUSY),
        (VcpuState.RUNNING, FfaError.BUSY),
        (VcpuState.BLOCKED, FfaError.BUSY),
        (VcpuState.PREEMPTED, FfaError.BUSY),
        (VcpuState.YIELDED, FfaError.BUSY),
        (VcpuState.SLEEPING, FfaError.BUSY),
        (VcpuState.OFF, FfaError.BUSY),
        (VcpuState.ABORTED, FfaError.ABORTED),
    ],
)
def test_a_receiver_that_does_not_wait_is_left_alone(state: VcpuState, code: FfaError) -> None:
    machine = machine_of(PRIMARY)
    machine.vcpu(SERVICE).state = state
    machine.refuses(code, REQUEST_2, TO_SERVICE)


def test_the_vcpu_with_the_number_of_the_cpu_gets_the_message() -> None:
    machine = machine_of(PRIMARY, 5)
    assert machine.call(REQUEST_2, PRIMARY_ID << 16 | GUEST_MP_ID, *MP_UUID)[0] == REQUEST_2
    assert (machine.running(), machine.current.index) == (GUEST_MP, 5)
    assert machine.state(GUEST) is VcpuState.WAITING
