"""The table of calls that guests replay on the machine, on the host: each kind of caller, each version."""

from __future__ import annotations

import pytest

from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.guests.setup_rows import REGISTER_COUNT, ROWS, VERSIONS, Base, Kind, Registers, Value
from hypervisor.memory.descriptors import Regime
from tests.host.ffa.machine import (
    ERROR,
    EXTENDED,
    GUEST,
    GUEST_MP,
    PRIMARY,
    RX,
    SERVICE,
    TX,
    Machine,
    ram,
)

KINDS = {PRIMARY: Kind.PRIMARY, GUEST: Kind.EL1, GUEST_MP: Kind.EL1, SERVICE: Kind.EL0}
VERSION = Function.VERSION.value
PATTERN = tuple(0xA5A5_0000_5A5A_0000 | number for number in EXTENDED)


def resolved(registers: Registers, partition: int) -> tuple[int, ...]:
    """The registers of a row for a partition."""
    bases = {Base.TX: ram(partition) + TX, Base.RX: ram(partition) + RX, Base.OWN_ID: partition + 1}
    values = [bases[item.base] + item.offset if isinstance(item, Value) else item for item in registers]
    return (*values, *[0] * (REGISTER_COUNT - len(values)))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("partition", "mode"), [*((caller, Regime.EL0_HOST) for caller in KINDS), (SERVICE, Regime.STAGE_2)]
)
def test_rows_are_answered_as_they_say(partition: int, mode: Regime, version: int) -> None:
    machine = Machine(mode)
    if partition != PRIMARY:
        machine.run(partition)
    if partition == SERVICE:
        machine.partitions[partition].version = version
        machine.call(Function.ID_GET.value)
    is_final = False
    for row in ROWS:
        if not row.kinds & KINDS[partition] or version not in row.versions:
            continue
        call = resolved(row.call, partition)
        wanted = resolved(row.wanted, partition)
        if is_final and wanted[0] == ERROR:
            machine.refuses(FfaError(wanted[2] - (1 << 32)), *call, extended=PATTERN)
        else:
            result = machine.call(*call, extended=PATTERN)
            checked = [number for number in range(REGISTER_COUNT) if number not in row.ignored]
            assert [result[number] for number in checked] == [wanted[number] for number in checked], row.name
        assert machine.extended() == PATTERN, row.name
        is_final = is_final or call[0] not in (VERSION, Function.INTERRUPT.value)
    assert machine.console.endswith("] rows\n" + machine.console.splitlines()[-1] + "\n")
