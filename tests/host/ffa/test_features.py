"""FFA_FEATURES: every function and feature, for each kind of caller and version."""

from __future__ import annotations

import pytest

from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from tests.host.ffa.machine import GUEST, GUEST_MP, OTHER, PRIMARY, SERVICE, Machine, error, success

FEATURES = Function.FEATURES.value
VERSION = Function.VERSION.value
EVERYBODY = [PRIMARY, GUEST, GUEST_MP, SERVICE, OTHER]
EL1 = [PRIMARY, GUEST, GUEST_MP]
EL0 = [SERVICE, OTHER]
NUMBERS = range(0x60, 0x98)
FORMS = (0x8400_0000, 0xC400_0000)

OFFERED: dict[int, list[int]] = {
    **{
        0x8400_0000 | number: EVERYBODY
        for number in (
            *range(0x60, 0x66),  # ERROR, SUCCESS, INTERRUPT, VERSION, FEATURES, RX_RELEASE
            *(0x67, 0x68, 0x69),  # RXTX_UNMAP, PARTITION_INFO_GET, ID_GET
            *(0x6B, 0x6C, 0x6D),  # MSG_WAIT, YIELD, RUN
            *(0x6F, 0x70),  # MSG_SEND_DIRECT_REQ, _RESP
            *range(0x7D, 0x83),  # NOTIFICATION_BITMAP_CREATE to NOTIFICATION_GET
            *(0x85, 0x86),  # SPM_ID_GET, MSG_SEND2
            0x8A,  # CONSOLE_LOG
        )
    },
    **{
        0xC400_0000 | number: EVERYBODY
        for number in (0x61, 0x66, 0x6F, 0x70, 0x8A, 0x8B, 0x8D, 0x8E)  # RXTX_MAP has properties
    },
    0xC400_0083: [PRIMARY],  # NOTIFICATION_INFO_GET
    **{form | number: EL0 for number in (0x88, 0x89) for form in FORMS},  # MEM_PERM_GET, _SET
}
RXTX_MAP_64 = Function.RXTX_MAP_64.value
FEATURE_IDS: dict[int, tuple[int, list[int]]] = {1: (5, EL1), 2: (8, EVERYBODY), 3: (4, EL1), 4: (3, EVERYBODY)}


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.mark.parametrize("partition", EVERYBODY)
def test_each_function_is_offered_to_whom_it_is_for(machine: Machine, partition: int) -> None:
    machine.run(partition)
    machine.call(Function.ID_GET.value)
    for function in [form | number for number in NUMBERS for form in FORMS if form | number != RXTX_MAP_64]:
        if partition in OFFERED.get(function, []):
            assert machine.call(FEATURES, function) == success(), hex(function)
        else:
            machine.refuses(FfaError.NOT_SUPPORTED, FEATURES, function)


@pytest.mark.parametrize("partition", EVERYBODY)
def test_each_feature_has_its_number(machine: Machine, partition: int) -> None:
    machine.run(partition)
    for feature in range(8):
        value, callers = FEATURE_IDS.get(feature, (0, []))
        wanted = success(value) if partition in callers else error(FfaError.NOT_SUPPORTED)
        assert machine.call(FEATURES, feature) == wanted, feature
        assert machine.call(FEATURES, feature, 1) == error(FfaError.NOT_SUPPORTED)
        for bit in range(8, 31):
            assert machine.call(FEATURES, feature | 1 << bit) == error(FfaError.NOT_SUPPORTED)


@pytest.mark.parametrize(("version", "page_count_max"), [(0x10000, 0), (0x10001, 0), (0x10002, 1), (0x10003, 1)])
def test_the_size_of_buffers_is_a_property_since_1_2(machine: Machine, version: int, page_count_max: int) -> None:
    machine.call(VERSION, version)
    assert machine.call(FEATURES, RXTX_MAP_64) == success(page_count_max << 16)


@pytest.mark.parametrize("wanted", [0x8400_0000, 0x8000_0000, 0x8400_FFFF, 0xFFFF_FFFF, 0x8401_0069])
def test_other_functions_are_not_ffa_s(machine: Machine, wanted: int) -> None:
    assert machine.call(FEATURES, wanted) == error(FfaError.NOT_SUPPORTED)


def test_functions_ignore_input_properties_and_upper_halves(machine: Machine) -> None:
    assert machine.call(FEATURES, 0xFFFF_FFFF_0000_0000 | Function.ID_GET.value, 2) == success()
