"""The short paths, run in Unicorn, against the handlers, run by the interpreter on the same state: either both give the
same message to the same vCPU and leave the same state, or the path left everything alone and went to the slow path.

Where a path hands the CPU over, the blocks that follow it (`leave`, `resume` and what they call) run too, so the
registers that the next vCPU finds are compared with its context whichever way it was reached.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest

from compiler.asm import AssembledBlock
from compiler.language import offset_of, size_of
from hypervisor.arch.aarch64 import el0_state, el1_state, short_calls, switch
from hypervisor.arch.aarch64.context import Context
from hypervisor.arch.aarch64.el1_state import El1State
from hypervisor.core.cpu import Cpu
from hypervisor.core.partition import Partition
from hypervisor.core.vcpu import VERSION_OPEN, Vcpu, VcpuState
from hypervisor.ffa.functions import NO_VECTOR_STATE_BIT, Function
from tests.emulated import blocks
from tests.emulated.bound import bound_block
from tests.host.ffa.machine import GUEST, OTHER, PRIMARY, PROGRAM, SERVICE, Machine

FUNCTIONS_OF_BLOCKS = (
    short_calls.serve_synchronous,
    switch.leave,
    switch.resume,
    el1_state.save_el1_state,
    el1_state.load_el1_state,
    el0_state.enter_el0_state,
    el0_state.leave_el0_state,
)
SLOW = f"{switch.__name__}.serve_exception"
START = f"{short_calls.__name__}.serve_synchronous"
TABLES = {
    "hypervisor.core.vcpu.BY_ID": 0x5000_0000,
    "hypervisor.arch.aarch64.short_calls.KNOWN": 0x5000_1000,
    "hypervisor.arch.aarch64.el0_state.EL0_STATE": 0x5000_2000,
}
"""Where the blocks find copies of them: within the reach of ADRP, which the interpreter's memory is not."""
STATICS = ("hypervisor.core.vcpu.VCPUS", "hypervisor.core.cpu.CPUS", "hypervisor.core.partition.PARTITIONS")
SVC, HVC, SMC, DATA_ABORT = 0x15 << 26, 0x16 << 26, 0x17 << 26, 0x24 << 26
E2H, TGE, API = 1 << 34, 1 << 27, 1 << 41
MESSAGE = [f"x{number}" for number in range(8)]
OTHERS = [f"x{number}" for number in range(8, 31)]
SAVED_FIRST = range(8, 12)
SWITCHED = {
    "ELR_EL2": "program_counter",
    "SPSR_EL2": "processor_state",
    "SP_EL0": "stack_pointer",
    "TPIDR_EL0": "thread_pointer",
    "TPIDRRO_EL0": "thread_pointer_read_only",
}
KEYS = {
    "APIAKeyLo_EL1": "key_ia_low",
    "APIAKeyHi_EL1": "key_ia_high",
    "APGAKeyLo_EL1": "key_ga_low",
    "APGAKeyHi_EL1": "key_ga_high",
}
EL1_HOST = {f"{name.upper()}2": name for name in (
    "sctlr_el1", "cpacr_el1", "ttbr0_el1", "ttbr1_el1", "tcr_el1", "mair_el1", "amair_el1", "vbar_el1", "spsr_el1",
    "elr_el1", "esr_el1", "far_el1", "afsr0_el1", "afsr1_el1", "contextidr_el1", "cntkctl_el1",
)} | {"CNTV_CTL_EL02": "cntv_ctl", "CNTV_CVAL_EL02": "cntv_cval"}  # fmt: skip
EL1_NO_HOST = {name[:-1]: field for name, field in EL1_HOST.items()} | {
    "CNTV_CTL_EL0": "cntv_ctl",
    "CNTV_CVAL_EL0": "cntv_cval",
}
EL1_COMMON = {name.upper(): name for name in ("sp_el1", "tpidr_el1", "par_el1", "csselr_el1", "mdscr_el1")}
EL1_KEYS = {
    f"AP{key}Key{half}_EL1": f"key_{key.lower()}_{'low' if half == 'Lo' else 'high'}"
    for key in ("IB", "DA", "DB")
    for half in ("Lo", "Hi")
}
NOT_COMPARED = [
    (0, size_of(Context)),
    (offset_of(Vcpu, "successor"), 8),
    (offset_of(Vcpu, "cpu"), 8),
    (offset_of(Vcpu, "state_when_saved"), 1),
    (offset_of(Vcpu, "el1"), size_of(El1State)),
]
"""Offset and size: registers, which are looked at alone, and what the slow path uses between handler and switch."""

