"""Paravirtual calls: interrupts are enabled, queued, asserted as IRQ or FIQ, taken, and sent between vCPUs."""

from __future__ import annotations

import pytest

from hypervisor.core.vcpu import INTERRUPT_PENDING, VcpuState
from hypervisor.core.virtual_interrupts import VirtualInterrupt
from hypervisor.ffa.functions import Function
from tests.host.ffa.machine import GUEST, GUEST_MP, OTHER, PRIMARY, SERVICE, Machine, target
from tests.host.ffa.rows import machine_of

ENABLE, GET, DEACTIVATE, RECONFIGURE, SEND_IPI = 0xFF03, 0xFF04, 0xFF08, 0xFF09, 0xFF0A
FAILURE = 0xFFFF_FFFF_FFFF_FFFF
NONE = 0xFFFF_FFFF
IRQ, FIQ = 0, 1
VI, VF = 1 << 7, 1 << 6
IPI = VirtualInterrupt.IPI.value
RUN = Function.RUN.value
WAIT = Function.MSG_WAIT.value
CPU_ON_64 = 0xC400_0003
WFI = 0x01 << 26 | 1 << 25


def lines(machine: Machine) -> int:
    """HCR_EL2.VI and VF of the vCPU that runs; the register has them too."""
    configuration = int(machine.current.context.configuration)
    assert machine.session.registers["HCR_EL2"] & (VI | VF) == configuration & (VI | VF)
    return configuration & (VI | VF)


@pytest.mark.parametrize("caller", [GUEST, SERVICE])
@pytest.mark.parametrize(
    ("registers", "result"),
    [
        ((ENABLE, 3, 1, IRQ), 0),
        ((ENABLE, 4, 1, FIQ), 0),
        ((ENABLE, 5, 0, IRQ), 0),
        ((ENABLE, 9, 1, IRQ), 0),
        ((ENABLE, 8, 1, IRQ), FAILURE),
        ((ENABLE, 0, 1, IRQ), FAILURE),
        ((ENABLE, 63, 1, IRQ), FAILURE),
        ((ENABLE, 64, 1, IRQ), FAILURE),
        ((ENABLE, 0xFFFF_FFFF, 1, IRQ), FAILURE),
        ((ENABLE, 3, 1, 2), FAILURE),
        ((GET,), NONE),
        ((DEACTIVATE, 27, 3), 0),
        ((RECONFIGURE, 3, 2, 1), FAILURE),
        ((SEND_IPI, 0), 0),
        ((SEND_IPI, 1), FAILURE),
        ((SEND_IPI, 0xFFFF_FFFF), FAILURE),
    ],
)
def test_results_are_in_x0_and_the_rest_stays(caller: int, registers: tuple[int, ...], result: int) -> None:
    machine = machine_of(caller)
    arguments = [*registers, *range(100, 108 - len(registers))]
    assert machine.call(*arguments) == (result, *arguments[1:])
    assert machine.running() == caller


def test_the_primary_has_interrupts_of_its_own() -> None:
    machine = machine_of(PRIMARY)
    for function in (ENABLE, GET, DEACTIVATE, RECONFIGURE, SEND_IPI):
        assert machine.call(function, 3, 1)[0] == FAILURE


@pytest.mark.parametrize(("line", "bit"), [(IRQ, VI), (FIQ, VF)])
def test_an_interrupt_is_asserted_while_enabled_and_pending(line: int, bit: int) -> None:
    machine = machine_of(GUEST)
    machine.call(SEND_IPI, 0)
    assert lines(machine) == 0
    assert machine.call(GET)[0] == NONE
    machine.call(ENABLE, IPI, 1, line)
    assert lines(machine) == bit
    assert machine.current.attention & INTERRUPT_PENDING
    machine.call(ENABLE, IPI, 0, line)
    assert lines(machine) == 0
    assert machine.current.attention & INTERRUPT_PENDING == 0
    machine.call(ENABLE, IPI, 1, line)
    assert machine.call(GET)[0] == IPI
    assert lines(machine) == 0
    assert machine.call(GET)[0] == NONE


