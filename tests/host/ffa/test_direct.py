"""Direct requests and responses, FFA_MSG_WAIT and aborts: each check, and who runs and in which state afterwards."""

from __future__ import annotations

import pytest

from hypervisor.core.vcpu import VcpuState
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from tests.host.ffa.machine import MASK_32, PING, PING_ID, PONG, PONG_ID, Machine, error

REQUEST = Function.DIRECT_REQUEST.value
REQUEST_64 = Function.DIRECT_REQUEST_64.value
RESPONSE = Function.DIRECT_RESPONSE.value
RESPONSE_64 = Function.DIRECT_RESPONSE_64.value
WAIT = Function.MSG_WAIT.value
PING_TO_PONG = PING_ID << 16 | PONG_ID
PONG_TO_PING = PONG_ID << 16 | PING_ID
WIDE = [0x1111_2222_3333_4440 + number for number in range(5)]
NARROW = [value & MASK_32 for value in WIDE]
DATA_ABORT = 0x9200_0006
WAIT_INSTRUCTION = 0x0600_0000


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.mark.parametrize(("function", "payload"), [(REQUEST, NARROW), (REQUEST_64, WIDE)])
def test_a_request_reaches_the_receiver(machine: Machine, function: int, payload: list[int]) -> None:
    assert machine.call(function, PING_TO_PONG, 0, *WIDE) == (function, PING_TO_PONG, 0, *payload)
    assert machine.running() == PONG
    assert (machine.state(PING), machine.state(PONG)) == (VcpuState.BLOCKED, VcpuState.RUNNING)


@pytest.mark.parametrize(("function", "payload"), [(RESPONSE, NARROW), (RESPONSE_64, WIDE)])
def test_a_response_reaches_the_requester(machine: Machine, function: int, payload: list[int]) -> None:
    machine.call(REQUEST, PING_TO_PONG)
    assert machine.call(function, PONG_TO_PING, 0, *WIDE) == (function, PONG_TO_PING, 0, *payload)
    assert machine.running() == PING
    assert (machine.state(PING), machine.state(PONG)) == (VcpuState.RUNNING, VcpuState.WAITING)


@pytest.mark.parametrize(
    ("endpoints", "flags", "code"),
    [
        (PING_TO_PONG, 1, FfaError.INVALID_PARAMETERS),
        (PING_TO_PONG, 0x8000_0000, FfaError.INVALID_PARAMETERS),
        (PONG_TO_PING, 0, FfaError.INVALID_PARAMETERS),
        (PING_ID << 16 | PING_ID, 0, FfaError.INVALID_PARAMETERS),
        (PING_ID << 16 | 0x7FFF, 0, FfaError.INVALID_PARAMETERS),
        (PING_ID << 16, 0, FfaError.INVALID_PARAMETERS),
    ],
)
def test_a_bad_request_changes_nothing(machine: Machine, endpoints: int, flags: int, code: FfaError) -> None:
    assert machine.call(REQUEST, endpoints, flags, *WIDE) == error(code)
    assert machine.running() == PING
    assert (machine.state(PING), machine.state(PONG)) == (VcpuState.RUNNING, VcpuState.WAITING)


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
    machine.partitions[PONG].vcpu.state = state
    assert machine.call(REQUEST, PING_TO_PONG) == error(code)
    assert machine.state(PONG) is state
    assert machine.running() == PING


def test_a_receiver_cannot_ask_its_requester(machine: Machine) -> None:
    machine.call(REQUEST, PING_TO_PONG)
    assert machine.call(REQUEST, PONG_TO_PING) == error(FfaError.BUSY)


@pytest.mark.parametrize(
    ("endpoints", "flags", "code"),
    [
        (PONG_TO_PING, 1, FfaError.INVALID_PARAMETERS),
        (PING_TO_PONG, 0, FfaError.INVALID_PARAMETERS),
        (PONG_ID << 16 | PONG_ID, 0, FfaError.INVALID_PARAMETERS),
        (PONG_ID << 16 | 9, 0, FfaError.DENIED),
    ],
)
def test_a_bad_response_changes_nothing(machine: Machine, endpoints: int, flags: int, code: FfaError) -> None:
    machine.call(REQUEST, PING_TO_PONG)
    assert machine.call(RESPONSE, endpoints, flags) == error(code)
    assert machine.running() == PONG
    assert (machine.state(PING), machine.state(PONG)) == (VcpuState.BLOCKED, VcpuState.RUNNING)


def test_a_response_without_a_request_is_denied(machine: Machine) -> None:
    assert machine.call(RESPONSE, PING_TO_PONG) == error(FfaError.DENIED)


def test_a_response_is_given_once(machine: Machine) -> None:
    machine.call(REQUEST, PING_TO_PONG)
    machine.call(RESPONSE, PONG_TO_PING)
    machine.run(PONG)
    assert machine.call(RESPONSE, PONG_TO_PING) == error(FfaError.DENIED)


def test_waiting_leaves_the_cpu(machine: Machine) -> None:
    machine.call(WAIT)
    assert machine.is_idle
    assert machine.state(PING) is VcpuState.WAITING


@pytest.mark.parametrize("register", [1, 3, 4, 5, 6, 7])
def test_unused_registers_of_a_wait_are_zero(machine: Machine, register: int) -> None:
    registers = [WAIT, 0, 0, 0, 0, 0, 0, 0]
    registers[register] = 1
    assert machine.call(*registers) == error(FfaError.INVALID_PARAMETERS)
    registers[register] = 1 << 32
    machine.call(*registers)
    assert machine.is_idle


def test_a_request_has_to_be_answered_before_waiting(machine: Machine) -> None:
    machine.call(REQUEST, PING_TO_PONG)
    assert machine.call(WAIT) == error(FfaError.DENIED)
    assert machine.running() == PONG


def test_the_requester_learns_that_the_receiver_faulted(machine: Machine) -> None:
    machine.call(REQUEST, PING_TO_PONG)
    assert machine.fault(DATA_ABORT) == error(FfaError.ABORTED)
    assert machine.running() == PING
    assert (machine.state(PING), machine.state(PONG)) == (VcpuState.RUNNING, VcpuState.ABORTED)
    assert "partition pong: stopped" in machine.console
    assert machine.call(REQUEST, PING_TO_PONG) == error(FfaError.ABORTED)


def test_a_fault_outside_of_a_request_leaves_the_cpu(machine: Machine) -> None:
    machine.fault(DATA_ABORT)
    assert machine.is_idle
    assert machine.state(PING) is VcpuState.ABORTED


def test_a_wait_instruction_is_stepped_over(machine: Machine) -> None:
    machine.session.registers["ELR_EL2"] = 0x1000
    for number in range(8):
        machine.partitions[PING].vcpu.context.x[number] = number + 1
    assert machine.fault(WAIT_INSTRUCTION) == (1, 2, 3, 4, 5, 6, 7, 8)
    assert machine.session.registers["ELR_EL2"] == 0x1004
    assert machine.running() == PING
