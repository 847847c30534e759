"""FFA_CONSOLE_LOG in both widths: counts, packing, and when a line goes out."""

from __future__ import annotations

import pytest

from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from tests.host.ffa.machine import GUEST_MP, Machine, error, success

LOG = Function.CONSOLE_LOG.value
LOG_64 = Function.CONSOLE_LOG_64.value
VERSION_1_1 = 0x10001
VERSION_1_2 = 0x10002


@pytest.fixture
def machine() -> Machine:
    return Machine()


def packed(text: str, width: int) -> list[int]:
    data = text.encode()
    return [int.from_bytes(data[start : start + width], "little") for start in range(0, len(data), width)]


def log(machine: Machine, text: str, function: int = LOG_64) -> tuple[int, ...]:
    words = packed(text, 8 if function == LOG_64 else 4)
    return machine.call(function, len(text), *words[:6], extended=words[6:])


@pytest.mark.parametrize("function", [LOG, LOG_64])
@pytest.mark.parametrize("end", ["\n", "\0"])
def test_a_line_goes_out_when_it_ends(machine: Machine, function: int, end: str) -> None:
    assert log(machine, "Hello, ", function) == success()
    assert machine.console == ""
    assert log(machine, "world" + end, function) == success()
    assert machine.console == "[1 0] Hello, world\n"


@pytest.mark.parametrize(("function", "most"), [(LOG, 24), (LOG_64, 48)])
def test_every_register_is_used_and_no_more(machine: Machine, function: int, most: int) -> None:
    machine.call(Function.VERSION.value, VERSION_1_1)
    text = "".join(chr(ord("a") + number % 26) for number in range(most - 1)) + "\n"
    assert log(machine, text, function) == success()
    assert machine.console == f"[1 0] {text}"
    assert machine.call(function, most + 1) == error(FfaError.INVALID_PARAMETERS)
    assert machine.call(function, 0) == error(FfaError.INVALID_PARAMETERS)


def test_version_1_2_has_sixteen_registers(machine: Machine) -> None:
    machine.call(Function.VERSION.value, VERSION_1_2)
    text = "".join(chr(ord("0") + number % 64) for number in range(127)) + "\n"
    assert log(machine, text) == success()
    assert machine.console == f"[1 0] {text}"
    assert machine.call(LOG_64, 129) == error(FfaError.INVALID_PARAMETERS)


def test_older_versions_have_six(machine: Machine) -> None:
    machine.call(Function.VERSION.value, VERSION_1_1)
    assert machine.call(LOG_64, 49) == error(FfaError.INVALID_PARAMETERS)


def test_each_vcpu_has_its_line(machine: Machine) -> None:
    log(machine, "from one ")
    machine.cpu = 3
    log(machine, "from three\n")
    machine.cpu = 0
    log(machine, "CPU\n")
    machine.run(GUEST_MP, 2)
    log(machine, "guest\n")
    assert machine.console == "[1 3] from three\n[1 0] from one CPU\n[3 2] guest\n"


def test_a_line_has_at_most_255_characters(machine: Machine) -> None:
    text = "".join(chr(ord("a") + number % 26) for number in range(300))
    for start in range(0, 300, 30):
        assert log(machine, text[start : start + 30]) == success()
    assert machine.console == f"[1 0] {text[:255]}\n"
    log(machine, "\n")
    assert machine.console == f"[1 0] {text[:255]}\n[1 0] {text[255:]}\n"
