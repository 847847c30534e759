"""The slow path's frame, run in Unicorn: what handlers find, what is kept, what is changed, what goes where.

The switch from one vCPU to the next and its EL1 registers are in test_short_calls.py, which runs the same blocks.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from compiler.check import check_program
from compiler.host import Interpreter, TrapError
from compiler.language import offset_of, size_of
from compiler.program.nodes import TrapKind
from hypervisor.arch.aarch64 import el0_state, el1_state, switch, vector_state
from hypervisor.arch.aarch64.context import Context
from hypervisor.arch.aarch64.el1_state import HAS_SECOND_POINTER, IS_PRIMARY, El1State
from hypervisor.arch.aarch64.vector_state import VectorState
from hypervisor.core.cpu import Cpu
from hypervisor.core.vcpu import Vcpu, VcpuState
from tests.emulated.blocks import Machine, run_block
from tests.emulated.bound import bound_block

PROGRAM = check_program(
    [
        switch.serve_exception,
        switch.enter,
        switch.resume,
        el1_state.save_el1_state,
        el1_state.load_el1_state,
        el0_state.enter_el0_state,
        el0_state.leave_el0_state,
        vector_state.save_vectors,
        vector_state.load_vectors,
    ],
    name="switch",
)
OLD, NEW, STACK, KEY, CPU = 0x10_0000, 0x20_0000, 0x31_0000, 0x40_0000, 0x50_0000
SAVED_BEFORE = range(8, 12)
"""What the short paths saved before they left to the block."""
SVC, HVC, DATA_ABORT = 0x15 << 26, 0x16 << 26, 0x24 << 26
E2H, API, TGE = 1 << 34, 1 << 41, 1 << 27
MESSAGE = range(8)
SWITCHED = {
    "ELR_EL2": "program_counter",
    "SPSR_EL2": "processor_state",
    "SP_EL0": "stack_pointer",
    "TPIDR_EL0": "thread_pointer",
    "TPIDRRO_EL0": "thread_pointer_read_only",
}
OWN_KEY = {"APIAKeyLo_EL1": 0x1111, "APIAKeyHi_EL1": 0x2222}
CONFIGURATIONS = [E2H | TGE | API, E2H | TGE, TGE, E2H | API, E2H, 0]


SERVE = bound_block(PROGRAM, switch.serve_exception)
RESUME = bound_block(PROGRAM, switch.resume)


def symbol(name: str) -> str:
    """The program's symbol that ends in `name`."""
    found = [value for item in PROGRAM.functions if item.assembly for value in item.assembly.bindings.values()]
    return next(value for value in found if isinstance(value, str) and value.split(".")[-1] == name)


@dataclass
class Case:
    """A vCPU that ran with random registers and took an exception; `successor` runs next, where it is set."""

    seed: int
    syndrome: int = HVC
    configuration: int = E2H | TGE | API
    successor: int = 0

    def run(self) -> tuple[Machine, Machine]:
        """The machine before and after; handlers give 0xAA00 and following in x0 to x7."""
        chance = random.Random(self.seed)
        registers = {f"x{number}": chance.getrandbits(64) for number in range(31)} | {"sp": OLD}
        system = {name: chance.getrandbits(64) for name in (*SWITCHED, "APGAKeyLo_EL1", "APGAKeyHi_EL1")} | OWN_KEY
        system |= {"ESR_EL2": self.syndrome, "HCR_EL2": self.configuration}
        memory = {
            OLD: vcpu(chance, self.configuration),
            NEW: vcpu(chance, self.configuration),
            STACK - 0x100: bytes(0x100),
            KEY: bytes(range(16)),
            CPU: replaced(bytes(size_of(Cpu)), offset_of(Cpu, "stack_top"), STACK.to_bytes(8, "little")),
        }
        saved = b"".join(registers[f"x{number}"].to_bytes(8, "little") for number in SAVED_BEFORE)
        memory[OLD] = replaced(memory[OLD], offset_of(Vcpu, "context.x[8]"), saved)
        before = Machine(dict(registers), dict(memory), dict(system))
        machine = Machine(registers, memory, system)
        calls = {symbol("handle_call"): self.handler, symbol("handle_exception"): self.handler}
        after = run_block(SERVE, machine, calls=calls, symbols={symbol("HYPERVISOR_KEY"): KEY})
        return before, after

    def handler(self, machine: Machine) -> None:
        """Stands in for the dialect's handlers: gives results, and changes all that AAPCS64 lets it change."""
        if self.configuration & API:
            key = tuple(machine.system[name].to_bytes(8, "little") for name in OWN_KEY)
            assert b"".join(key) == bytes(range(16)), "handlers sign with the hypervisor's key"
        if self.syndrome == DATA_ABORT:
            assert machine.registers["x0"] == DATA_ABORT >> 26, "the handler learns of the cause"
        for number in range(19):
            machine.registers[f"x{number}"] = 0xAA00 + number
        if self.successor:
            write(machine, OLD + offset_of(Vcpu, "successor"), self.successor)
            put(machine, OLD + offset_of(Vcpu, "state_when_saved"), bytes([VcpuState.BLOCKED.value]))


