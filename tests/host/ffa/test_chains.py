"""Chains of direct requests that are preempted, go on elsewhere, sleep, yield or fall apart."""

from __future__ import annotations

import pytest

from hypervisor.core.vcpu import VcpuState
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.sleep import SLEEPING_RESULT
from tests.host.ffa.machine import (
    GUEST,
    GUEST_MP,
    OTHER,
    PRIMARY,
    SERVICE,
    Machine,
    error,
    target,
)
from tests.host.ffa.rows import machine_of

REQUEST = Function.DIRECT_REQUEST.value
RESPONSE = Function.DIRECT_RESPONSE.value
RUN = Function.RUN.value
YIELD = Function.YIELD.value
WAIT = Function.MSG_WAIT.value
INTERRUPT = Function.INTERRUPT.value
WFI = 0x01 << 26 | 1 << 25
DATA_ABORT = 0x24 << 26 | 0x06
ABORTED = error(FfaError.ABORTED)
BUSY = error(FfaError.BUSY)


def pair(sender: int, receiver: int) -> int:
    return (sender + 1) << 16 | (receiver + 1)


def chain(*partitions: int) -> Machine:
    """The primary asks the first partition, which asks the next, and so on; all on CPU 0."""
    machine = machine_of(PRIMARY)
    sender = PRIMARY
    for receiver in partitions:
        assert machine.call(REQUEST, pair(sender, receiver), 0, 10 + receiver)[3] == 10 + receiver
        sender = receiver
    return machine


def test_an_interrupt_stops_the_chain_and_the_primary_goes_on() -> None:
    machine = chain(GUEST, SERVICE)
    assert machine.interrupt() == (INTERRUPT, target(SERVICE), 0, 0, 0, 0, 0, 0)
    assert machine.running() == PRIMARY
    assert [machine.state(index) for index in (PRIMARY, GUEST, SERVICE)] == [
        VcpuState.RUNNING,
        VcpuState.BLOCKED,
        VcpuState.PREEMPTED,
    ]
    assert machine.call(RUN, target(GUEST)) == BUSY
    assert machine.call(REQUEST, pair(PRIMARY, SERVICE)) == BUSY


@pytest.mark.parametrize("cpu", [0, 3])
def test_the_response_goes_to_who_runs_the_chain_again(cpu: int) -> None:
    machine = chain(GUEST, SERVICE)
    machine.interrupt()
    machine.cpu = cpu
    assert machine.call(RUN, target(SERVICE))[0] == REQUEST, "its registers as they were"
    assert machine.call(RESPONSE, pair(SERVICE, GUEST), 0, 7)[:4] == (RESPONSE, pair(SERVICE, GUEST), 0, 7)
    assert machine.running() == GUEST
    assert machine.vcpu(GUEST).cpu.raw == machine.cpus[cpu].address_
    assert machine.call(RESPONSE, pair(GUEST, PRIMARY), 0, 8)[:4] == (RESPONSE, pair(GUEST, PRIMARY), 0, 8)
    assert (machine.running(), machine.current.index) == (PRIMARY, cpu)
    assert [machine.state(index) for index in (GUEST, SERVICE)] == [VcpuState.WAITING] * 2


def test_the_first_requester_may_do_something_else_meanwhile() -> None:
    machine = chain(GUEST)
    machine.interrupt()
    assert machine.call(REQUEST, pair(PRIMARY, OTHER), 0, 1)[3] == 1
    machine.cpu = 1
    machine.call(RUN, target(GUEST))
    assert machine.call(RESPONSE, pair(GUEST, PRIMARY), 0, 2)[3] == 2
    assert (machine.running(), machine.current.index) == (PRIMARY, 1)
    machine.cpu = 0
    assert machine.running() == OTHER
    assert machine.call(RESPONSE, pair(OTHER, PRIMARY), 0, 3)[3] == 3
    assert (machine.running(), machine.current.index) == (PRIMARY, 0)


