"""PSCI for the primary and for secondaries: what is answered, what the firmware is asked, what becomes of the vCPUs."""

from __future__ import annotations

import pytest

from compiler.host import TrapError
from hypervisor.arch.aarch64.guest_entry import EL1_ENTRY_STATE, SCTLR_EL1_RESET
from hypervisor.core.vcpu import VcpuState
from tests.host.firmware.machine import (
    GUEST,
    HVC,
    MINUS_1,
    PRIMARY,
    SECONDARY_START,
    SERVICE,
    SMC,
    Machine,
    absent,
    affinity,
    answering,
    present,
    signed,
)

VERSION, CPU_OFF, SYSTEM_OFF, SYSTEM_RESET, FEATURES = 0x8400_0000, 0x8400_0002, 0x8400_0008, 0x8400_0009, 0x8400_000A
CPU_SUSPEND, CPU_ON, AFFINITY_INFO = 0x8400_0001, 0x8400_0003, 0x8400_0004
SMC64 = 1 << 30
NOT_SUPPORTED, INVALID_PARAMETERS, DENIED, ALREADY_ON, ON_PENDING, INTERNAL_FAILURE = -1, -2, -3, -4, -5, -6
ON, OFF, PENDING = 0, 1, 2
ENTRY, ARGUMENT = 0x4120_0000, 0x1234_5678_9ABC
_WIDTHS = [function | width for function in (CPU_SUSPEND, CPU_ON, AFFINITY_INFO) for width in (0, SMC64)]
EVERY = [VERSION, CPU_OFF, SYSTEM_OFF, SYSTEM_RESET, FEATURES, *_WIDTHS]


@pytest.mark.parametrize("conduit", [HVC, SMC])
def test_version_is_1_1_by_either_conduit(conduit: int) -> None:
    machine = Machine()
    assert machine.result(VERSION, conduit=conduit) == 0x1_0001
    machine.run(machine.vcpu(GUEST))
    assert machine.result(VERSION, conduit=conduit) == 0x1_0001
    assert machine.smcs == []


@pytest.mark.parametrize("function", EVERY)
def test_firmware_without_psci_leaves_the_primary_without_it(function: int) -> None:
    assert Machine(absent).result(function, affinity(1), ENTRY) == NOT_SUPPORTED


@pytest.mark.parametrize("function", [0x8400_0005, 0x8400_0006, 0x8400_000E, 0xC400_000E, 0xC400_0012, 0xC400_0000])
def test_functions_that_are_not_offered(function: int) -> None:
    machine = Machine()
    assert machine.result(function) == NOT_SUPPORTED
    assert machine.result(FEATURES, function) == NOT_SUPPORTED
    machine.run(machine.vcpu(GUEST))
    assert machine.result(function) == NOT_SUPPORTED
    assert machine.result(FEATURES, function) == NOT_SUPPORTED
    assert machine.smcs == []


def test_features_of_the_primary() -> None:
    machine = Machine()
    for function in EVERY:
        assert machine.result(FEATURES, function) == 0
    assert machine.result(FEATURES, 0x8000_0000) == 0
    assert [call[:2] for call in machine.smcs] == [(FEATURES, CPU_SUSPEND), (FEATURES, CPU_SUSPEND | SMC64)]


@pytest.mark.parametrize(("answer", "expected"), [(0xFF, 3), (2, 2), (0xFFFF_FFFF, NOT_SUPPORTED)])
def test_features_of_cpu_suspend_are_the_firmwares(answer: int, expected: int) -> None:
    machine = Machine()
    machine.respond = answering(answer)
    assert machine.result(FEATURES, CPU_SUSPEND | SMC64) == expected


def test_features_of_a_secondary() -> None:
    machine = Machine()
    machine.run(machine.vcpu(GUEST))
    answers = {function: machine.result(FEATURES, function) for function in EVERY}
    suspend = {CPU_SUSPEND: 2, CPU_SUSPEND | SMC64: 2}
    system = {SYSTEM_OFF: NOT_SUPPORTED, SYSTEM_RESET: NOT_SUPPORTED}
    assert answers == dict.fromkeys(EVERY, 0) | suspend | system
    assert machine.result(SYSTEM_OFF) == machine.result(SYSTEM_RESET) == NOT_SUPPORTED
    assert machine.smcs == []