def vcpu(chance: random.Random, configuration: int) -> bytes:
    data = bytearray(chance.randbytes(size_of(Vcpu)))
    for field, value in (("context.configuration", configuration), ("cpu", CPU), ("successor", 0)):
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
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("syndrome", [SVC, HVC, DATA_ABORT])
def test_an_exception_changes_x0_to_x7_and_nothing_else(seed: int, configuration: int, syndrome: int) -> None:
    before, after = Case(seed, syndrome, configuration=configuration).run()
    assert after.ending == "eret"
    assert [after.registers[f"x{number}"] for number in MESSAGE] == [0xAA00 + number for number in MESSAGE]
    for name in [f"x{number}" for number in range(8, 31)] + ["sp"]:
        assert after.registers[name] == before.registers[name], name
    assert {name: after.system[name] for name in before.system} == before.system


@pytest.mark.parametrize("number", range(8, 31))
def test_a_handler_of_exceptions_may_change_any_register(number: int) -> None:
    class Emulation(Case):
        def handler(self, machine: Machine) -> None:
            super().handler(machine)
            write(machine, OLD + offset_of(Vcpu, f"context.x[{number}]"), 0x5555)

    before, after = Emulation(number, DATA_ABORT).run()
    expected = {f"x{other}": before.registers[f"x{other}"] for other in range(8, 31)} | {f"x{number}": 0x5555}
    assert {name: after.registers[name] for name in expected} == expected


def test_the_handler_learns_which_vcpu_runs() -> None:
    _, after = Case(1).run()
    assert word(after, CPU + offset_of(Cpu, "current")) == OLD


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("syndrome", [HVC, DATA_ABORT])
def test_a_switch_saves_everything_and_goes_on_to_the_successor(seed: int, syndrome: int) -> None:
    before, after = Case(seed, syndrome, successor=NEW).run()
    assert after.ending == symbol("leave")
    assert (after.registers["x8"], after.registers["x9"]) == (OLD, NEW)
    assert after.registers["x17"] == VcpuState.BLOCKED.value
    for number in range(0 if syndrome == DATA_ABORT else 8, 31):
        assert context(after, OLD, f"x[{number}]") == before.registers[f"x{number}"], number
    for register, field in {**SWITCHED, "APGAKeyLo_EL1": "key_ga_low", "APGAKeyHi_EL1": "key_ga_high"}.items():
        assert context(after, OLD, field) == before.system[register], register
    assert (context(after, OLD, "key_ia_low"), context(after, OLD, "key_ia_high")) == tuple(OWN_KEY.values())
    assert word(after, OLD + offset_of(Vcpu, "successor")) == 0
    assert word(after, OLD + offset_of(Vcpu, "state")) & 0xFF == VcpuState.RUNNING.value
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


