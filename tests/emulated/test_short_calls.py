"""The short paths, run in Unicorn, against the handlers, run by the interpreter on the same state: either both give the
same message to the same vCPU and leave the same state, or the path left everything alone and went to the slow path.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from compiler.language import offset_of, size_of
from hypervisor.arch.aarch64 import short_calls, switch
from hypervisor.arch.aarch64.context import Context
from hypervisor.core.partition import Partition
from hypervisor.core.vcpu import Vcpu, VcpuState
from hypervisor.ffa.functions import NO_VECTOR_STATE_BIT, Function
from tests.emulated import blocks
from tests.emulated.bound import bound_block
from tests.host.ffa.machine import PING_ID, PONG, PONG_ID, PROGRAM, Machine

BLOCK = bound_block(PROGRAM, short_calls.serve_synchronous)
RESUME, SLOW = (f"{function.__module__}.{function.__name__}" for function in (switch.resume, switch.serve_exception))
PARTITIONS = "hypervisor.core.partition.PARTITIONS"
TABLES = {"hypervisor.core.partition.BY_ID": 0x5000_0000, "hypervisor.arch.aarch64.short_calls.KNOWN": 0x5000_1000}
"""Where the block finds copies of them: within the reach of ADRP, which the interpreter's memory is not."""
SVC = 0x15 << 26
DATA_ABORT = 0x24 << 26
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
NOT_COMPARED = [(0, size_of(Context)), (offset_of(Vcpu, "successor"), 8), (offset_of(Vcpu, "state_when_saved"), 1)]
"""Offset and size: the context, which is looked at alone, and what the slow path uses between handler and switch."""

PING_TO_PONG = PING_ID << 16 | PONG_ID
PONG_TO_PING = PONG_ID << 16 | PING_ID
ENDPOINTS = [PING_TO_PONG, PONG_TO_PING, PING_ID << 16 | PING_ID, PING_ID << 16 | 9, PING_ID << 16 | PONG_ID + 64, 0]
VERSIONS = [0x10002, 0x10001, 0x10000, 0x10003, 0x20000, 0x8001_0002]
FUNCTIONS = [function.value for function in Function]


@dataclass
class Case:
    """One exception of the partition that runs, ping or, while it serves a request of ping, pong."""

    registers: list[int]
    is_serving: bool = False
    receiver_state: VcpuState = VcpuState.WAITING
    version: int = 0
    version_is_final: bool = False
    syndrome: int = SVC
    seed: int = 1
    machine: Machine = field(default_factory=Machine)

    def prepare(self) -> int:
        """Bring the hypervisor into the state; the address of the vCPU that runs."""
        chance = random.Random(self.seed)
        machine = self.machine
        for partition in machine.partitions:
            vcpu = partition.vcpu
            machine.session.write(vcpu.address_, chance.randbytes(size_of(Context)))
            vcpu.hypervisor_stack = machine.cpu.stack_top
        machine.partitions[PONG].vcpu.state = self.receiver_state
        if self.is_serving:
            machine.partitions[PONG].vcpu.state = VcpuState.WAITING
            machine.call(Function.DIRECT_REQUEST.value, PING_TO_PONG)
        machine.current.version = self.version
        machine.current.version_is_final = self.version_is_final
        return int(machine.current.address_)

    def run(self) -> str:
        """Both ways, compared; where the block went."""
        session = self.machine.session
        caller = self.prepare()
        chance = random.Random(self.seed)
        registers = {name: chance.getrandbits(64) for name in OTHERS}
        registers |= dict(zip(MESSAGE, self.registers, strict=True)) | {"sp": caller}
        system = {name: chance.getrandbits(64) for name in SWITCHED} | {"ESR_EL2": self.syndrome}
        start = session.static_address(PARTITIONS)
        size = len(self.machine.partitions) * size_of(Partition)
        memory = {start: session.read(start, size)}
        sizes = {item.symbol: item.size for item in PROGRAM.statics}
        for symbol, address in TABLES.items():
            memory[address] = session.read(session.static_address(symbol), sizes[symbol])
        before = memory[start]
        after = blocks.run_block(BLOCK, blocks.Machine(dict(registers), memory, system), symbols=TABLES)
        context = caller - start
        self.check_saved(after, registers, after.memory[start][context : context + size_of(Context)])
        if after.ending == SLOW:
            unused = [f"x{number}" for number in (*range(8), *range(12, 31))]
            assert {name: after.registers[name] for name in unused} == {name: registers[name] for name in unused}
            assert _without(after.memory[start], NOT_COMPARED[:1]) == _without(before, NOT_COMPARED[:1])
            return SLOW
        reply = self.machine.call(*self.registers)
        assert tuple(after.registers[name] for name in MESSAGE) == reply
        assert _without(after.memory[start], NOT_COMPARED) == _without(session.read(start, size), NOT_COMPARED)
        runs_next = after.registers["x9"] if after.ending == RESUME else after.registers["sp"]
        assert runs_next == self.machine.current.address_
        return after.ending

    def check_saved(self, after: blocks.Machine, registers: dict[str, int], context: bytes) -> None:
        """What the block stored in the caller's context is what the caller had."""
        if after.ending == "eret":
            assert {name: after.registers[name] for name in OTHERS} == {name: registers[name] for name in OTHERS}
        for number in range(8, 31) if after.ending == RESUME else SAVED_FIRST:
            assert _word(context, f"x[{number}]") == registers[f"x{number}"], number
        if after.ending == RESUME:
            for register, name in SWITCHED.items():
                assert _word(context, name) == after.system[register], register