PARTNERS = [
    (PRIMARY, SERVICE),
    (PRIMARY, GUEST),
    (GUEST, SERVICE),
    (GUEST, PRIMARY),
    (SERVICE, OTHER),
    (SERVICE, GUEST),
]
VERSIONS = [0x10002, 0x10001, 0x10000, 0x10003, 0x20000, 0x8001_0002]
FUNCTIONS = [function.value for function in Function]


def endpoints(sender: int, receiver: int) -> int:
    """w1 of a direct message between partitions, by their indices."""
    return (sender + 1) << 16 | receiver + 1


@dataclass
class Case:
    """One exception of a partition that runs on CPU 0: of the `asker`, or of the `server` that serves its request."""

    registers: list[int]
    asker: int = PRIMARY
    server: int = SERVICE
    is_serving: bool = False
    server_state: VcpuState = VcpuState.WAITING
    version: int = 0x10003
    attention: int = 0
    syndrome: int | None = None
    is_host: bool = True
    has_keys: bool = True
    seed: int = 1
    machine: Machine = field(default_factory=Machine)

    def configuration(self, partition: int) -> int:
        """HCR_EL2 of a partition's vCPUs."""
        bits = (E2H if self.is_host else 0) | (API if self.has_keys else 0)
        return bits | (TGE if partition in (SERVICE, OTHER) else 0)

    def prepare(self) -> Any:
        """Bring the hypervisor into the state; the vCPU that runs."""
        chance = random.Random(self.seed)
        machine = self.machine
        for partition in (PRIMARY, GUEST, SERVICE, OTHER):
            vcpu = machine.vcpu(partition)
            machine.session.write(vcpu.address_, chance.randbytes(size_of(Context)))
            machine.session.write(vcpu.el1.address_, chance.randbytes(size_of(El1State)))
            vcpu.context.configuration = self.configuration(partition)
            vcpu.el1.traits = int(partition == PRIMARY)
            vcpu.attention = 0
        cpu = machine.cpus[0]
        if self.asker != PRIMARY:
            machine.run(self.asker)
        cpu.el1_owner = machine.vcpu(self.asker if self.asker in (PRIMARY, GUEST) else PRIMARY)
        machine.vcpu(self.server).state = self.server_state
        if self.is_serving:
            machine.vcpu(self.server).state = VcpuState.WAITING
            machine.call(Function.DIRECT_REQUEST.value, endpoints(self.asker, self.server))
            if self.server in (PRIMARY, GUEST):
                cpu.el1_owner = machine.vcpu(self.server)
        current = machine.current
        current.attention = self.attention
        partition = current.partition.value
        partition.version = self.version
        partition.version_is_final = self.attention & VERSION_OPEN == 0
        return current

    def run(self) -> str:
        """Both ways, compared; where the block went."""
        session = self.machine.session
        caller = self.prepare()
        chance = random.Random(self.seed + 1)
        registers = {name: chance.getrandbits(64) for name in OTHERS}
        registers |= dict(zip(MESSAGE, self.registers, strict=True)) | {"sp": int(caller.address_)}
        names = [*SWITCHED, *KEYS, *self.el1_names(), *EL1_COMMON, *EL1_KEYS]
        system = {name: chance.getrandbits(64) for name in names}
        kind = SVC if caller.context.configuration & TGE else HVC
        system |= {"ESR_EL2": kind if self.syndrome is None else self.syndrome}
        system |= {"HCR_EL2": caller.context.configuration}
        sizes = {item.symbol: item.size for item in PROGRAM.statics}
        memory = {
            session.static_address(name): session.read(session.static_address(name), sizes[name]) for name in STATICS
        }
        for symbol, address in TABLES.items():
            memory[address] = session.read(session.static_address(symbol), sizes[symbol])
        before = blocks.Machine(dict(registers), dict(memory), dict(system))
        after = execute(blocks.Machine(registers, memory, system))
        self.check_saved(before, after, int(caller.address_))
        if after.ending == SLOW:
            self.check_untouched(before, after)
            return SLOW
        reply = self.machine.call(*self.registers)
        assert tuple(after.registers[name] for name in MESSAGE) == reply
        assert after.registers["sp"] == self.machine.current.address_
        for name in STATICS:
            start = session.static_address(name)
            expected = session.read(start, sizes[name])
            left_out = {STATICS[0]: (NOT_COMPARED, size_of(Vcpu)), STATICS[1]: ([(0, size_of(Cpu))], size_of(Cpu))}
            ranges, step = left_out.get(name, ([], size_of(Partition)))
            assert _without(after.memory[start], ranges, step) == _without(expected, ranges, step), name
        is_switch = self.machine.current.address_ != caller.address_
        if is_switch:
            self.check_arrival(before, after, int(caller.address_), int(self.machine.current.address_))
        return "switch" if is_switch else "eret"

    def el1_names(self) -> dict[str, str]:
        """System registers that have another name with E2H, and their fields."""
        return EL1_HOST if self.is_host else EL1_NO_HOST

    def check_saved(self, before: blocks.Machine, after: blocks.Machine, caller: int) -> None:
        """What was stored in the caller's context is what the caller had."""
        for number in SAVED_FIRST:
            assert _word(after, caller + offset_of(Context, f"x[{number}]")) == before.registers[f"x{number}"], number

    def check_untouched(self, before: blocks.Machine, after: blocks.Machine) -> None:
        """The slow path finds everything as it was, but for the step over an SMC."""
        unused = [f"x{number}" for number in (*range(8), *range(12, 31))] + ["sp"]
        assert {name: after.registers[name] for name in unused} == {name: before.registers[name] for name in unused}
        start = self.machine.session.static_address(STATICS[0])
        ranges = [(offset_of(Context, "x[8]"), 8 * len(SAVED_FIRST))]
        step = size_of(Vcpu)
        assert _without(after.memory[start], ranges, step) == _without(before.memory[start], ranges, step)
        stepped = 4 if self.syndrome == SMC else 0
        assert after.system["ELR_EL2"] == before.system["ELR_EL2"] + stepped

    def check_arrival(self, before: blocks.Machine, after: blocks.Machine, source: int, target: int) -> None:
        """The source's registers are saved, the target's loaded."""
        stepped = {"ELR_EL2": 4} if self.syndrome == SMC else {}
        for number in range(8, 31):
            assert _word(after, source + offset_of(Context, f"x[{number}]")) == before.registers[f"x{number}"], number
            assert after.registers[f"x{number}"] == _word(before, target + offset_of(Context, f"x[{number}]")), number
        for register, name in SWITCHED.items():
            offset = offset_of(Context, name)
            assert _word(after, source + offset) == before.system[register] + stepped.get(register, 0), register
            assert after.system[register] == _word(before, target + offset), register
        assert after.system["HCR_EL2"] == _word(before, target + offset_of(Context, "configuration"))
        if self.has_keys:
            for register, name in KEYS.items():
                assert after.system[register] == _word(before, target + offset_of(Context, name)), register
                if not before.system["HCR_EL2"] & TGE:
                    assert _word(after, source + offset_of(Context, name)) == before.system[register], register
        self.check_translation(before, after, target)

    def check_translation(self, before: blocks.Machine, after: blocks.Machine, target: int) -> None:
        """EL0 with E2H has its root table; a guest at EL1 has all its EL1 registers, and who had them kept them."""
        is_el0 = _word(before, target + offset_of(Context, "configuration")) & TGE != 0
        if is_el0:
            register = "TTBR0_EL2" if self.is_host else "VTTBR_EL2"
            assert after.system[register] == _word(before, target + offset_of(Context, "translation"))
            if not self.is_host and not before.system["HCR_EL2"] & TGE:
                assert after.system["SCTLR_EL1"] == el0_state.SCTLR_EL1_PARTITION
                assert after.system["CPTR_EL2"] == el0_state.CPTR_EL2_PARTITION
            return
        cpu = self.machine.cpus[0].address_ + offset_of(Cpu, "el1_owner")
        owner = _word(before, cpu)
        assert _word(after, cpu) == target
        registers = self.el1_names() | EL1_COMMON | (EL1_KEYS if self.has_keys else {})
        for register, name in registers.items():
            place = offset_of(Vcpu, "el1") + offset_of(El1State, name)
            if owner != target:
                assert after.system[register] == _word(before, target + place), register
            if owner not in (0, target):
                is_put_back = not self.is_host and before.system["HCR_EL2"] & TGE and name in PUT_BACK
                expected = _word(before, owner + place) if is_put_back else before.system[register]
                assert _word(after, owner + place) == expected, register
        if owner != target:
            state = target + offset_of(Vcpu, "el1")
            assert after.system["VTTBR_EL2"] == _word(before, state + offset_of(El1State, "stage_2"))
            assert after.system["VMPIDR_EL2"] == _word(before, state + offset_of(El1State, "vmpidr"))
            assert after.system["CPTR_EL2"] == _word(before, state + offset_of(El1State, "vector_traps"))


