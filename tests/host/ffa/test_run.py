"""FFA_RUN, FFA_YIELD and waits: each check, what the vCPU finds, what the primary sees, and sleep by the clock."""

from __future__ import annotations

from typing import Any

import pytest

from hypervisor.arch.aarch64.timers import TimerControl
from hypervisor.core.vcpu import VcpuState
from hypervisor.core.virtual_interrupts import VirtualInterrupt
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.msg_wait import SLEEP_INDEFINITELY
from hypervisor.ffa.sleep import SLEEPING_RESULT
from tests.host.ffa.machine import (
    GUEST,
    GUEST_ID,
    GUEST_MP,
    PRIMARY,
    PRIMARY_ID,
    SERVICE,
    Machine,
    error,
    success,
    target,
)
from tests.host.ffa.rows import Row, check_rows, machine_of

RUN = Function.RUN.value
WAIT = Function.MSG_WAIT.value
POLL = Function.MSG_POLL.value
YIELD = Function.YIELD.value
ID_GET = Function.ID_GET.value
REQUEST = Function.DIRECT_REQUEST.value
INTERRUPT = Function.INTERRUPT.value
WFI = 0x01 << 26 | 1 << 25
WFE = WFI | 1
DATA_ABORT = 0x24 << 26 | 0x06
ENABLE_INTERRUPT = 0xFF03
GET_INTERRUPT = 0xFF04
NO_INTERRUPT = 0xFFFF_FFFF
FREQUENCY = 50_000_000
"""20 ns a tick."""

REFUSED = [
    Row("a guest runs another", GUEST, (RUN, target(SERVICE)), FfaError.DENIED),
    Row("a partition at EL0 runs another", SERVICE, (RUN, target(GUEST)), FfaError.DENIED),
    Row("the primary runs itself", PRIMARY, (RUN, target(PRIMARY)), FfaError.INVALID_PARAMETERS),
    Row("no such partition", PRIMARY, (RUN, 9 << 16), FfaError.INVALID_PARAMETERS),
    Row("no partition", PRIMARY, (RUN, 0), FfaError.INVALID_PARAMETERS),
    Row("a secure partition", PRIMARY, (RUN, 0x8001 << 16), FfaError.INVALID_PARAMETERS),
    Row("no such vCPU", PRIMARY, (RUN, target(GUEST, 1)), FfaError.INVALID_PARAMETERS),
    Row("no such vCPU of many", PRIMARY, (RUN, target(GUEST_MP, 8)), FfaError.INVALID_PARAMETERS),
    Row("the primary waits", PRIMARY, (WAIT,), FfaError.NOT_SUPPORTED),
    Row("the primary polls", PRIMARY, (POLL,), FfaError.NOT_SUPPORTED),
    Row("nothing to poll", GUEST, (POLL,), FfaError.RETRY),
    *[
        Row(
            f"w{number} of a wait",
            caller,
            (WAIT, *[int(number == at) for at in range(1, 8)]),
            FfaError.INVALID_PARAMETERS,
        )
        for caller in (PRIMARY, GUEST, SERVICE)
        for number in (1, 3, 4, 5, 6, 7)
    ],
    *[
        Row(
            f"w{number} of a yield",
            caller,
            (YIELD, *[int(number == at) for at in range(1, 8)]),
            FfaError.INVALID_PARAMETERS,
        )
        for caller in (PRIMARY, GUEST, SERVICE)
        for number in (4, 5, 6, 7)
    ],
]


def test_calls_that_are_refused() -> None:
    check_rows(REFUSED)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (VcpuState.OFF, FfaError.INVALID_PARAMETERS),
        (VcpuState.RUNNING, FfaError.BUSY),
        (VcpuState.BLOCKED, FfaError.BUSY),
        (VcpuState.ABORTED, FfaError.ABORTED),
    ],
)
def test_a_vcpu_that_cannot_run_is_left_alone(state: VcpuState, code: FfaError) -> None:
    machine = machine_of(PRIMARY)
    machine.vcpu(GUEST).state = state
    machine.refuses(code, RUN, target(GUEST))


@pytest.mark.parametrize("number", [0, 5])
def test_a_vcpu_that_waits_finds_the_call(number: int) -> None:
    machine = machine_of(PRIMARY)
    assert machine.call(RUN, target(GUEST_MP, number)) == (RUN, GUEST_MP + 1, 0, 0, 0, 0, 0, 0)
    assert (machine.running(), machine.current.index) == (GUEST_MP, number)
    assert (machine.state(PRIMARY), machine.state(GUEST_MP, number)) == (VcpuState.BLOCKED, VcpuState.RUNNING)


@pytest.mark.parametrize("state", [VcpuState.CREATED, VcpuState.PREEMPTED, VcpuState.YIELDED])
def test_a_vcpu_goes_on_with_its_registers(state: VcpuState) -> None:
    machine = machine_of(PRIMARY)
    machine.vcpu(GUEST).state = state
    for number in range(8):
        machine.vcpu(GUEST).context.x[number] = 100 + number
    assert machine.call(RUN, target(GUEST)) == tuple(range(100, 108))
    assert machine.state(GUEST) is VcpuState.RUNNING