@pytest.mark.parametrize("configuration", [E2H | API, E2H, API, 0])
@pytest.mark.parametrize("traits", [0, IS_PRIMARY, HAS_SECOND_POINTER, IS_PRIMARY | HAS_SECOND_POINTER])
def test_el1_registers_are_saved_and_loaded_as_the_twins_do(configuration: int, traits: int) -> None:
    chance = random.Random(configuration + traits)
    state = bytearray(chance.randbytes(size_of(El1State)))
    place = offset_of(El1State, "traits")
    state[place : place + 8] = traits.to_bytes(8, "little")
    load = bound_block(PROGRAM, el1_state.load_el1_state)
    loaded = run_block(load, Machine({"x10": OLD, "x11": configuration}, {OLD: bytes(state)}))
    with Interpreter(PROGRAM) as twin:
        same = twin.new(El1State)
        twin.write(same.address_, bytes(state))
        twin.call(el1_state.load_el1_state, same, configuration)
        assert {name: twin.registers[name] for name in loaded.system} == loaded.system
        for name in loaded.system:
            twin.registers[name] = loaded.system[name] = chance.getrandbits(64)
        twin.registers["HCR_EL2"] = loaded.system["HCR_EL2"] = configuration
        save = bound_block(PROGRAM, el1_state.save_el1_state)
        saved = run_block(save, Machine({"x10": OLD}, {OLD: bytes(state)}, loaded.system))
        twin.call(el1_state.save_el1_state, same)
        assert saved.memory[OLD] == twin.read(same.address_, size_of(El1State))
        assert {name: twin.registers[name] for name in saved.system} == saved.system


def test_what_acts_on_el0_without_e2h_is_replaced_and_put_back_as_the_twins_do() -> None:
    chance = random.Random(1)
    state = chance.randbytes(size_of(El1State))
    names = ("SCTLR_EL1", "CPACR_EL1", "TCR_EL1", "CNTKCTL_EL1", "CPTR_EL2", "VTTBR_EL2")
    system = {name: chance.getrandbits(64) for name in names}
    constants = next(item for item in PROGRAM.statics if item.symbol.endswith("EL0_STATE"))
    with Interpreter(PROGRAM) as twin:
        table = {constants.symbol: 0x5000_0000}
        memory = {OLD: state, 0x5000_0000: twin.read(twin.static_address(constants.symbol), constants.size)}
        same = twin.new(El1State)
        twin.write(same.address_, state)
        for name, value in system.items():
            twin.registers[name] = value
        enter = bound_block(PROGRAM, el0_state.enter_el0_state)
        after = run_block(enter, Machine({"x12": OLD}, memory, system), symbols=table)
        twin.call(el0_state.enter_el0_state, same)
        assert after.memory[OLD] == twin.read(same.address_, size_of(El1State))
        assert {name: twin.registers[name] for name in after.system} == after.system
        leave = bound_block(PROGRAM, el0_state.leave_el0_state)
        after = run_block(leave, Machine({"x12": OLD}, {OLD: after.memory[OLD]}, after.system))
        twin.call(el0_state.leave_el0_state, same)
        assert {name: twin.registers[name] for name in after.system} == after.system


def test_vector_registers_survive_saving_and_loading() -> None:
    chance = random.Random(2)
    quads = {f"q{number}": chance.getrandbits(128) for number in range(32)}
    registers = {**quads, "x0": OLD}
    save, load = bound_block(PROGRAM, vector_state.save_vectors), bound_block(PROGRAM, vector_state.load_vectors)
    saved = run_block(save, Machine(registers, {OLD: bytes(size_of(VectorState))}))
    for number in range(32):
        offset = offset_of(VectorState, "quads") + 16 * number
        assert int.from_bytes(saved.memory[OLD][offset : offset + 16], "little") == quads[f"q{number}"]
    loaded = run_block(load, Machine({"x0": OLD}, saved.memory))
    assert {name: loaded.registers[name] for name in quads} == quads