PUT_BACK = ("sctlr_el1", "cpacr_el1", "tcr_el1", "cntkctl_el1")
"""Without E2H these are in memory already while a partition runs at EL0."""


@cache
def assembled() -> dict[str, AssembledBlock]:
    """The blocks by their symbols."""
    return {
        f"{function.__module__}.{function.__name__}": bound_block(PROGRAM, function) for function in FUNCTIONS_OF_BLOCKS
    }


def execute(machine: blocks.Machine) -> blocks.Machine:
    """Run the blocks from the vector until one returns to a vCPU or leaves to the slow path."""
    found = assembled()
    callees = {name: _callee(name) for name in found}
    machine.ending = START
    entries = {name: (name, "") for name in found} | {"resume_el1": (f"{switch.__name__}.resume", "resume_el1")}
    while machine.ending in entries:
        name, label = entries[machine.ending]
        others = {
            symbol: callee for symbol, callee in callees.items() if symbol.split(".")[-2] in ("el1_state", "el0_state")
        }
        machine = blocks.run_block(found[name], replace(machine, ending=""), calls=others, symbols=TABLES, label=label)
    return machine


def _callee(name: str) -> blocks.Callee:
    def call(machine: blocks.Machine) -> None:
        registers = machine.registers | {"x30": blocks.RETURN_ADDRESS}
        result = blocks.run_block(assembled()[name], replace(machine, registers=registers, ending=""), symbols=TABLES)
        machine.registers.update(result.registers)
        machine.memory.update(result.memory)
        machine.system.update(result.system)

    return call