def test_a_pause_is_told_and_answered_with_success() -> None:
    machine = machine_of(PRIMARY)
    machine.call(RUN, target(GUEST))
    assert machine.call(YIELD, 0, 0x1_0000_0005, 6) == (YIELD, target(GUEST), 5, 6, 0, 0, 0, 0)
    assert (machine.running(), machine.state(GUEST)) == (PRIMARY, VcpuState.YIELDED)
    assert machine.call(RUN, target(GUEST)) == success()


def test_the_primary_does_not_pause() -> None:
    machine = machine_of(PRIMARY)
    assert machine.call(YIELD, 0, 5, 6) == success()
    assert machine.running() == PRIMARY


def test_a_wait_without_a_timer_has_no_end() -> None:
    machine = machine_of(PRIMARY)
    for partition in (GUEST, SERVICE):
        machine.call(RUN, target(partition))
        assert machine.call(WAIT) == (WAIT, target(partition), SLEEP_INDEFINITELY, 0, 0, 0, 0, 0)
        assert (machine.running(), machine.state(partition)) == (PRIMARY, VcpuState.WAITING)


@pytest.mark.parametrize(("version", "is_refused"), [(0x1_0000, True), (0x1_0001, True), (0x1_0002, False)])
def test_w2_of_a_wait_has_a_meaning_since_1_2(version: int, is_refused: bool) -> None:
    machine = machine_of(PRIMARY)
    machine.call(RUN, target(GUEST))
    machine.partitions[GUEST].version = version
    assert (machine.call(WAIT, 0, 1) == error(FfaError.INVALID_PARAMETERS)) == is_refused
    assert machine.running() == (GUEST if is_refused else PRIMARY)


def test_a_request_has_to_be_answered_before_waiting_or_polling() -> None:
    machine = machine_of(PRIMARY)
    machine.call(REQUEST, PRIMARY_ID << 16 | GUEST_ID)
    machine.call(ID_GET)
    machine.refuses(FfaError.DENIED, WAIT)
    machine.refuses(FfaError.DENIED, POLL)


def clocked(partition: int = GUEST) -> Machine:
    """A machine with a clock, on which a guest runs that has the interrupt of its timer enabled."""
    machine = machine_of(PRIMARY)
    machine.session.registers["CNTFRQ_EL0"] = FREQUENCY
    machine.session.registers["CNTPCT_EL0"] = 1000
    machine.call(RUN, target(partition))
    assert machine.call(ENABLE_INTERRUPT, VirtualInterrupt.TIMER.value, 1, 0)[0] == 0
    return machine


def set_timer(machine: Machine, partition: int, ticks: int) -> Any:
    """The timer of the partition's vCPU fires so many ticks from now."""
    el1 = machine.vcpu(partition).el1
    el1.cntv_ctl = TimerControl.ENABLE
    el1.cntv_cval = machine.session.registers["CNTPCT_EL0"] - el1.cntvoff + ticks
    return el1


@pytest.mark.parametrize("offset", [0, 300])
def test_sleep_ends_with_the_timer(offset: int) -> None:
    machine = clocked()
    machine.vcpu(GUEST).el1.cntvoff = offset
    el1 = set_timer(machine, GUEST, 10)
    machine.session.registers["ELR_EL2"] = 0x1000
    assert machine.fault(WFI) == (SLEEPING_RESULT, target(GUEST), 200, 0, 0, 0, 0, 0)
    assert machine.vcpu(GUEST).context.program_counter == 0x1004
    assert (machine.running(), machine.state(GUEST)) == (PRIMARY, VcpuState.SLEEPING)
    machine.session.registers["CNTPCT_EL0"] += 9
    assert machine.call(RUN, target(GUEST)) == (SLEEPING_RESULT, target(GUEST), 20, 0, 0, 0, 0, 0)
    assert (machine.running(), machine.state(GUEST)) == (PRIMARY, VcpuState.SLEEPING)
    machine.session.registers["CNTPCT_EL0"] += 1
    registers = tuple(machine.vcpu(GUEST).context.x[number] for number in range(8))
    assert machine.call(RUN, target(GUEST)) == registers
    assert machine.running() == GUEST
    assert el1.cntv_ctl == TimerControl.ENABLE | TimerControl.IMASK
    assert machine.vcpu(GUEST).context.configuration & 1 << 7, "a virtual IRQ"
    assert machine.call(GET_INTERRUPT)[0] == VirtualInterrupt.TIMER.value
    assert machine.vcpu(GUEST).context.configuration & 1 << 7 == 0
    assert machine.call(GET_INTERRUPT)[0] == NO_INTERRUPT


def test_sleep_without_a_timer_is_told_as_zero() -> None:
    machine = clocked()
    assert machine.fault(WFI) == (SLEEPING_RESULT, target(GUEST), 0, 0, 0, 0, 0, 0)
    assert machine.call(RUN, target(GUEST)) == (SLEEPING_RESULT, target(GUEST), 0, 0, 0, 0, 0, 0)
    assert machine.state(GUEST) is VcpuState.SLEEPING


