"""A hypervisor on the host with a primary, guests at EL1 and partitions at EL0; exceptions as the vectors serve them.

The vCPU that runs on the selected CPU calls. x0 to x7 of what runs are kept for each CPU, as the real registers would;
the rest of a vCPU's registers are in its context, where the vectors save x8 to x17 before a handler runs.

Partition n has 2 MiB at `ram(n)`: a guest at EL1 may do everything there, a partition at EL0 has code, constants, data
and a device. Without E2H (`mode`) partitions at EL0 have stage 2 instead of stage 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from compiler.check import check_program
from compiler.host import Interpreter
from compiler.language import PhysAddr
from compiler.language import types as t
from hypervisor import dispatch
from hypervisor.arch.aarch64 import exceptions, short_calls
from hypervisor.core.cpu import CPU_COUNT_MAX
from hypervisor.core.partition import PartitionId, PartitionKind
from hypervisor.core.vcpu import RECEIVES_REQUESTS, SENDS_REQUESTS, VERSION_OPEN, VcpuState, enter_in_table
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.protocol import OWN_VERSION
from hypervisor.memory import exact_map, page_table, pages
from hypervisor.memory.descriptors import Access, Ownership, Regime
from hypervisor.memory.pages import PAGE_SIZE

ENTRIES: list[Callable[..., object]] = [
    dispatch.handle_call,
    exceptions.handle_exception,
    pages.initialise,
    pages.allocate,
    page_table.create,
    page_table.map_range,
    page_table.query,
    page_table.change_ownership,
    exact_map.map_buffer,
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

Uuid = tuple[int, int]
"""Bytes 0 to 7 and 8 to 15, little-endian."""
PRIMARY_METHODS = 0x406
"""Sends requests of both kinds, and indirect messages."""
SERVICES: tuple[list[tuple[Uuid, int]], ...] = (
    [],
    [((0x1111_1111_1111_1111, 0x2222_2222_2222_2222), 0x007)],
    [((0x3333_3333_3333_3333, 0x4444_4444_4444_4444), 0x607)],
    [((0x5555_5555_5555_5555, 0x6666_6666_6666_6666), 0x001), ((0x7777_7777_7777_7777, 0x8888_8888_8888_8888), 0x200)],
    [((0x9999_9999_9999_9999, 0xAAAA_AAAA_AAAA_AAAA), 0x003)],
)
"""UUIDs and messaging methods of each partition's services."""
NIL: Uuid = (0, 0)
IMAGES: tuple[Uuid, ...] = (NIL, NIL, NIL, (0xBBBB_BBBB_BBBB_BBBB, 0xCCCC_CCCC_CCCC_CCCC), NIL)

RAM_SIZE = 2 << 20
CODE, CONSTANTS, DATA, DEVICE, UNMAPPED = (number * PAGE_SIZE for number in (0, 16, 32, 64, 68))
"""What a partition at EL0 has where in its RAM: 16, 16, 32 and 4 pages, and then nothing."""
EL0_LAYOUT = (
    (CODE, CONSTANTS, Access.READ_EXECUTE),
    (CONSTANTS, DATA, Access.READ_ONLY),
    (DATA, DEVICE, Access.READ_WRITE),
    (DEVICE, UNMAPPED, Access.DEVICE),
)
TX, RX = DATA, DATA + PAGE_SIZE
"""Where `map_buffers` puts them."""

ERROR = Function.ERROR.value
SUCCESS = Function.SUCCESS.value
MASK_32 = 0xFFFF_FFFF
INTERRUPT = exceptions.INTERRUPT
LOWER_SYNCHRONOUS = 0
REGISTER_COUNT = 8
TICKETS_SIZE = 8
"""A TicketLock."""
EXTENDED = range(8, 18)
"""x8 to x17, which some calls use beyond x0 to x7."""