def _word(machine: blocks.Machine, address: int) -> int:
    base = max(start for start in machine.memory if start <= address)
    return int.from_bytes(machine.memory[base][address - base : address - base + 8], "little")


def _without(data: bytes, left_out: list[tuple[int, int]], step: int) -> bytes:
    """The bytes of an array of structs of `step` bytes, with zeros for some fields of each."""
    result = bytearray(data)
    for start in range(0, len(data), step):
        for offset, size in left_out:
            result[start + offset : start + offset + size] = bytes(size)
    return bytes(result)


def call(function: int, *rest: int) -> list[int]:
    """x0 to x7, those that are not given with a bit in each half."""
    return [function, *rest, *[0x1_0000_0001 << number for number in range(7 - len(rest))]]


SHORT: list[tuple[Any, str]] = [
    (Case(call(Function.VERSION.value, 0x10003)), "eret"),
    (Case(call(Function.VERSION.value, 0x10001), version=0x10001), "eret"),
    (Case(call(Function.ID_GET.value)), "eret"),
    (Case(call(Function.ID_GET.value), syndrome=SMC), "eret"),
    (Case(call(Function.FEATURES.value, Function.DIRECT_REQUEST_64.value)), "eret"),
    (Case(call(0x8600_00FF)), "eret"),
]
HAND_OVERS = [
    Case(call(function, endpoints(*((server, asker) if is_serving else (asker, server))), 0), asker, server, is_serving)
    for asker, server in PARTNERS
    if server != PRIMARY
    for is_serving, functions in (
        (False, (Function.DIRECT_REQUEST.value, Function.DIRECT_REQUEST_64.value)),
        (True, (Function.DIRECT_RESPONSE.value, Function.DIRECT_RESPONSE_64.value)),
    )
    for function in functions
]


