"""A hypervisor on the host with two loaded partitions, of which `ping` runs on CPU 0; calls as the vectors do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from compiler.check import check_program
from compiler.host import Interpreter
from hypervisor.arch.aarch64 import exceptions, short_calls
from hypervisor.core.partition import PartitionId, enter_in_table
from hypervisor.core.vcpu import VcpuState
from hypervisor.ffa import dispatch
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.memory import page_table, pages
from hypervisor.memory.descriptors import Regime
from hypervisor.partitions.listing import PARTITION_COUNT

ENTRIES: list[Callable[..., object]] = [
    dispatch.handle_call,
    exceptions.handle_exception,
    pages.initialise,
    page_table.create,
    enter_in_table,
    short_calls.serve_synchronous,
]
PROGRAM = check_program(ENTRIES, name="ffa")
PING, PONG = 0, 1
PING_ID, PONG_ID = 3, 2
ERROR = Function.ERROR.value
SUCCESS = Function.SUCCESS.value
MASK_32 = 0xFFFF_FFFF


class Machine:
    """One CPU and its partitions. `console` is what was printed."""

    def __init__(self) -> None:
        self.console = ""
        self.session = Interpreter(PROGRAM, externs={"console_write": self._print})
        self.session.registers["TPIDR_EL2"] = 0
        self.partitions = self.session.static("hypervisor.core.partition.PARTITIONS")
        self.cpu = self.session.static("hypervisor.core.cpu.CPUS")[0]
        self.session.call(pages.initialise)
        for index, number in ((PING, PING_ID), (PONG, PONG_ID)):
            partition = self.partitions[index]
            partition.id = PartitionId(number)
            partition.index = index
            partition.vcpu.partition_index = index
            self.session.call(enter_in_table, partition)
            self.session.call(page_table.create, partition.memory, Regime.EL0_HOST, 0)
        assert len(self.partitions) == PARTITION_COUNT
        self.partitions[PONG].vcpu.state = VcpuState.WAITING
        self.run(PING)

    def _print(self, text: tuple[int, int]) -> None:
        self.console += self.session.read(*text).decode()

    def run(self, index: int) -> None:
        """Make a partition the one that runs."""
        vcpu = self.partitions[index].vcpu
        vcpu.state = VcpuState.RUNNING
        vcpu.successor = None
        self.cpu.current = vcpu

    def call(self, *registers: int) -> tuple[int, ...]:
        """An SVC of the partition that runs, with the x0 to x7 given and the rest zero; what the next one finds there.

        As the vectors do, the machine saves the caller and goes on with its successor.
        """
        caller = self.current
        values = [*registers, *[0] * (8 - len(registers))]
        result: Sequence[int] = self.session.call("handle_call", *values)
        self._switch(caller)
        return tuple(result)

    def fault(self, syndrome: int) -> tuple[int, ...]:
        """An exception of the partition that runs."""
        caller = self.current
        self.session.registers["ESR_EL2"] = syndrome
        result: Sequence[int] = self.session.call("handle_exception")
        self._switch(caller)
        return tuple(result)

    def _switch(self, caller: Any) -> None:
        if caller.successor is not None:
            caller.successor = None
            caller.state = caller.state_when_saved

    @property
    def current(self) -> Any:
        """The vCPU that runs."""
        return self.cpu.current.value

    def state(self, index: int) -> VcpuState:
        """State of a partition's vCPU."""
        state: VcpuState = self.partitions[index].vcpu.state
        return state

    @property
    def is_idle(self) -> bool:
        """Whether the CPU was left with nothing to run."""
        return bool(self.current.address_ == self.cpu.idle.address_)

    def running(self) -> int:
        """Which partition runs."""
        return int(self.current.partition_index)


def error(code: FfaError) -> tuple[int, ...]:
    """The registers of FFA_ERROR."""
    return (ERROR, 0, code.value & MASK_32, 0, 0, 0, 0, 0)


def success(value: int = 0) -> tuple[int, ...]:
    """The registers of FFA_SUCCESS."""
    return (SUCCESS, 0, value, 0, 0, 0, 0, 0)
