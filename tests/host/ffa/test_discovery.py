"""FFA_VERSION, FFA_ID_GET, FFA_SPM_ID_GET, and what is not a function: a row for each rule."""

from __future__ import annotations

import pytest

from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.protocol import OWN_VERSION
from tests.host.ffa.machine import MASK_32, PRIMARY, PRIMARY_ID, Machine, error, success

VERSION = Function.VERSION.value
NOT_SUPPORTED_32 = FfaError.NOT_SUPPORTED.value & MASK_32
MEMORY_SHARING = [base | 0x71 + number for number in range(11) for base in (0x8400_0000, 0xC400_0000)]
UNSUPPORTED = [
    *MEMORY_SHARING,
    Function.ERROR.value,
    Function.SUCCESS.value,
    Function.SUCCESS_64.value,
    Function.RX_ACQUIRE.value,
    0x8400_006E,  # FFA_MSG_SEND
    0x8400_007C,  # FFA_NORMAL_WORLD_RESUME
    0x8400_0087,  # FFA_SECONDARY_EP_REGISTER
    0xC400_0087,
    0x8400_008C,  # FFA_EL3_INTR_HANDLE
    0xC400_008F,  # FFA_NS_RES_INFO_GET
    0x8400_0090,  # FFA_ABORT
    0xC400_0090,
    0xC400_0094,  # FFA_NOTIFICATION_BIND2
    0xC400_0069,  # only the SMC32 form exists
    0x8400_0097,
    0x8401_0078,  # with the hint about vector state
]


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.mark.parametrize("wanted", [0x10000, 0x10001, 0x10002, 0x10003, 0xFFFF_FFFF_0001_0002])
def test_a_compatible_version_is_answered_with_ours(machine: Machine, wanted: int) -> None:
    assert machine.call(VERSION, wanted) == (OWN_VERSION, 0, 0, 0, 0, 0, 0, 0)
    assert machine.partitions[PRIMARY].version == wanted & MASK_32


@pytest.mark.parametrize("wanted", [0x10004, 0x20000, 0x00002, 0x8001_0002, 0])
def test_an_incompatible_version_is_refused_and_not_recorded(machine: Machine, wanted: int) -> None:
    assert machine.call(VERSION, wanted) == (NOT_SUPPORTED_32, 0, 0, 0, 0, 0, 0, 0)
    assert machine.partitions[PRIMARY].version == OWN_VERSION


def test_the_version_is_final_after_any_other_call(machine: Machine) -> None:
    assert machine.call(VERSION, 0x10001)[0] == OWN_VERSION
    assert machine.call(VERSION, 0x10000)[0] == OWN_VERSION
    machine.call(Function.ID_GET.value)
    assert machine.call(VERSION, 0x10000)[0] == OWN_VERSION
    assert machine.call(VERSION, 0x10001)[0] == NOT_SUPPORTED_32


def test_a_partition_learns_its_own_id(machine: Machine) -> None:
    assert machine.call(Function.ID_GET.value) == success(PRIMARY_ID)


def test_an_unknown_function_is_not_supported(machine: Machine) -> None:
    machine.call(Function.ID_GET.value)
    for function in UNSUPPORTED:
        machine.refuses(FfaError.NOT_SUPPORTED, function, 1, 2, 3, 4, 5, 6, 7)


def test_an_interrupt_is_not_for_partitions_to_send(machine: Machine) -> None:
    assert machine.call(Function.INTERRUPT.value) == error(FfaError.DENIED)
    assert machine.call(VERSION, 0x10001)[0] == OWN_VERSION
    assert machine.call(VERSION, 0x10002)[0] == OWN_VERSION


def test_upper_halves_and_the_vector_state_hint_are_ignored(machine: Machine) -> None:
    assert machine.call(0xDEAD_BEEF_0000_0000 | Function.ID_GET.value | 1 << 16) == success(PRIMARY_ID)
