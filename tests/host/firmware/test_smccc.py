"""SMCCC's discovery, and what goes on to the firmware: who may, what is passed, what comes back."""

from __future__ import annotations

import pytest

from tests.host.firmware.machine import GUEST, HVC, PRIMARY, SERVICE, SMC, Machine, absent, answering, present

VERSION, ARCH_FEATURES, SOC_ID = 0x8000_0000, 0x8000_0001, 0x8000_0002
WORKAROUNDS = [0x8000_8000, 0x8000_7FFF, 0x8000_3FFF]
SIP, TRNG_VERSION, TRNG_RANDOM = 0xC200_0010, 0x8400_0050, 0xC400_0053
NO_VECTOR_STATE = 1 << 16


def listed(partition: int, *functions: int) -> Machine:
    """A machine whose partition may call these functions of the firmware, and runs."""
    machine = Machine()
    for function in functions:
        assert machine.session.call("hypervisor.firmware.smc_whitelist.allow", machine.partitions[partition], function)
    machine.run(machine.vcpu(partition))
    return machine


def add_one(registers: list[int]) -> None:
    """Firmware that changes every register."""
    registers[:] = [value + 1 for value in registers]


@pytest.mark.parametrize("conduit", [HVC, SMC])
@pytest.mark.parametrize("partition", [PRIMARY, GUEST])
def test_discovery_is_answered_here(conduit: int, partition: int) -> None:
    machine = listed(partition)
    machine.respond = absent
    assert machine.result(VERSION, conduit=conduit) == 0x1_0002
    assert machine.result(VERSION | NO_VECTOR_STATE, conduit=conduit) == 0x1_0002
    assert machine.result(ARCH_FEATURES, VERSION, conduit=conduit) == 0
    assert machine.result(ARCH_FEATURES, ARCH_FEATURES, conduit=conduit) == 0
    assert machine.result(ARCH_FEATURES, SOC_ID, conduit=conduit) == -1
    assert machine.smcs == []


@pytest.mark.parametrize("workaround", WORKAROUNDS)
def test_workarounds_are_the_firmwares(workaround: int) -> None:
    machine = listed(GUEST)
    machine.respond = answering(1)
    assert machine.result(ARCH_FEATURES, workaround) == 1
    assert machine.result(workaround) == 1
    assert [call[:2] for call in machine.smcs] == [(ARCH_FEATURES, workaround), (workaround, 0)]


@pytest.mark.parametrize("workaround", WORKAROUNDS)
def test_workarounds_without_firmware_are_unknown(workaround: int) -> None:
    machine = Machine(absent)
    assert machine.result(ARCH_FEATURES, workaround) == -1
    assert machine.result(workaround) == -1
    assert machine.smcs == []


@pytest.mark.parametrize("partition", [PRIMARY, GUEST])
def test_an_smc_that_is_not_listed_changes_nothing(partition: int) -> None:
    machine = listed(partition, SIP)
    values = (TRNG_RANDOM, *range(0x1_0000_0001, 0x1_0000_0008))
    assert machine.call(*values) == ((1 << 64) - 1, *values[1:])
    assert machine.smcs == []


@pytest.mark.parametrize("partition", [PRIMARY, GUEST])
def test_a_listed_smc_passes_all_registers_with_the_callers_id(partition: int) -> None:
    machine = listed(partition, TRNG_VERSION, SIP)
    vcpu = machine.vcpu(partition)
    for number in range(8, 18):
        vcpu.context.x[number] = 0x800 + number
    machine.respond = add_one
    result = machine.call(SIP, *range(0x101, 0x107), 0x1234_5678_9ABC)
    given = (SIP, *range(0x101, 0x107), 0x1234_5678_0000 | partition + 1, *range(0x808, 0x812))
    assert machine.smcs == [given]
    assert result == (*[value + 1 for value in given[:7]], 0x1234_5678_9ABC)
    assert [vcpu.context.x[number] for number in range(8, 18)] == [value + 1 for value in given[8:]]


def test_lists_are_each_partitions_own() -> None:
    machine = listed(PRIMARY, SIP)
    machine.run(machine.vcpu(GUEST))
    assert machine.result(SIP) == -1
    assert machine.smcs == []


def test_only_smcs_go_on() -> None:
    assert listed(PRIMARY, SIP).result(SIP, conduit=HVC) == -1


def test_a_permissive_partition_reaches_the_firmware_with_everything() -> None:
    machine = listed(GUEST)
    machine.session.call("hypervisor.firmware.smc_whitelist.allow_all", machine.partitions[GUEST])
    assert machine.result(SIP) == 0
    assert machine.result(ARCH_FEATURES, SOC_ID) == 0
    assert len(machine.smcs) == 2


def test_a_full_list_says_so() -> None:
    machine = listed(PRIMARY, *range(0x8200_0000, 0x8200_0020))
    assert not machine.session.call("hypervisor.firmware.smc_whitelist.allow", machine.partitions[PRIMARY], SIP)
    assert machine.result(0x8200_001F) == 0
    assert machine.result(SIP) == -1


def test_el0_partitions_have_none() -> None:
    machine = listed(SERVICE, SIP)
    machine.respond = present
    assert machine.result(VERSION) == machine.result(SIP) == -1
    assert machine.smcs == []