class Machine:
    """CPUs and partitions; on every CPU the primary runs, CPU 0 is selected. `console` is what was printed."""

    def __init__(self, mode: Regime = Regime.EL0_HOST) -> None:
        self.console = ""
        self.mode = mode
        self.session = Interpreter(PROGRAM, externs={"console_write": self._print})
        table = self.session.static("hypervisor.core.partition.PARTITIONS")
        self.partitions = table.partitions
        self.vcpus = self.session.static("hypervisor.core.vcpu.VCPUS")
        self.cpus = self.session.static("hypervisor.core.cpu.CPUS")
        self.registers = [[0] * REGISTER_COUNT for _ in self.cpus]
        self.session.call(pages.initialise)
        self.hypervisor = self.session.static("hypervisor.memory.exact_map.HYPERVISOR")
        own = Regime.EL2_HOST if mode is Regime.EL0_HOST else Regime.EL2
        assert self.session.call(page_table.create, self.hypervisor, own, 0) is None
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
        self._map(index, partition)
        self._name_services(index)
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

    def _name_services(self, index: int) -> None:
        endpoint = self.endpoint(index)
        endpoint.receives_notifications = index != OTHER
        endpoint.methods = PRIMARY_METHODS
        endpoint.service_count = len(SERVICES[index])
        for number, (uuid, methods) in enumerate(SERVICES[index]):
            service = endpoint.services[number]
            service.methods = methods
            service.uuid[0], service.uuid[1] = uuid
            endpoint.methods = methods | (endpoint.methods if number else 0)
        endpoint.image_uuid[0], endpoint.image_uuid[1] = IMAGES[index]

    def _map(self, index: int, partition: Any) -> None:
        is_el0 = KINDS[index] is PartitionKind.EL0
        regime = self.mode if is_el0 else Regime.STAGE_2
        assert self.session.call(page_table.create, partition.memory, regime, 0) is None
        for start, end, access in EL0_LAYOUT if is_el0 else ((0, RAM_SIZE, Access.READ_WRITE_EXECUTE),):
            arguments = (ram(index) + start, PhysAddr(ram(index) + start), end - start, access, Ownership.OWNED, 0)
            assert self.session.call(page_table.map_range, partition.memory, *arguments) is None
        self.session.memory.map(ram(index), UNMAPPED)

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
            self.set_extended(extended)
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

    def map_buffers(self) -> None:
        """Let the partition that runs map its buffers at TX and RX."""
        base = ram(self.running())
        assert self.call(Function.RXTX_MAP_64.value, base + TX, base + RX, 1) == success()

    def snapshot(self) -> dict[str, bytes]:
        """All that the hypervisor keeps, and the partitions' memory; tickets of locks left out."""
        state = {
            item.symbol: _without_tickets(
                item.type, self.session.read(self.session.static_address(item.symbol), item.size)
            )
            for item in PROGRAM.statics
            if item.mutable
        }
        for index in range(len(KINDS)):
            state[NAMES[index]] = self.session.read(ram(index), UNMAPPED)
        return state

    def refuses(self, code: FfaError, *registers: int, extended: Sequence[int] | None = None) -> None:
        """Assert that a call is answered with an error, and that nothing has changed by it.

        The caller has to have made some call before, which makes its version final.
        """
        if extended is not None:
            self.set_extended(extended)
        before = self.snapshot()
        assert self.call(*registers) == error(code)
        after = self.snapshot()
        assert [name for name in before if before[name] != after[name]] == []

    def set_extended(self, values: Sequence[int]) -> None:
        """Put values in x8 and the following of the vCPU that runs."""
        for number, value in enumerate(values):
            self.current.context.x[EXTENDED.start + number] = value

    @property
    def current(self) -> Any:
        """The vCPU that runs on the selected CPU."""
        return self.cpus[self.cpu].current.value

    def endpoint(self, partition: int) -> Any:
        """FF-A state of a partition."""
        return self.session.static("hypervisor.ffa.endpoint.ENDPOINTS")[partition]

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
        return tuple(self.current.context.x[number] for number in EXTENDED)


def ram(index: int) -> int:
    """Where the memory of a partition begins, for itself and physically."""
    return 0x8000_0000 + index * RAM_SIZE


def _without_tickets(kind: t.Type, data: bytes) -> bytes:
    """The bytes of an object, with the tickets of its locks zero: they count up whenever a lock is taken."""
    result = bytearray(data)
    for offset in _ticket_offsets(kind):
        result[offset : offset + TICKETS_SIZE] = bytes(TICKETS_SIZE)
    return bytes(result)


@cache
def _ticket_offsets(kind: t.Type) -> list[int]:
    if isinstance(kind, t.ArrayType):
        inner = _ticket_offsets(kind.element)
        return [number * kind.element.size + offset for number in range(kind.count if inner else 0) for offset in inner]
    if not isinstance(kind, t.StructType):
        return []
    if "next_ticket" in kind.fields:
        return [kind.fields["next_ticket"].offset]
    return [field.offset + offset for field in kind.fields.values() for offset in _ticket_offsets(field.type)]


def error(code: FfaError) -> tuple[int, ...]:
    """The registers of FFA_ERROR."""
    return (ERROR, 0, code.value & MASK_32, 0, 0, 0, 0, 0)


def success(value: int = 0) -> tuple[int, ...]:
    """The registers of FFA_SUCCESS."""
    return (SUCCESS, 0, value, 0, 0, 0, 0, 0)


def target(partition: int, number: int = 0) -> int:
    """w1 of a call that names a vCPU."""
    return (partition + 1) << 16 | number
