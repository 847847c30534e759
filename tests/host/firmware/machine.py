"""A hypervisor on the host with a primary on four CPUs and two secondaries, and firmware that a test scripts.

Calls arrive as the vectors deliver them; no CPU starts, and no vCPU is switched but in the hypervisor's records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from compiler.check import check_program
from compiler.host import Interpreter
from compiler.language import PhysAddr
from hypervisor import dispatch
from hypervisor.arch.aarch64 import exceptions
from hypervisor.core.partition import PartitionId, PartitionKind
from hypervisor.core.vcpu import VcpuState
from hypervisor.firmware import cpu_entry, firmware, smc_whitelist
from hypervisor.memory import page_table, pages
from hypervisor.memory.descriptors import Access, Ownership, Regime

PROGRAM = check_program(
    [
        dispatch.handle_call,
        exceptions.handle_exception,
        firmware.probe,
        cpu_entry.enter_primary,
        smc_whitelist.allow,
        smc_whitelist.allow_all,
        pages.initialise,
        page_table.create,
        page_table.map_range,
    ],
    name="firmware",
)
CPU_COUNT = 4
PRIMARY, GUEST, SERVICE = 0, 1, 2
KINDS = (PartitionKind.PRIMARY, PartitionKind.EL1, PartitionKind.EL0)
VCPU_COUNTS = (CPU_COUNT, 2, 1)
SECONDARY_START = 0x4000_2000
HVC, SMC = 0x16 << 26, 0x17 << 26
MINUS_1 = (1 << 64) - 1

Firmware = Callable[[list[int]], None]


def affinity(cpu: int) -> int:
    """MPIDR of a CPU: two clusters of two."""
    return cpu >> 1 << 8 | cpu & 1


def signed(value: int) -> int:
    """x0 as the number that a caller tests."""
    return value - (1 << 64) if value >> 63 else value


class Machine:
    """CPU 0 runs the primary's vCPU 0. `smcs` are the firmware's calls, x0 to x17 each."""

    def __init__(self, respond: Firmware | None = None, *, probe: bool = True) -> None:
        self.console = ""
        self.smcs: list[tuple[int, ...]] = []
        self.respond = respond or present
        self.session = Interpreter(
            PROGRAM,
            symbols={"secondary_start": SECONDARY_START},
            externs={"console_write": self._print, "firmware_call": self._firmware},
        )
        self.registers = self.session.registers
        self.registers["TPIDR_EL2"] = 0
        table = self.session.static("hypervisor.core.partition.PARTITIONS")
        self.vcpus = self.session.static("hypervisor.core.vcpu.VCPUS")
        self.cpus = self.session.static("hypervisor.core.cpu.CPUS")
        self.partitions = table.partitions
        table.count = len(KINDS)
        first = 0
        for index, (kind, count) in enumerate(zip(KINDS, VCPU_COUNTS, strict=True)):
            partition = self.partitions[index]
            partition.id, partition.kind, partition.index = PartitionId(index + 1), kind, index
            partition.first_vcpu, partition.vcpu_count = first, count
            for number in range(count):
                vcpu = self.vcpus[first + number]
                vcpu.partition, vcpu.partition_id, vcpu.kind, vcpu.index = partition, partition.id, kind, number
            first += count
        for cpu in range(CPU_COUNT):
            self.cpus[cpu].mpidr = affinity(cpu)
            self.cpus[cpu].primary = self.vcpus[cpu]
        self.run(self.vcpu(PRIMARY))
        if probe:
            self.session.call(firmware.probe)
        self.smcs.clear()

    def _print(self, text: tuple[int, int]) -> None:
        self.console += self.session.read(*text).decode()

    def _firmware(self, address: int) -> None:
        data = self.session.read(address, 18 * 8)
        values = [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]
        self.smcs.append(tuple(values))
        self.respond(values)
        self.session.write(address, b"".join(value.to_bytes(8, "little") for value in values))

    def vcpu(self, partition: int, index: int = 0) -> Any:
        """A vCPU of a partition."""
        return self.vcpus[self.partitions[partition].first_vcpu + index]

    def map_memory(self, partition: int, address: int, size_bytes: int) -> None:
        """Give a partition at EL1 its stage 2, with memory at one place."""
        memory = self.partitions[partition].memory
        self.session.call(pages.initialise)
        assert self.session.call(page_table.create, memory, Regime.STAGE_2, 0) is None
        arguments = (address, PhysAddr(address), size_bytes, Access.READ_WRITE_EXECUTE, Ownership.OWNED, 0)
        assert self.session.call(page_table.map_range, memory, *arguments) is None

    def run(self, vcpu: Any, cpu: int = 0) -> None:
        """Let a vCPU be the one that runs on a CPU, lent by the primary's vCPU there."""
        if vcpu.kind != PartitionKind.PRIMARY:
            self.vcpus[cpu].state = VcpuState.BLOCKED
        vcpu.state = VcpuState.RUNNING
        vcpu.successor = None
        self.cpus[cpu].current = vcpu
        self.registers["TPIDR_EL2"] = cpu

    def call(self, *values: int, conduit: int = SMC) -> tuple[int, ...]:
        """A call with the x0 to x7 given, the rest zero; x0 to x7 of who runs next."""
        self.registers["ESR_EL2"] = conduit
        result: Sequence[int] = self.session.call("handle_call", *values, *[0] * (8 - len(values)))
        return tuple(result)

    def fault(self, syndrome: int) -> tuple[int, ...]:
        """A synchronous exception that is no call."""
        self.registers["ESR_EL2"] = syndrome
        result: Sequence[int] = self.session.call("handle_exception", syndrome >> 26)
        return tuple(result)

    def result(self, *values: int, conduit: int = SMC) -> int:
        """x0 of a call, as a signed number."""
        return signed(self.call(*values, conduit=conduit)[0])

    @property
    def current(self) -> Any:
        """The vCPU that runs on the CPU at hand."""
        return self.cpus[self.registers["TPIDR_EL2"]].current.value


def present(registers: list[int]) -> None:
    """Firmware with PSCI 1.1 and SMCCC 1.2, which grants everything else."""
    versions = {0x8400_0000: 0x1_0001, 0x8000_0000: 0x1_0002}
    registers[0] = versions.get(registers[0], 0)


def absent(registers: list[int]) -> None:
    """No firmware."""
    registers[0] = MINUS_1


def answering(*codes: int) -> Firmware:
    """Firmware whose calls give these codes in x0, the last of them from then on."""
    left = list(codes)

    def respond(registers: list[int]) -> None:
        code = left.pop(0) if len(left) > 1 else left[0]
        registers[0] = code & MINUS_1

    return respond