class TestPrimaryCpuOn:
    @pytest.mark.parametrize("cpu", [1, 2, 3])
    @pytest.mark.parametrize("conduit", [HVC, SMC])
    def test_starts_the_cpu_at_the_hypervisors_entry(self, cpu: int, conduit: int) -> None:
        machine = Machine()
        assert machine.result(CPU_ON | SMC64, affinity(cpu), ENTRY, ARGUMENT, conduit=conduit) == 0
        assert machine.smcs == [(CPU_ON | SMC64, affinity(cpu), SECONDARY_START, cpu, *[0] * 14)]
        assert machine.vcpu(PRIMARY, cpu).state == VcpuState.CREATED

    def test_the_started_cpu_enters_the_guest(self) -> None:
        machine = Machine()
        machine.call(CPU_ON | SMC64, affinity(2), ENTRY, ARGUMENT)
        vcpu = machine.vcpu(PRIMARY, 2)
        vcpu.context.x[5], vcpu.el1.tcr_el1, vcpu.el1.vmpidr = 7, 7, 0x8000_0100
        machine.registers["TPIDR_EL2"] = 2
        with pytest.raises(TrapError):  # the end of the switch's twin
            machine.session.call("hypervisor.firmware.cpu_entry.enter_primary")
        assert vcpu.state == VcpuState.RUNNING
        assert machine.current.address_ == vcpu.address_
        assert [vcpu.context.x[number] for number in range(31)] == [ARGUMENT, *[0] * 30]
        assert machine.registers["ELR_EL2"] == ENTRY
        assert machine.registers["SPSR_EL2"] == EL1_ENTRY_STATE == 0x3C5
        assert machine.registers["SCTLR_EL1"] == SCTLR_EL1_RESET
        assert (vcpu.el1.tcr_el1, vcpu.el1.vmpidr) == (0, 0x8000_0100)

    def test_a_32_bit_call_has_low_halves(self) -> None:
        machine = Machine()
        high = 0xABCD << 32
        assert machine.result(CPU_ON, high | affinity(1), high | ENTRY, high | 5) == 0
        entry = machine.session.static("hypervisor.firmware.psci.ENTRIES")[1]
        assert (entry.address, entry.argument) == (ENTRY, 5)

    @pytest.mark.parametrize("target", [2, 0x200, affinity(3) | 1 << 31, affinity(1) | 1 << 40, MINUS_1])
    def test_an_unknown_affinity(self, target: int) -> None:
        machine = Machine()
        assert machine.result(CPU_ON | SMC64, target, ENTRY) == INVALID_PARAMETERS
        assert machine.result(AFFINITY_INFO | SMC64, target) == INVALID_PARAMETERS
        assert machine.smcs == []

    def test_only_once(self) -> None:
        machine = Machine()
        assert machine.result(CPU_ON | SMC64, affinity(0), ENTRY) == ALREADY_ON
        assert machine.result(AFFINITY_INFO | SMC64, affinity(1)) == OFF
        assert machine.result(CPU_ON | SMC64, affinity(1), ENTRY) == 0
        assert machine.result(AFFINITY_INFO | SMC64, affinity(1)) == PENDING
        assert machine.result(CPU_ON | SMC64, affinity(1), 0) == ON_PENDING
        machine.vcpu(PRIMARY, 1).state = VcpuState.BLOCKED
        assert machine.result(CPU_ON | SMC64, affinity(1), 0) == ALREADY_ON
        assert machine.result(AFFINITY_INFO, affinity(1)) == ON
        assert len(machine.smcs) == 1
        assert machine.session.static("hypervisor.firmware.psci.ENTRIES")[1].address == ENTRY

    def test_a_cpu_on_its_way_down_is_tried_again(self) -> None:
        machine = Machine()
        machine.respond = answering(ALREADY_ON, ALREADY_ON & (1 << 32) - 1, 0)
        assert machine.result(CPU_ON | SMC64, affinity(1), ENTRY) == 0
        assert len(machine.smcs) == 3

    @pytest.mark.parametrize(("code", "seen"), [(DENIED, DENIED), (-9, -9), (-77, INTERNAL_FAILURE)])
    def test_a_refusal_leaves_the_cpu_off(self, code: int, seen: int) -> None:
        machine = Machine()
        machine.respond = answering(code)
        assert machine.result(CPU_ON | SMC64, affinity(1), ENTRY) == seen
        assert machine.vcpu(PRIMARY, 1).state == VcpuState.OFF


