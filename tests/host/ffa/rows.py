"""Calls that are refused, as tables: who calls, with what, and the code. A guest can make the same calls on a target.

Each row begins in the same state: version 1.3 everywhere, the caller runs, every other vCPU waits. A refused call
changes nothing, so rows can follow each other in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import pytest

from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from tests.host.ffa.machine import NAMES, PRIMARY, Machine


@dataclass(frozen=True)
class Row:
    """A refused call; registers that are not given are zero."""

    what: str
    caller: int
    registers: tuple[int, ...]
    code: FfaError
    vcpu: int = 0
    """Of the caller; its CPU has the same number."""
    extended: tuple[int, ...] | None = None
    """x8 and the following."""


def machine_of(partition: int, number: int = 0) -> Machine:
    """A machine on which a vCPU runs on the CPU with its number, its version final."""
    machine = Machine()
    machine.cpu = number
    if partition != PRIMARY:
        machine.run(partition, number)
    machine.call(Function.ID_GET.value)
    return machine


def check_rows(rows: list[Row]) -> None:
    """All rows, one machine for each caller."""
    ordered = sorted(rows, key=lambda row: (row.caller, row.vcpu))
    for (caller, number), group in groupby(ordered, key=lambda row: (row.caller, row.vcpu)):
        machine = machine_of(caller, number)
        for row in group:
            try:
                machine.refuses(row.code, *row.registers, extended=row.extended)
            except AssertionError as failure:
                pytest.fail(f"{NAMES[caller]}: {row.what}: {failure}")
