"""A hypervisor on the host with a primary, guests at EL1 and partitions at EL0; exceptions as the vectors serve them.

The vCPU that runs on the selected CPU calls. x0 to x7 of what runs are kept for each CPU, as the real registers would;
the rest of a vCPU's registers are in its context, where the vectors save x8 to x17 before a handler runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from compiler.check import check_program
from compiler.host import Interpreter
from hypervisor import dispatch
from hypervisor.arch.aarch64 import exceptions, short_calls
from hypervisor.core.cpu import CPU_COUNT_MAX
from hypervisor.core.partition import PartitionId, PartitionKind
from hypervisor.core.vcpu import RECEIVES_REQUESTS, SENDS_REQUESTS, VERSION_OPEN, VcpuState, enter_in_table
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.protocol import OWN_VERSION
from hypervisor.memory import page_table, pages
from hypervisor.memory.descriptors import Regime

ENTRIES: list[Callable[..., object]] = [
    dispatch.handle_call,
    exceptions.handle_exception,
    pages.initialise,
    page_table.create,
    enter_in_table,
    short_calls.serve_synchronous,
]
PROGRAM = check_program(ENTRIES, name="ffa")

PRIMARY, GUEST, GUEST_MP, SERVICE, OTHER = range(5)
"""Indices of the partitions, and of `Machine.partitions`: the primary, two guests at EL1, two partitions at EL0."""
KINDS = (PartitionKind.PRIMARY, PartitionKind.EL1, PartitionKind.EL1, PartitionKind.EL0, PartitionKind.EL0)
NAMES = ("primary", "guest", "guest-mp", "service", "other")
VCPU_COUNTS = (CPU_COUNT_MAX, 1, CPU_COUNT_MAX, 1, 1)
METHODS = (SENDS_REQUESTS, *[SENDS_REQUESTS | RECEIVES_REQUESTS] * 4)
PRIMARY_ID, GUEST_ID, GUEST_MP_ID, SERVICE_ID, OTHER_ID = range(1, 6)

ERROR = Function.ERROR.value
SUCCESS = Function.SUCCESS.value
MASK_32 = 0xFFFF_FFFF
INTERRUPT = exceptions.INTERRUPT
LOWER_SYNCHRONOUS = 0
REGISTER_COUNT = 8
EXTENDED = slice(8, 18)
"""x8 to x17, which some calls use beyond x0 to x7."""


class Machine:
    """CPUs and partitions; on every CPU the primary runs, on CPU 0 selected. `console` is what was printed."""

    def __init__(self) -> None:
        self.console = ""
        self.session = Interpreter(PROGRAM, externs={"console_write": self._print})
        table = self.session.static("hypervisor.core.partition.PARTITIONS")
        self.partitions = table.partitions
        self.vcpus = self.session.static("hypervisor.core.vcpu.VCPUS")
        self.cpus = self.session.static("hypervisor.core.cpu.CPUS")
        self.registers = [[0] * REGISTER_COUNT for _ in self.cpus]
        self.session.call(pages.initialise)
        first_vcpu = 0
        for index in range(len(KINDS)):
            self._load(index, first_vcpu)
            first_vcpu += VCPU_COUNTS[index]
        table.count = len(KINDS)
        for index, cpu in enumerate(self.cpus):
            cpu.primary = self.vcpu(PRIMARY, index)
            self._start(index, self.vcpu(PRIMARY, index))
        self.cpu = 0

    def _load(self, index: int, first_vcpu: int) -> None:
        partition = self.partitions[index]
        partition.id = PartitionId(index + 1)
        partition.kind = KINDS[index]
        partition.version = OWN_VERSION
        partition.index = index
        partition.first_vcpu = first_vcpu
        partition.vcpu_count = VCPU_COUNTS[index]
        name = NAMES[index].encode()
        partition.name_size = len(name)
        self.session.write(partition.name.address_, name)
        regime = Regime.EL0_HOST if KINDS[index] is PartitionKind.EL0 else Regime.STAGE_2
        self.session.call(page_table.create, partition.memory, regime, 0)
        for number in range(VCPU_COUNTS[index]):
            vcpu = self.vcpu(index, number)
            vcpu.partition = partition
            vcpu.partition_id = partition.id
            vcpu.kind = KINDS[index]
            vcpu.index = number
            vcpu.methods = METHODS[index]
            vcpu.state = VcpuState.WAITING
            vcpu.attention = VERSION_OPEN
        if VCPU_COUNTS[index] == 1:
            self.session.call(enter_in_table, self.vcpu(index))

    def _print(self, text: tuple[int, int]) -> None:
        self.console += self.session.read(*text).decode()

    def _start(self, cpu: int, vcpu: Any) -> None:
        vcpu.state = VcpuState.RUNNING
        vcpu.cpu = self.cpus[cpu].address_
        self.cpus[cpu].current = vcpu

    @property
    def cpu(self) -> int:
        """Number of the CPU on which things happen."""
        return self.session.registers["TPIDR_EL2"]

    @cpu.setter
    def cpu(self, number: int) -> None:
        self.session.registers["TPIDR_EL2"] = number

    def run(self, partition: int, number: int = 0) -> None:
        """Make a vCPU that waits the one that runs on the selected CPU, in place of the primary's, which is blocked."""
        self.vcpu(PRIMARY, self.cpu).state = VcpuState.BLOCKED
        if self.current.state is VcpuState.RUNNING:
            self.current.state = VcpuState.WAITING
        self._start(self.cpu, self.vcpu(partition, number))

    def call(self, *registers: int, extended: Sequence[int] | None = None) -> tuple[int, ...]:
        """A call of the vCPU that runs, with the x0 to x7 given and the rest zero; what the next one finds there.

        `extended` are x8 and the following; without, those of the context stay.
        """
        if extended is not None:
            for number, value in enumerate(extended):
                self.current.context.x[EXTENDED.start + number] = value
        values = [*registers, *[0] * (REGISTER_COUNT - len(registers))]
        return self._serve("handle_call", values)

    def fault(self, syndrome: int) -> tuple[int, ...]:
        """A synchronous exception of the vCPU that runs, which is no call."""
        self.session.registers["ESR_EL2"] = syndrome
        return self._exception(LOWER_SYNCHRONOUS)

    def interrupt(self) -> tuple[int, ...]:
        """A physical interrupt while a vCPU runs that lets it come to EL2."""
        return self._exception(INTERRUPT)

    def _exception(self, cause: int) -> tuple[int, ...]:
        """What the vCPU that runs next finds in x0 to x7."""
        for number, value in enumerate(self.registers[self.cpu]):
            self.current.context.x[number] = value
        return self._serve("handle_exception", [cause])

    def _serve(self, handler: str, values: Sequence[int]) -> tuple[int, ...]:
        caller = self.current
        result: Sequence[int] = self.session.call(handler, *values)
        self._switch(caller)
        self.registers[self.cpu] = list(result)
        return tuple(result)

    def _switch(self, source: Any) -> None:
        """What the vectors do when a handler named a successor."""
        if source.successor is None:
            return
        target = source.successor.value
        registers = self.session.registers
        source.successor = None
        source.context.program_counter = registers["ELR_EL2"]
        source.context.processor_state = registers["SPSR_EL2"]
        source.state = source.state_when_saved
        target.cpu = self.cpus[self.cpu].address_
        registers["ELR_EL2"] = target.context.program_counter
        registers["SPSR_EL2"] = target.context.processor_state

    @property
    def current(self) -> Any:
        """The vCPU that runs on the selected CPU."""
        return self.cpus[self.cpu].current.value

    def vcpu(self, partition: int, number: int = 0) -> Any:
        """A vCPU of a partition."""
        return self.vcpus[sum(VCPU_COUNTS[:partition]) + number]

    def state(self, partition: int, number: int = 0) -> VcpuState:
        """State of a vCPU."""
        state: VcpuState = self.vcpu(partition, number).state
        return state

    def running(self) -> int:
        """Index of the partition that runs on the selected CPU."""
        return int(self.current.partition.value.index)

    def extended(self) -> tuple[int, ...]:
        """x8 to x17 of the vCPU that runs."""
        return tuple(self.current.context.x[EXTENDED.start : EXTENDED.stop])


def error(code: FfaError) -> tuple[int, ...]:
    """The registers of FFA_ERROR."""
    return (ERROR, 0, code.value & MASK_32, 0, 0, 0, 0, 0)


def success(value: int = 0) -> tuple[int, ...]:
    """The registers of FFA_SUCCESS."""
    return (SUCCESS, 0, value, 0, 0, 0, 0, 0)


def target(partition: int, number: int = 0) -> int:
    """w1 of a call that names a vCPU."""
    return (partition + 1) << 16 | number