def test_a_vcpu_that_serves_yields_and_sleeps_to_the_primary() -> None:
    machine = chain(GUEST)
    assert machine.call(YIELD) == (YIELD, target(GUEST), 0, 0, 0, 0, 0, 0)
    machine.call(RUN, target(GUEST))
    assert machine.fault(WFI)[:2] == (SLEEPING_RESULT, target(GUEST))
    machine.vcpu(GUEST).state = VcpuState.PREEMPTED
    machine.call(RUN, target(GUEST))
    assert machine.call(RESPONSE, pair(GUEST, PRIMARY))[0] == RESPONSE


def test_a_chain_that_the_primary_runs_begins_with_who_was_run() -> None:
    machine = machine_of(PRIMARY)
    machine.call(RUN, target(GUEST))
    machine.call(REQUEST, pair(GUEST, SERVICE))
    machine.interrupt()
    machine.cpu = 2
    machine.call(RUN, target(SERVICE))
    assert machine.call(RESPONSE, pair(SERVICE, GUEST))[0] == RESPONSE
    assert machine.running() == GUEST
    assert machine.call(WAIT)[:2] == (WAIT, target(GUEST))
    assert (machine.running(), machine.current.index) == (PRIMARY, 2)


def test_nobody_is_twice_in_a_chain() -> None:
    machine = chain(GUEST, GUEST_MP, SERVICE)
    for partition in (GUEST, GUEST_MP):
        assert machine.call(REQUEST, pair(SERVICE, partition)) == BUSY
    assert machine.call(REQUEST, pair(SERVICE, PRIMARY)) == error(FfaError.INVALID_PARAMETERS)
    assert machine.call(REQUEST, pair(SERVICE, OTHER))[0] == REQUEST


def test_a_fault_is_told_to_the_requester() -> None:
    machine = chain(GUEST, SERVICE)
    assert machine.fault(DATA_ABORT) == (ABORTED[0], target(SERVICE), *ABORTED[2:])
    assert (machine.running(), machine.state(SERVICE)) == (GUEST, VcpuState.ABORTED)
    assert machine.call(REQUEST, pair(GUEST, SERVICE)) == ABORTED
    assert machine.call(RESPONSE, pair(GUEST, PRIMARY))[0] == RESPONSE


def test_a_fault_after_a_move_is_told_to_who_runs_the_chain_now() -> None:
    machine = chain(GUEST)
    machine.interrupt()
    machine.cpu = 4
    machine.call(RUN, target(GUEST))
    assert machine.fault(DATA_ABORT)[:2] == (ABORTED[0], target(GUEST))
    assert (machine.running(), machine.current.index) == (PRIMARY, 4)


def aborted_requester() -> Machine:
    """CPU 0: the primary, a vCPU of the guest, the service. CPU 1: another vCPU of the guest, which has faulted."""
    machine = chain(GUEST_MP, SERVICE)
    machine.cpu = 1
    machine.call(RUN, target(GUEST_MP, 1))
    machine.fault(DATA_ABORT)
    machine.cpu = 0
    return machine


def test_a_response_to_an_aborted_partition_ends_it_and_its_requester_is_told() -> None:
    machine = aborted_requester()
    assert machine.call(RESPONSE, pair(SERVICE, GUEST_MP), 0, 5) == (ABORTED[0], target(GUEST_MP), *ABORTED[2:])
    assert machine.running() == PRIMARY
    assert (machine.state(GUEST_MP), machine.state(SERVICE)) == (VcpuState.ABORTED, VcpuState.WAITING)
    assert machine.call(REQUEST, pair(PRIMARY, SERVICE), 0, 1)[3] == 1


def test_a_fault_under_an_aborted_partition_ends_both() -> None:
    machine = aborted_requester()
    assert machine.fault(DATA_ABORT) == (ABORTED[0], target(GUEST_MP), *ABORTED[2:])
    assert machine.running() == PRIMARY
    assert (machine.state(GUEST_MP), machine.state(SERVICE)) == (VcpuState.ABORTED, VcpuState.ABORTED)
