"""The exception path and the context switch, run in Unicorn: what is kept, what is changed, what goes where."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from compiler.check import check_program
from compiler.host import Interpreter, TrapError
from compiler.language import offset_of, size_of
from compiler.program.nodes import TrapKind
from hypervisor.arch.aarch64 import switch
from hypervisor.arch.aarch64.context import Context
from hypervisor.core.cpu import Cpu
from hypervisor.core.vcpu import Vcpu, VcpuState
from tests.emulated.blocks import Machine, run_block
from tests.emulated.bound import bound_block

PROGRAM = check_program([switch.serve_exception, switch.enter, switch.resume], name="switch")
OLD, NEW, STACK, KEY, CPUS = 0x10_0000, 0x20_0000, 0x31_0000, 0x40_0000, 0x50_0000
CPU_INDEX = 2
SAVED_BEFORE = range(8, 12)
"""What the short paths saved before they left to the block."""
SVC = 0x15 << 26
DATA_ABORT = 0x24 << 26
E2H, API, TGE = 1 << 34, 1 << 41, 1 << 27
MESSAGE = range(8)
SWITCHED = {
    "ELR_EL2": "program_counter",
    "SPSR_EL2": "processor_state",
    "SP_EL0": "stack_pointer",
    "TPIDR_EL0": "thread_pointer",
    "TPIDRRO_EL0": "thread_pointer_read_only",
}


SERVE = bound_block(PROGRAM, switch.serve_exception)
RESUME = bound_block(PROGRAM, switch.resume)


def symbol(name: str) -> str:
    """The program's symbol that ends in `name`."""
    found = [value for item in PROGRAM.functions if item.assembly for value in item.assembly.bindings.values()]
    return next(value for value in found if isinstance(value, str) and value.split(".")[-1] == name)


@dataclass
class Case:
    """A partition that ran with random registers and took an exception; `successor` runs next, where it is set."""

    seed: int
    syndrome: int = SVC
    configuration: int = E2H | TGE | API
    successor: int = 0

    def run(self) -> tuple[Machine, Machine]:
        """The machine before and after."""
        chance = random.Random(self.seed)
        registers = {f"x{number}": chance.getrandbits(64) for number in range(31)} | {"sp": OLD}
        system = {name: chance.getrandbits(64) for name in SWITCHED}
        system |= {"ESR_EL2": self.syndrome, "HCR_EL2": self.configuration, "TPIDR_EL2": CPU_INDEX}
        memory = {
            OLD: vcpu(chance, self.configuration),
            NEW: vcpu(chance, self.configuration),
            STACK - 0x100: bytes(0x100),
            KEY: bytes(range(16)),
            CPUS: bytes((CPU_INDEX + 1) * size_of(Cpu)),
        }
        saved = b"".join(registers[f"x{number}"].to_bytes(8, "little") for number in SAVED_BEFORE)
        memory[OLD] = replaced(memory[OLD], offset_of(Vcpu, "context.x[8]"), saved)
        before = Machine(dict(registers), dict(memory), dict(system))
        machine = Machine(registers, memory, system)
        calls = {symbol("handle_call"): self.handler, symbol("handle_exception"): self.handler}
        after = run_block(SERVE, machine, calls=calls, symbols={symbol("HYPERVISOR_KEY"): KEY, symbol("CPUS"): CPUS})
        return before, after

    def handler(self, machine: Machine) -> None:
        """Stands in for the dialect's handlers: gives results, and changes all that AAPCS64 lets it change."""
        for number in range(19):
            machine.registers[f"x{number}"] = 0xAA00 + number
        if self.successor:
            write(machine, OLD + offset_of(Vcpu, "successor"), self.successor)
            start = OLD + offset_of(Vcpu, "state_when_saved")
            put(machine, start, bytes([VcpuState.BLOCKED.value]))


def vcpu(chance: random.Random, configuration: int) -> bytes:
    data = bytearray(chance.randbytes(size_of(Vcpu)))
    for field, value in (("context.configuration", configuration), ("hypervisor_stack", STACK), ("successor", 0)):
        offset = offset_of(Vcpu, field)
        data[offset : offset + 8] = value.to_bytes(8, "little")
    data[offset_of(Vcpu, "state")] = VcpuState.RUNNING.value
    return bytes(data)


