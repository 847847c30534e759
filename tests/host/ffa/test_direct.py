"""Direct requests and responses, FFA_MSG_WAIT and aborts: each check, and who runs and in which state afterwards."""

from __future__ import annotations

import pytest

from hypervisor.core.vcpu import VcpuState
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.msg_wait import SLEEP_INDEFINITELY
from tests.host.ffa.machine import GUEST, GUEST_ID, MASK_32, PRIMARY, SERVICE, SERVICE_ID, Machine, error, target

REQUEST = Function.DIRECT_REQUEST.value
REQUEST_64 = Function.DIRECT_REQUEST_64.value
RESPONSE = Function.DIRECT_RESPONSE.value
RESPONSE_64 = Function.DIRECT_RESPONSE_64.value
WAIT = Function.MSG_WAIT.value
TO_SERVICE = GUEST_ID << 16 | SERVICE_ID
TO_GUEST = SERVICE_ID << 16 | GUEST_ID
WIDE = [0x1111_2222_3333_4440 + number for number in range(5)]
NARROW = [value & MASK_32 for value in WIDE]
DATA_ABORT = 0x9200_0006


@pytest.fixture
def machine() -> Machine:
    made = Machine()
    made.run(GUEST)
    return made


@pytest.mark.parametrize(("function", "payload"), [(REQUEST, NARROW), (REQUEST_64, WIDE)])
def test_a_request_reaches_the_receiver(machine: Machine, function: int, payload: list[int]) -> None:
    assert machine.call(function, TO_SERVICE, 0, *WIDE) == (function, TO_SERVICE, 0, *payload)
    assert machine.running() == SERVICE
    assert (machine.state(GUEST), machine.state(SERVICE)) == (VcpuState.BLOCKED, VcpuState.RUNNING)


@pytest.mark.parametrize(("function", "payload"), [(RESPONSE, NARROW), (RESPONSE_64, WIDE)])
def test_a_response_reaches_the_requester(machine: Machine, function: int, payload: list[int]) -> None:
    machine.call(REQUEST, TO_SERVICE)
    assert machine.call(function, TO_GUEST, 0, *WIDE) == (function, TO_GUEST, 0, *payload)
    assert machine.running() == GUEST
    assert (machine.state(GUEST), machine.state(SERVICE)) == (VcpuState.RUNNING, VcpuState.WAITING)


@pytest.mark.parametrize(
    ("endpoints", "flags", "code"),
    [
        (TO_SERVICE, 1, FfaError.INVALID_PARAMETERS),
        (TO_SERVICE, 0x8000_0000, FfaError.INVALID_PARAMETERS),
        (TO_GUEST, 0, FfaError.INVALID_PARAMETERS),
        (GUEST_ID << 16 | GUEST_ID, 0, FfaError.INVALID_PARAMETERS),
        (GUEST_ID << 16 | 0x7FFF, 0, FfaError.INVALID_PARAMETERS),
        (GUEST_ID << 16, 0, FfaError.INVALID_PARAMETERS),
    ],
)
def test_a_bad_request_changes_nothing(machine: Machine, endpoints: int, flags: int, code: FfaError) -> None:
    assert machine.call(REQUEST, endpoints, flags, *WIDE) == error(code)
    assert machine.running() == GUEST
    assert (machine.state(GUEST), machine.state(SERVICE)) == (VcpuState.RUNNING, VcpuState.WAITING)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (VcpuState.CREATED, FfaError.BUSY),
        (VcpuState.RUNNING, FfaError.BUSY),
        (VcpuState.BLOCKED, FfaError.BUSY),
        (VcpuState.ABORTED, FfaError.ABORTED),
    ],
)
def test_a_receiver_that_does_not_wait_is_left_alone(machine: Machine, state: VcpuState, code: FfaError) -> None:
    machine.vcpu(SERVICE).state = state
    assert machine.call(REQUEST, TO_SERVICE) == error(code)
    assert machine.state(SERVICE) is state
    assert machine.running() == GUEST


def test_a_receiver_cannot_ask_its_requester(machine: Machine) -> None:
    machine.call(REQUEST, TO_SERVICE)
    assert machine.call(REQUEST, TO_GUEST) == error(FfaError.BUSY)


@pytest.mark.parametrize(
    ("endpoints", "flags", "code"),
    [
        (TO_GUEST, 1, FfaError.INVALID_PARAMETERS),
        (TO_SERVICE, 0, FfaError.INVALID_PARAMETERS),
        (SERVICE_ID << 16 | SERVICE_ID, 0, FfaError.INVALID_PARAMETERS),
        (SERVICE_ID << 16 | 9, 0, FfaError.DENIED),
    ],
)
def test_a_bad_response_changes_nothing(machine: Machine, endpoints: int, flags: int, code: FfaError) -> None:
    machine.call(REQUEST, TO_SERVICE)
    assert machine.call(RESPONSE, endpoints, flags) == error(code)
    assert machine.running() == SERVICE
    assert (machine.state(GUEST), machine.state(SERVICE)) == (VcpuState.BLOCKED, VcpuState.RUNNING)


def test_a_response_without_a_request_is_denied(machine: Machine) -> None:
    assert machine.call(RESPONSE, TO_SERVICE) == error(FfaError.DENIED)


def test_a_response_is_given_once(machine: Machine) -> None:
    machine.call(REQUEST, TO_SERVICE)
    machine.call(RESPONSE, TO_GUEST)
    machine.run(SERVICE)
    assert machine.call(RESPONSE, TO_GUEST) == error(FfaError.DENIED)


def test_waiting_gives_the_cpu_to_the_primary(machine: Machine) -> None:
    assert machine.call(WAIT) == (WAIT, target(GUEST), SLEEP_INDEFINITELY, 0, 0, 0, 0, 0)
    assert machine.running() == PRIMARY
    assert (machine.state(PRIMARY), machine.state(GUEST)) == (VcpuState.RUNNING, VcpuState.WAITING)


@pytest.mark.parametrize("register", [1, 3, 4, 5, 6, 7])
def test_unused_registers_of_a_wait_are_zero(machine: Machine, register: int) -> None:
    registers = [WAIT, 0, 0, 0, 0, 0, 0, 0]
    registers[register] = 1
    assert machine.call(*registers) == error(FfaError.INVALID_PARAMETERS)
    registers[register] = 1 << 32
    machine.call(*registers)
    assert machine.running() == PRIMARY


def test_a_request_has_to_be_answered_before_waiting(machine: Machine) -> None:
    machine.call(REQUEST, TO_SERVICE)
    assert machine.call(WAIT) == error(FfaError.DENIED)
    assert machine.running() == SERVICE


def test_the_requester_learns_that_the_receiver_faulted(machine: Machine) -> None:
    machine.call(REQUEST, TO_SERVICE)
    aborted = list(error(FfaError.ABORTED))
    aborted[1] = target(SERVICE)
    assert machine.fault(DATA_ABORT) == tuple(aborted)
    assert machine.running() == GUEST
    assert (machine.state(GUEST), machine.state(SERVICE)) == (VcpuState.RUNNING, VcpuState.ABORTED)
    assert "service vCPU 0: stopped" in machine.console
    assert machine.call(REQUEST, TO_SERVICE) == error(FfaError.ABORTED)


def test_a_fault_outside_of_a_request_gives_the_cpu_to_the_primary(machine: Machine) -> None:
    machine.fault(DATA_ABORT)
    assert machine.running() == PRIMARY
    assert machine.state(GUEST) is VcpuState.ABORTED