def test_a_masked_timer_does_not_end_a_sleep() -> None:
    machine = clocked()
    set_timer(machine, GUEST, 0).cntv_ctl = TimerControl.ENABLE | TimerControl.IMASK
    assert machine.fault(WFI)[0] == SLEEPING_RESULT
    assert machine.call(RUN, target(GUEST))[:3] == (SLEEPING_RESULT, target(GUEST), 0)


def test_a_vcpu_does_not_sleep_when_its_timer_has_fired() -> None:
    machine = clocked()
    set_timer(machine, GUEST, 0)
    before = machine.registers[0]
    assert list(machine.fault(WFI)) == before
    assert machine.running() == GUEST


def test_a_vcpu_does_not_wait_when_its_timer_has_fired() -> None:
    machine = clocked()
    set_timer(machine, GUEST, 0)
    assert machine.call(WAIT) == error(FfaError.INTERRUPTED)
    assert machine.running() == GUEST


def test_a_wait_ends_when_the_timer_fires() -> None:
    machine = clocked()
    set_timer(machine, GUEST, FREQUENCY * 3 + 1)
    assert machine.call(WAIT) == (WAIT, target(GUEST), 3_000_000_020, 0, 0, 0, 0, 0)


def test_a_very_long_sleep_is_told_as_a_long_one() -> None:
    machine = clocked()
    el1 = set_timer(machine, GUEST, 0)
    el1.cntv_cval = 2**64 - 1
    assert machine.fault(WFI)[2] == (1 << 33) * 1_000_000_000


def test_waits_of_el0_are_pauses() -> None:
    machine = machine_of(PRIMARY)
    for syndrome in (WFI, WFE):
        machine.call(RUN, target(SERVICE))
        found = machine.registers[0]
        assert machine.fault(syndrome) == (YIELD, target(SERVICE), 0, 0, 0, 0, 0, 0)
        assert machine.state(SERVICE) is VcpuState.YIELDED
        assert list(machine.call(RUN, target(SERVICE))) == found
        machine.call(WAIT)


def test_waiting_for_an_event_is_a_pause() -> None:
    machine = machine_of(PRIMARY)
    machine.call(RUN, target(GUEST))
    found = machine.registers[0]
    assert machine.fault(WFE) == (YIELD, target(GUEST), 0, 0, 0, 0, 0, 0)
    assert list(machine.call(RUN, target(GUEST))) == found


@pytest.mark.parametrize("host_mode", [False, True])
def test_the_own_timer_of_a_guest_does_not_preempt_it(host_mode: bool) -> None:
    machine = clocked()
    registers = machine.session.registers
    registers["HCR_EL2"] = int(host_mode) << 34
    suffix = "EL02" if host_mode else "EL0"
    machine.cpus[0].el1_owner = machine.vcpu(GUEST)
    registers[f"CNTV_CTL_{suffix}"] = TimerControl.ENABLE | TimerControl.ISTATUS
    registers[f"CNTV_CVAL_{suffix}"] = 999
    before = machine.registers[0]
    assert list(machine.interrupt()) == before
    assert machine.running() == GUEST
    assert registers[f"CNTV_CTL_{suffix}"] & TimerControl.IMASK
    assert registers["HCR_EL2"] == machine.vcpu(GUEST).context.configuration
    assert registers["HCR_EL2"] & 1 << 7
    assert machine.interrupt() == (INTERRUPT, target(GUEST), 0, 0, 0, 0, 0, 0), "the next one is another's"
    assert machine.state(GUEST) is VcpuState.PREEMPTED


def test_an_aborted_partition_never_runs_again() -> None:
    machine = machine_of(PRIMARY)
    machine.call(RUN, target(GUEST_MP, 3))
    assert machine.fault(DATA_ABORT) == (
        *error(FfaError.ABORTED)[:1],
        target(GUEST_MP, 3),
        *error(FfaError.ABORTED)[2:],
    )
    assert machine.state(GUEST_MP, 3) is VcpuState.ABORTED
    for number in (3, 0):
        machine.refuses(FfaError.ABORTED, RUN, target(GUEST_MP, number))
    machine.refuses(FfaError.ABORTED, REQUEST, PRIMARY_ID << 16 | GUEST_MP + 1)


def test_a_vcpu_ends_at_its_next_exception_when_its_partition_has() -> None:
    machine = machine_of(PRIMARY)
    aborted = error(FfaError.ABORTED)
    for cpu in range(3):
        machine.cpu = cpu
        machine.call(RUN, target(GUEST_MP, cpu))
    machine.fault(DATA_ABORT)
    machine.cpu = 1
    assert machine.call(ID_GET) == (aborted[0], target(GUEST_MP, 1), *aborted[2:])
    machine.cpu = 0
    assert machine.interrupt() == (aborted[0], target(GUEST_MP, 0), *aborted[2:])
    assert [machine.state(GUEST_MP, number) for number in range(3)] == [VcpuState.ABORTED] * 3