def put(machine: Machine, address: int, data: bytes) -> None:
    base = max(start for start in machine.memory if start <= address)
    machine.memory[base] = replaced(machine.memory[base], address - base, data)


def replaced(old: bytes, offset: int, data: bytes) -> bytes:
    return old[:offset] + data + old[offset + len(data) :]


def write(machine: Machine, address: int, value: int) -> None:
    put(machine, address, value.to_bytes(8, "little"))


def word(machine: Machine, address: int) -> int:
    base = max(start for start in machine.memory if start <= address)
    return int.from_bytes(machine.memory[base][address - base : address - base + 8], "little")


def context(machine: Machine, base: int, field: str) -> int:
    return word(machine, base + offset_of(Context, field))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("configuration", [E2H | TGE | API, E2H | TGE, TGE])
def test_a_call_changes_the_message_and_nothing_else(seed: int, configuration: int) -> None:
    before, after = Case(seed, configuration=configuration).run()
    assert after.ending == "eret"
    assert [after.registers[f"x{number}"] for number in MESSAGE] == [0xAA00 + number for number in MESSAGE]
    for name in [f"x{number}" for number in range(8, 31)] + ["sp"]:
        assert after.registers[name] == before.registers[name], name
    assert {name: after.system[name] for name in before.system} == before.system


def test_the_handler_learns_which_vcpu_runs() -> None:
    _, after = Case(1).run()
    assert word(after, CPUS + CPU_INDEX * size_of(Cpu) + offset_of(Cpu, "current")) == OLD


def test_the_handler_signs_with_the_hypervisors_key_and_the_partition_with_its_own() -> None:
    _, after = Case(1).run()
    own = tuple(context(after, OLD, half) for half in ("key_low", "key_high"))
    assert (after.system["APIAKeyLo_EL1"], after.system["APIAKeyHi_EL1"]) == own
    _, after = Case(1, configuration=E2H | TGE).run()
    assert "APIAKeyLo_EL1" not in after.system


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("syndrome", [SVC, DATA_ABORT])
def test_a_switch_saves_everything_and_then_publishes(seed: int, syndrome: int) -> None:
    before, after = Case(seed, syndrome, successor=NEW).run()
    assert after.ending == symbol("resume")
    assert after.registers["x9"] == NEW
    saved = range(0 if syndrome == DATA_ABORT else 8, 31)
    for number in saved:
        assert context(after, OLD, f"x[{number}]") == before.registers[f"x{number}"], number
    for register, field in SWITCHED.items():
        assert context(after, OLD, field) == before.system[register], register
    assert word(after, OLD + offset_of(Vcpu, "successor")) == 0
    assert word(after, OLD + offset_of(Vcpu, "state")) & 0xFF == VcpuState.BLOCKED.value
    assert [after.registers[f"x{number}"] for number in MESSAGE] == [0xAA00 + number for number in MESSAGE]


@pytest.mark.parametrize("configuration", [E2H | TGE | API, E2H | TGE, TGE])
def test_resuming_loads_what_was_saved_and_agrees_with_the_twin(configuration: int) -> None:
    chance = random.Random(configuration)
    registers = {f"x{number}": chance.getrandbits(64) for number in MESSAGE} | {"x9": NEW}
    machine = Machine(dict(registers), {NEW: vcpu(chance, configuration)})
    after = run_block(RESUME, machine)
    assert after.ending == "eret"
    assert after.registers["sp"] == NEW
    for number in range(31):
        expected = registers[f"x{number}"] if number in MESSAGE else context(after, NEW, f"x[{number}]")
        assert after.registers[f"x{number}"] == expected, number
    with Interpreter(PROGRAM) as twin:
        same = twin.new(Vcpu)
        twin.write(same.address_, after.memory[NEW])
        with pytest.raises(TrapError) as caught:
            twin.call(switch.resume, same)
        assert caught.value.kind is TrapKind.UNREACHABLE
        assert {name: twin.registers[name] for name in after.system} == after.system