@pytest.mark.parametrize(("case", "ending"), SHORT)
def test_common_calls_take_the_short_path(case: Case, ending: str) -> None:
    assert case.run() == ending


@pytest.mark.parametrize("case", HAND_OVERS)
@pytest.mark.parametrize("is_host", [True, False])
@pytest.mark.parametrize("has_keys", [True, False])
def test_direct_messages_take_the_short_path(case: Case, is_host: bool, has_keys: bool) -> None:
    assert replace(case, is_host=is_host, has_keys=has_keys, machine=Machine()).run() == "switch"


@pytest.mark.parametrize(
    "case",
    [
        Case(call(Function.MSG_WAIT.value)),
        Case(call(Function.CONSOLE_LOG.value, 8)),
        Case(call(Function.ID_GET.value | NO_VECTOR_STATE_BIT)),
        Case(call(Function.ID_GET.value), attention=VERSION_OPEN),
        Case(call(Function.VERSION.value, 0x10001)),
        Case(call(Function.VERSION.value, 0x10003), attention=VERSION_OPEN),
        Case(call(Function.FEATURES.value, 0x8400_00FF)),
        Case(call(Function.DIRECT_REQUEST.value, endpoints(PRIMARY, SERVICE), 1)),
        Case(call(Function.DIRECT_REQUEST.value, endpoints(PRIMARY, SERVICE), 0), server_state=VcpuState.RUNNING),
        Case(call(Function.DIRECT_RESPONSE.value, endpoints(PRIMARY, SERVICE), 0)),
        Case(call(Function.ID_GET.value), syndrome=DATA_ABORT),
        Case(call(0x8400_0000)),
        Case(call(0x8600_00FF), syndrome=SMC),
    ],
)
def test_what_has_no_short_path_is_left_alone(case: Case) -> None:
    assert case.run() == SLOW


@pytest.mark.parametrize("seed", range(150))
def test_random_calls_in_random_states(seed: int) -> None:
    chance = random.Random(seed)
    asker, server = chance.choice(PARTNERS)
    function = chance.choice([*FUNCTIONS * 2, chance.choice(FUNCTIONS) ^ 1 << chance.randrange(32)])
    upper = chance.choice([0, 0, chance.getrandbits(32)]) << 32
    good = [endpoints(asker, server), endpoints(server, asker)]
    first = chance.choice([*good * 2, endpoints(asker, asker), endpoints(asker, 20), *VERSIONS, *FUNCTIONS])
    Case(
        call(function | upper, first, chance.choice([0, 0, 0, 1, 1 << 32])),
        asker=asker,
        server=server,
        is_serving=server != PRIMARY and chance.choice([False, True]),
        server_state=chance.choice([VcpuState.WAITING, *VcpuState]) if server != PRIMARY else VcpuState.BLOCKED,
        version=chance.choice(VERSIONS[:4]),
        attention=chance.choice([0, 0, VERSION_OPEN]),
        is_host=chance.choice([True, False]),
        has_keys=chance.choice([True, False]),
        seed=seed,
    ).run()