def _word(context: bytes, name: str) -> int:
    offset = offset_of(Context, name)
    return int.from_bytes(context[offset : offset + 8], "little")


def _without(data: bytes, left_out: list[tuple[int, int]]) -> bytes:
    """The partitions' bytes with zeros for some fields of each vCPU."""
    result = bytearray(data)
    for partition in range(0, len(data), size_of(Partition)):
        for offset, size in left_out:
            result[partition + offset : partition + offset + size] = bytes(size)
    return bytes(result)


def call(function: int, *rest: int) -> list[int]:
    """x0 to x7, those that are not given with a bit in each half."""
    return [function, *rest, *[0x1_0000_0001 << number for number in range(7 - len(rest))]]


SHORT: list[tuple[Any, str]] = [
    (Case(call(Function.VERSION.value, 0x10002)), "eret"),
    (Case(call(Function.VERSION.value, 0x10002), version=0x10002, version_is_final=True), "eret"),
    (Case(call(Function.ID_GET.value)), "eret"),
    (Case(call(Function.FEATURES.value, Function.DIRECT_REQUEST_64.value)), "eret"),
    (Case(call(0x8400_00FF)), "eret"),
    (Case(call(0x8400_0065)), "eret"),
    (Case(call(Function.DIRECT_REQUEST.value, PING_TO_PONG, 0)), RESUME),
    (Case(call(Function.DIRECT_REQUEST_64.value, PING_TO_PONG, 0)), RESUME),
    (Case(call(Function.DIRECT_RESPONSE.value, PONG_TO_PING, 0), is_serving=True), RESUME),
    (Case(call(Function.DIRECT_RESPONSE_64.value, PONG_TO_PING, 0), is_serving=True), RESUME),
]


@pytest.mark.parametrize(("case", "ending"), SHORT)
def test_common_calls_take_the_short_path(case: Case, ending: str) -> None:
    assert case.run() == ending


@pytest.mark.parametrize(
    "case",
    [
        Case(call(Function.MSG_WAIT.value)),
        Case(call(Function.CONSOLE_LOG.value, 8)),
        Case(call(Function.ID_GET.value | NO_VECTOR_STATE_BIT)),
        Case(call(Function.VERSION.value, 0x10001)),
        Case(call(Function.FEATURES.value, 0x8400_00FF)),
        Case(call(Function.DIRECT_REQUEST.value, PING_TO_PONG, 1)),
        Case(call(Function.DIRECT_REQUEST.value, PING_TO_PONG, 0), receiver_state=VcpuState.RUNNING),
        Case(call(Function.DIRECT_RESPONSE.value, PING_TO_PONG, 0)),
        Case(call(Function.ID_GET.value), syndrome=DATA_ABORT),
    ],
)
def test_what_has_no_short_path_is_left_alone(case: Case) -> None:
    assert case.run() == SLOW


@pytest.mark.parametrize("seed", range(150))
def test_random_calls_in_random_states(seed: int) -> None:
    chance = random.Random(seed)
    function = chance.choice([*FUNCTIONS * 2, chance.choice(FUNCTIONS) ^ 1 << chance.randrange(32)])
    upper = chance.choice([0, chance.getrandbits(32)]) << 32
    first = chance.choice([*ENDPOINTS, PING_TO_PONG, PONG_TO_PING, *VERSIONS, *FUNCTIONS, chance.getrandbits(64)])
    Case(
        call(function | upper, first, chance.choice([0, 0, 0, 1, 1 << 32])),
        is_serving=chance.choice([False, True]),
        receiver_state=chance.choice([VcpuState.WAITING, *VcpuState]),
        version=chance.choice(VERSIONS),
        version_is_final=chance.choice([False, True]),
        seed=seed,
    ).run()
