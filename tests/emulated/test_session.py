"""The emulated session itself: arguments beyond the registers, traps, registers of EL2, devices, static objects."""

from __future__ import annotations

import pytest

from compiler.host.faults import HostFault, TrapError
from compiler.lower import Optimisation, TargetOptions
from compiler.program import nodes as n
from compiler.program.nodes import BinaryOp, Overflow, TrapKind
from compiler.program.program import Function, Program
from compiler.program.types import I16, I32, POINTER, U8, U32, U64, VOID, Int
from tests.emulated.session import Emulated
from tests.host.programs import at, binary_function, function, local, number, program, read

LEVELS = (Optimisation.DEBUG, Optimisation.SPEED)


def session(tested: Program, level: Optimisation) -> Emulated:
    return Emulated(tested, TargetOptions(optimisation=level))


@pytest.mark.parametrize("level", LEVELS)
def test_calls_give_values_and_traps(level: Optimisation) -> None:
    emulated = session(program(binary_function(BinaryOp.ADD, I16)), level)
    assert emulated.call("f", -3, 1) == -2
    with pytest.raises(TrapError) as caught:
        emulated.call("f", 32767, 1)
    assert (caught.value.kind, caught.value.span.line) == (TrapKind.OVERFLOW, 2)
    assert emulated.call("f", 1, 1) == 2


@pytest.mark.parametrize("level", LEVELS)
def test_arguments_beyond_eight_are_on_the_stack(level: Optimisation) -> None:
    kinds = (U8, I16, U64, I32, U64, U32, U8, U64, I16, U8, U64)
    parameters = [local(f"p{index}", kind) for index, kind in enumerate(kinds)]
    total: n.Expression = number(U64, 0)
    for parameter in parameters:
        wide = (
            read(parameter) if parameter.type == U64 else n.Convert(n.Conversion.CHECKED, read(parameter), U64, at(2))
        )
        scaled = n.Binary(BinaryOp.MUL, total, number(U64, 10), U64, Overflow.TRAP, at(2))
        total = n.Binary(BinaryOp.ADD, scaled, wide, U64, Overflow.TRAP, at(2))
    emulated = session(program(function("f", parameters, U64, [n.Return(total, at(2))])), level)
    assert emulated.call("f", *(index % 10 for index in range(1, 12))) == 12345678901


@pytest.mark.parametrize("level", LEVELS)
def test_registers_of_el2_are_simulated(level: Optimisation) -> None:
    changed = n.Binary(BinaryOp.OR, n.RegisterRead("HCR_EL2"), number(U64, 2), U64, Overflow.TRAP, at(2))
    body: list[n.Statement] = [
        n.RegisterWrite("HCR_EL2", changed, at(2)),
        n.SystemOperation("tlbi", "alle2is", None, at(3)),
        n.SystemOperation("tlbi", "vae2is", number(U64, 5), at(3)),
        n.Barrier("dsb", "ish", at(4)),
        n.Return(n.RegisterRead("HCR_EL2"), at(6)),
    ]
    emulated = session(program(function("f", [], U64, body)), level)
    emulated.registers["HCR_EL2"] = 1
    assert emulated.call("f") == 3
    assert [(event.kind, event.name) for event in emulated.registers.events] == [
        ("msr", "HCR_EL2"),
        ("tlbi", "alle2is"),
        ("tlbi", "vae2is"),
    ]
    assert emulated.registers.events[-1].value == 5


class Echo:
    """A device that answers a read with its offset and width, and remembers writes."""

    def __init__(self) -> None:
        self.written: list[tuple[int, int, int]] = []

    def read(self, offset: int, width: int) -> int:
        return offset << 8 | width

    def write(self, offset: int, width: int, value: int) -> None:
        self.written.append((offset, width, value))


def load_function(kind: Int) -> Function:
    where = local("where", U64)
    address = n.Convert(n.Conversion.INT_TO_POINTER, read(where), POINTER, at(2))
    load = n.Load(address, kind, 4, n.Access.DEVICE, span=at(2))
    return function("f", [where], kind, [n.Return(load, at(2))])


@pytest.mark.parametrize("level", LEVELS)
def test_devices_memory_and_faults(level: Optimisation) -> None:
    store = n.Store(n.Constant(POINTER, 0x9002), number(I16, -2), 2, at(2), n.Access.DEVICE)
    writer = function("writer", [], VOID, [store])
    emulated = session(program(load_function(I32), writer), level)
    device = Echo()
    emulated.device(0x9000, 0x100, device)
    emulated.memory.map(0x80000000, 0x1000, b"\x01\x02\x03\x04")
    assert emulated.call("f", 0x9010) == 0x1004
    assert emulated.call("f", 0x80000000) == 0x04030201
    emulated.call("writer")
    assert device.written == [(2, 2, 0xFFFE)]
    with pytest.raises(HostFault) as caught:
        emulated.call("f", 0xA000)
    assert caught.value.address == 0xA000
    assert emulated.call("f", 0x9020) == 0x2004
