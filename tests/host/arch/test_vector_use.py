"""Who has the vector registers: given on first use, given back whenever the vCPU leaves the CPU."""

from __future__ import annotations

from typing import Any

import pytest

from hypervisor.core.vcpu import VECTORS_IN_USE
from tests.host.arch.test_exceptions import IL, machine
from tests.host.firmware.machine import GUEST, PRIMARY, SERVICE, Machine

VECTOR, SVE, SME = 0x07, 0x19, 0x1D
INTERRUPT, SERROR = 0x40, 0x41
MONITORS = 1 << 28 | 1 << 30
EVERYBODY, PARTITIONS_TRAP = 3 << 20, 1 << 16 | 1 << 20 | 1 << 24
RES1, TFP, TZ, TSM = 0xFF | 1 << 9 | 1 << 13, 1 << 10, 1 << 8, 1 << 12
MONITORS_E2H0 = 1 << 20 | 1 << 30
WAIT, YIELD = 0x8400_006B, 0x8400_006C


def in_use(made: Machine, vcpu: Any) -> bool:
    return bool(vcpu.attention & VECTORS_IN_USE) and made.current.address_ == vcpu.address_


@pytest.mark.parametrize("partition", [GUEST, SERVICE])
@pytest.mark.parametrize(("host", "opened"), [(True, EVERYBODY | MONITORS), (False, RES1 | TZ | TSM | MONITORS_E2H0)])
def test_the_first_use_opens_the_vector_registers_and_no_others(partition: int, host: bool, opened: int) -> None:
    made = machine(partition, host=host)
    vcpu = made.vcpu(partition)
    result = made.fault(VECTOR << 26 | IL)
    assert in_use(made, vcpu)
    assert made.registers["CPTR_EL2"] == opened
    assert list(result) == list(vcpu.context.x)[:8]
    assert made.registers["ELR_EL2"] == 0x4120_1004, "the instruction is tried again"


@pytest.mark.parametrize("cause", [INTERRUPT, SERROR, 0x24])
@pytest.mark.parametrize("partition", [GUEST, SERVICE])
@pytest.mark.parametrize("host", [True, False])
def test_they_are_given_back_however_the_vcpu_leaves(cause: int, partition: int, host: bool) -> None:
    made = machine(partition, host=host)
    vcpu = made.vcpu(partition)
    closed = MONITORS if host else RES1 | TFP | TZ | TSM | MONITORS_E2H0
    vcpu.el1.vector_traps = closed
    made.cpus[0].el1_owner = made.vcpu(GUEST)
    made.vcpu(GUEST).el1.vector_traps = closed
    made.fault(VECTOR << 26 | IL)
    made.registers["ESR_EL2"] = cause << 26 | IL
    made.session.call("handle_exception", cause)
    assert made.current.address_ == made.vcpu(PRIMARY).address_
    assert vcpu.attention & VECTORS_IN_USE == 0
    expected = RES1 | TFP | TZ | TSM if partition == SERVICE and not host else closed
    assert made.registers["CPTR_EL2"] == expected


@pytest.mark.parametrize("function", [WAIT, YIELD])
def test_calls_give_them_back(function: int) -> None:
    made = machine(SERVICE, state=0)
    made.fault(VECTOR << 26 | IL)
    made.call(function, conduit=0x15 << 26)
    assert made.vcpu(SERVICE).attention & VECTORS_IN_USE == 0
    assert made.registers["CPTR_EL2"] == PARTITIONS_TRAP | MONITORS


@pytest.mark.parametrize("kind", [SVE, SME])
def test_scalable_registers_are_the_primarys(kind: int) -> None:
    made = machine(GUEST)
    made.fault(kind << 26 | IL)
    assert made.registers["ESR_EL12"] == IL, "undefined for a guest at EL1"
    made = machine(SERVICE, state=0)
    made.fault(kind << 26 | IL)
    assert made.current.address_ == made.vcpu(PRIMARY).address_, "the end of a partition at EL0"