class TestPrimaryOthers:
    def test_cpu_off_is_recorded_before_the_firmware_does_it(self) -> None:
        machine = Machine()
        seen: list[VcpuState] = []

        def refuse(registers: list[int]) -> None:
            seen.append(machine.vcpu(PRIMARY).state)
            registers[0] = DENIED & (1 << 64) - 1

        machine.respond = refuse
        assert machine.result(CPU_OFF, 0x1_0000) == DENIED
        assert seen == [VcpuState.OFF]
        assert machine.vcpu(PRIMARY).state == VcpuState.RUNNING

    def test_affinity_levels(self) -> None:
        assert Machine().result(AFFINITY_INFO | SMC64, affinity(1), 1) == NOT_SUPPORTED

    @pytest.mark.parametrize("width", [0, SMC64])
    def test_suspend_goes_on_behind_a_standby(self, width: int) -> None:
        machine = Machine()
        machine.run(machine.vcpu(PRIMARY, 3), 3)
        assert machine.result(CPU_SUSPEND | width, 0x1_0002, ENTRY, 9) == 0
        assert machine.smcs == [(CPU_SUSPEND | SMC64, 0x1_0002, SECONDARY_START, 3, *[0] * 14)]
        assert machine.vcpu(PRIMARY, 3).state == VcpuState.RUNNING

    def test_suspend_to_power_down_wakes_up_at_the_guests_entry(self) -> None:
        machine = Machine()
        machine.run(machine.vcpu(PRIMARY, 3), 3)
        machine.call(CPU_SUSPEND | SMC64, 0x101_0000, ENTRY, ARGUMENT)
        with pytest.raises(TrapError):
            machine.session.call("hypervisor.firmware.cpu_entry.enter_primary")
        assert machine.registers["ELR_EL2"] == ENTRY
        assert machine.vcpu(PRIMARY, 3).context.x[0] == ARGUMENT

    @pytest.mark.parametrize("function", [SYSTEM_OFF, SYSTEM_RESET])
    def test_the_systems_end_is_the_firmwares(self, function: int) -> None:
        machine = Machine()
        assert machine.result(function) == INTERNAL_FAILURE
        assert [call[0] for call in machine.smcs] == [function]

    def test_other_registers_stay(self) -> None:
        values = (AFFINITY_INFO | SMC64, affinity(1), 0, *range(100, 105))
        assert Machine().call(*values)[1:] == values[1:]


class TestSecondary:
    def machine(self) -> Machine:
        machine = Machine()
        machine.run(machine.vcpu(GUEST))
        return machine

    def test_vcpus_have_their_index_as_affinity(self) -> None:
        machine = self.machine()
        assert machine.result(AFFINITY_INFO | SMC64, 0) == ON
        assert machine.result(AFFINITY_INFO | SMC64, 1) == OFF
        assert machine.result(AFFINITY_INFO | SMC64, 2) == INVALID_PARAMETERS
        assert machine.result(AFFINITY_INFO | SMC64, 1, 1) == INVALID_PARAMETERS

    def test_cpu_on_wakes_the_primary(self) -> None:
        machine = self.machine()
        caller, target = machine.vcpu(GUEST), machine.vcpu(GUEST, 1)
        call = (CPU_ON | SMC64, 1, ENTRY, ARGUMENT, 4, 5, 6, 7)
        assert machine.call(*call) == (0x8400_0062, 2 << 16 | 1, 0, 0, 0, 0, 0, 0)
        assert machine.current.address_ == machine.vcpu(PRIMARY).address_
        assert target.state == VcpuState.CREATED
        assert (target.context.program_counter, target.context.x[0]) == (ENTRY, ARGUMENT)
        assert target.context.processor_state == EL1_ENTRY_STATE
        assert caller.state_when_saved == VcpuState.PREEMPTED
        assert [caller.context.x[number] for number in range(8)] == [0, *call[1:]]

    def test_cpu_on_twice(self) -> None:
        machine = self.machine()
        machine.vcpu(GUEST, 1).state = VcpuState.WAITING
        assert machine.result(CPU_ON | SMC64, 1, ENTRY) == ALREADY_ON
        assert machine.result(CPU_ON | SMC64, 0, ENTRY) == ALREADY_ON
        assert machine.result(CPU_ON | SMC64, 2, ENTRY) == INVALID_PARAMETERS

    def test_cpu_off(self) -> None:
        machine = self.machine()
        caller = machine.vcpu(GUEST)
        assert machine.call(CPU_OFF) == (0xFF06, 2 << 16, 0, 0, 0, 0, 0, 0)
        assert caller.state_when_saved == VcpuState.OFF

    def test_cpu_off_while_a_response_is_owed(self) -> None:
        machine = self.machine()
        machine.vcpu(GUEST).requester = machine.vcpu(PRIMARY)
        assert machine.result(CPU_OFF) == DENIED
        assert machine.vcpu(GUEST).state == VcpuState.RUNNING

    def test_cpu_suspend_sleeps(self) -> None:
        machine = self.machine()
        caller = machine.vcpu(GUEST)
        assert machine.call(CPU_SUSPEND | SMC64, 1, 2, 3) == (0xFF06, 2 << 16, 0, 0, 0, 0, 0, 0)
        assert caller.state_when_saved == VcpuState.SLEEPING
        assert caller.context.x[0] == 0

    @pytest.mark.parametrize("function", EVERY)
    def test_el0_partitions_have_none(self, function: int) -> None:
        machine = Machine()
        machine.run(machine.vcpu(SERVICE))
        assert signed(machine.call(function, 1, 2)[0]) == NOT_SUPPORTED
        assert machine.smcs == []


def test_probing_asks_old_firmware_nothing_more() -> None:
    machine = Machine(probe=False)
    machine.respond = answering(2)
    machine.session.call("hypervisor.firmware.firmware.probe")
    assert [call[0] for call in machine.smcs] == [VERSION]
    machine.respond = present
    assert machine.result(VERSION) == 0x1_0001