def test_interrupts_come_in_the_order_in_which_they_became_pending() -> None:
    machine = machine_of(GUEST)
    machine.call(SEND_IPI, 0)
    guest = machine.vcpu(GUEST)
    guest.interrupts.posted = 1 << VirtualInterrupt.TIMER.value
    for interrupt in VirtualInterrupt:
        machine.call(ENABLE, interrupt.value, 1, IRQ)
    machine.call(SEND_IPI, 0)
    assert [machine.call(GET)[0] for _ in range(3)] == [IPI, VirtualInterrupt.TIMER.value, NONE]


def test_every_interrupt_can_be_pending_at_once() -> None:
    machine = machine_of(GUEST)
    machine.vcpu(GUEST).interrupts.posted = sum(1 << interrupt.value for interrupt in VirtualInterrupt)
    for interrupt in VirtualInterrupt:
        machine.call(ENABLE, interrupt.value, 1, IRQ)
    assert [machine.call(GET)[0] for _ in range(5)] == [*[interrupt.value for interrupt in VirtualInterrupt], NONE]


def test_an_ipi_wakes_a_vcpu_that_sleeps() -> None:
    machine = machine_of(PRIMARY)
    machine.call(RUN, target(GUEST_MP, 1))
    machine.call(ENABLE, IPI, 1, IRQ)
    machine.fault(WFI)
    machine.call(RUN, target(GUEST_MP, 1))
    assert machine.running() == PRIMARY
    machine.cpu = 2
    machine.call(RUN, target(GUEST_MP, 2))
    assert machine.call(SEND_IPI, 1)[0] == 0
    machine.cpu = 0
    machine.call(RUN, target(GUEST_MP, 1))
    assert (machine.running(), machine.current.index) == (GUEST_MP, 1)
    assert machine.current.context.configuration & VI
    assert machine.call(GET)[0] == IPI


def test_el0_finds_interrupts_as_results() -> None:
    machine = machine_of(PRIMARY)
    machine.call(RUN, target(SERVICE))
    machine.call(ENABLE, IPI, 1, IRQ)
    machine.call(SEND_IPI, 0)
    assert machine.call(WAIT) == (Function.INTERRUPT.value, 0, IPI, 0, 0, 0, 0, 0)
    assert machine.running() == SERVICE
    assert machine.call(WAIT)[0] == WAIT
    service = machine.vcpu(SERVICE)
    service.interrupts.posted = 1 << IPI
    service.attention |= INTERRUPT_PENDING
    assert machine.call(RUN, target(SERVICE)) == (Function.INTERRUPT.value, 0, IPI, 0, 0, 0, 0, 0)
    assert service.context.configuration == 0
    assert machine.state(OTHER) is VcpuState.WAITING


def test_a_guest_that_enables_the_interrupt_late_has_not_missed_it() -> None:
    machine = machine_of(PRIMARY)
    machine.endpoint(GUEST).framework_notifications = 1 << 32
    machine.call(RUN, target(GUEST))
    assert lines(machine) == 0
    machine.call(ENABLE, VirtualInterrupt.NOTIFICATION.value, 1, IRQ)
    assert lines(machine) == VI


def test_a_vcpu_that_is_started_has_no_interrupts() -> None:
    machine = machine_of(GUEST_MP)
    other = machine.vcpu(GUEST_MP, 1)
    other.state = VcpuState.OFF
    other.interrupts.enabled = other.interrupts.posted = 1 << IPI
    other.attention |= INTERRUPT_PENDING
    other.context.configuration = VI
    machine.call(CPU_ON_64, 1, 0x4000_0000, 5)
    assert (machine.running(), other.state) == (PRIMARY, VcpuState.CREATED)
    assert other.attention & INTERRUPT_PENDING == 0
    assert (other.interrupts.enabled, other.context.configuration & VI) == (0, 0)
