"""FFA_VERSION, FFA_FEATURES, FFA_ID_GET, and what is not a function: a row for each rule."""

from __future__ import annotations

import pytest

from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.protocol import OWN_VERSION
from tests.host.ffa.machine import MASK_32, PRIMARY, PRIMARY_ID, Machine, error, success

VERSION = Function.VERSION.value
FEATURES = Function.FEATURES.value
NOT_SUPPORTED_32 = FfaError.NOT_SUPPORTED.value & MASK_32
SUPPORTED = [
    0x84000060,
    0x84000061,
    0x84000062,
    0x84000063,
    0x84000064,
    0x84000069,
    0x8400006B,
    0x8400006F,
    0xC400006F,
    0x84000070,
    0xC4000070,
    0x8400008A,
    0xC400008A,
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


@pytest.mark.parametrize("function", SUPPORTED)
def test_each_served_function_is_a_feature(machine: Machine, function: int) -> None:
    assert machine.call(FEATURES, function) == success()


@pytest.mark.parametrize("wanted", [0x84000066, 0xC4000064, 0x84000000, 0x1, 0x2, 0x3, 0, 0x8400_FFFF])
def test_anything_else_is_none(machine: Machine, wanted: int) -> None:
    assert machine.call(FEATURES, wanted) == error(FfaError.NOT_SUPPORTED)


def test_a_partition_learns_its_own_id(machine: Machine) -> None:
    assert machine.call(Function.ID_GET.value) == success(PRIMARY_ID)


@pytest.mark.parametrize("function", [0x84000071, 0x84000060, 0x84000061, 0xC4000069, 0x84000097, 0x84010078])
def test_an_unknown_function_is_not_supported(machine: Machine, function: int) -> None:
    assert machine.call(function, 1, 2, 3, 4, 5, 6, 7) == error(FfaError.NOT_SUPPORTED)


def test_upper_halves_and_the_vector_state_hint_are_ignored(machine: Machine) -> None:
    assert machine.call(0xDEAD_BEEF_0000_0000 | Function.ID_GET.value | 1 << 16) == success(PRIMARY_ID)
