"""A program compiled for AArch64 and run in Unicorn, behind the same API as the host's sessions.

Arguments and results travel by AAPCS64 as compiled code expects them. A `brk` is a trap of the program's table; system
registers are simulated by hooks, since Unicorn has no EL2; barriers and hints leave no record. Static objects that the
optimiser removed cannot be asked for (`has_static`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from compiler.driver.stages import assemble_blocks
from compiler.host.faults import HostError, HostFault, TrapError
from compiler.host.memory import Device
from compiler.host.native import flattened, shaped
from compiler.host.registers import SystemRegisters
from compiler.host.session import Session
from compiler.language.register_table import SystemEncoding, name_of
from compiler.link import LinkedImage, link, load_script
from compiler.link.elf import PF_W
from compiler.lower import TargetOptions, TrapTable, lower
from compiler.program.program import Function, Program
from compiler.program.types import Bool, Int, ValueType, leaves
from tests.emulated import unicorn_api as uc

PAGE = 0x1000
IMAGE_BASE = 0x60_0000_0000
HELPERS_BASE = IMAGE_BASE - 0x10000  # within reach of a BL
RETURN_ADDRESS = HELPERS_BASE + 0x8000
STACK_BASE = 0x62_0000_0000
STACK_SIZE = 1 << 20
HEAP_BASE = 0x63_0000_0000
HEAP_SIZE = 1 << 24

_SCRIPT = Path(__file__).parents[2] / "linker_scripts" / "program.ld"
_MEMORY_FUNCTIONS = ("memcpy", "memmove", "memset")
_RET = 0xD65F03C0
_BRK_MASK, _BRK = 0xFFE0001F, 0xD4200000
_MASK_64 = (1 << 64) - 1
_REGISTER_ARGUMENTS = 8


class Emulated(Session):
    """A program in Unicorn. `symbols` and `externs` are as for the Interpreter; `options` says how it is compiled."""

    def __init__(
        self,
        program: Program,
        options: TargetOptions,
        *,
        symbols: Mapping[str, int] | None = None,
        externs: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        lowered = lower(program, options)
        self._traps: TrapTable = lowered.traps
        self._externs = {
            item.symbol: (item, (externs or {}).get(item.symbol)) for item in program.functions if item.extern
        }
        helpers = [name for name in _MEMORY_FUNCTIONS if name not in {item.symbol for item in program.functions}]
        self._helpers = {HELPERS_BASE + 4 * index: name for index, name in enumerate([*helpers, *self._externs])}
        self.image = self._link(program, [("program.o", lowered.object), *assemble_blocks(program)], symbols or {})
        self._addresses = {symbol.name: symbol.address for symbol in self.image.all_symbols} | dict(symbols or {})
        self._cpu = uc.new_cpu()
        self._memory = EmulatedMemory(self._cpu)
        self._registers = SystemRegisters()
        self._heap_top = HEAP_BASE
        self._stopped: Exception | None = None
        self._load()
        self._install_hooks()
        super().__init__(program)

    def _link(self, program: Program, objects: Sequence[tuple[str, bytes]], symbols: Mapping[str, int]) -> LinkedImage:
        constants = {"PROGRAM_BASE": IMAGE_BASE, "STACK_SIZE": 0} | {name: at for at, name in self._helpers.items()}
        entries = [function.symbol for function in program.entries]
        return link(objects, load_script(_SCRIPT), symbols=constants | dict(symbols), entry=entries[0], keep=entries)

    def _load(self) -> None:
        for segment in self.image.segments:
            base = segment.virtual_address & -PAGE
            end = (segment.virtual_address + segment.memory_size + PAGE - 1) & -PAGE
            if end > base:
                self._memory.map(base, end - base)
                self._memory.write(segment.virtual_address, segment.data)
        self._memory.map(HELPERS_BASE, PAGE, _RET.to_bytes(4, "little") * len(self._helpers))
        self._memory.map(RETURN_ADDRESS, PAGE)
        self._memory.map(STACK_BASE, STACK_SIZE)
        self._memory.map(HEAP_BASE, HEAP_SIZE)

    @property
    def memory(self) -> EmulatedMemory:
        """The emulated machine's memory."""
        return self._memory

    @property
    def registers(self) -> SystemRegisters:
        """The simulated system registers; `events` has register writes and SYS instructions."""
        return self._registers

    def static_address(self, symbol: str) -> int:
        if symbol not in self._addresses:
            raise HostError(f"{symbol!r} is not in the image")
        return self._addresses[symbol]

    def has_static(self, symbol: str) -> bool:
        return symbol in self._addresses

    def reset_statics(self) -> None:
        """Give all writable memory of the image its initial contents: the optimiser may have split static objects."""
        for segment in self.image.segments:
            if segment.flags & PF_W:
                rest = segment.memory_size - len(segment.data)
                self._memory.write(segment.virtual_address, segment.data + bytes(rest))

    def allocate(self, size: int, align: int) -> int:
        address = (self._heap_top + align - 1) & -align
        if address + size > HEAP_BASE + HEAP_SIZE:
            raise HostError(f"the heap of host-made objects ({HEAP_SIZE} bytes) is full")
        self._heap_top = address + size
        return address

    def allocation_mark(self) -> int:
        return self._heap_top

    def release(self, mark: int) -> None:
        self._heap_top = mark

    def invoke(self, function: Function, arguments: Sequence[Any]) -> Any:
        words = flattened(arguments)
        on_stack = words[_REGISTER_ARGUMENTS:]
        stack = (STACK_BASE + STACK_SIZE - 8 * len(on_stack)) & -16
        for index, word in enumerate(words[:_REGISTER_ARGUMENTS]):
            self._cpu.reg_write(uc.X0 + index, word)
        if on_stack:
            self._memory.write(stack, b"".join(word.to_bytes(8, "little") for word in on_stack))
        self._cpu.reg_write(uc.SP, stack)
        self._cpu.reg_write(uc.LR, RETURN_ADDRESS)
        self._run(self.static_address(function.symbol))
        kinds = leaves(function.result)
        scalars = [_decoded(kind, self._cpu.reg_read(uc.X0 + index)) for index, kind in enumerate(kinds)]
        return shaped(function.result, iter(scalars))

    def _run(self, address: int) -> None:
        self._stopped = None
        try:
            self._cpu.emu_start(address, RETURN_ADDRESS)
        except uc.Error as error:
            if self._stopped is None:
                raise HostFault(self._cpu.reg_read(uc.PC), f"Unicorn stopped: {error}") from error
        if self._stopped is not None:
            raise self._stopped

    def _stop(self, reason: Exception) -> None:
        self._stopped = reason
        self._cpu.emu_stop()

    def _install_hooks(self) -> None:
        cpu = self._cpu
        cpu.hook_add(uc.HOOK_INTR, self._on_exception)
        cpu.hook_add(uc.HOOK_MEM_INVALID, self._on_bad_access)
        end = HELPERS_BASE + 4 * len(self._helpers) - 1
        cpu.hook_add(uc.HOOK_CODE, self._on_helper, None, HELPERS_BASE, end)
        cpu.hook_add(uc.HOOK_INSN, self._on_mrs, None, 1, 0, uc.INS_MRS)
        cpu.hook_add(uc.HOOK_INSN, self._on_msr, None, 1, 0, uc.INS_MSR)
        cpu.hook_add(uc.HOOK_INSN, self._on_sys, None, 1, 0, uc.INS_SYS)

    def _on_exception(self, cpu: Any, _number: int, _data: object) -> None:
        at = cpu.reg_read(uc.PC)
        word = int.from_bytes(cpu.mem_read(at, 4), "little")
        number = word >> 5 & 0xFFFF
        if word & _BRK_MASK == _BRK and number in self._traps.sites:
            site = self._traps.sites[number]
            self._stop(TrapError(site.kind, site.span, site.message))
        else:
            self._stop(HostFault(at, f"exception at instruction {word:#010x}"))

    def _on_bad_access(self, _cpu: Any, _kind: int, address: int, size: int, _value: int, _data: object) -> bool:
        self._stop(HostFault(address, f"access of {size} bytes to unmapped memory"))
        return False

    def _on_helper(self, cpu: Any, address: int, _size: int, _data: object) -> None:
        name = self._helpers[address]
        x0, x1, x2 = (cpu.reg_read(uc.X0 + index) for index in range(3))
        if name == "memset":
            self._memory.write(x0, bytes((x1 & 0xFF,)) * x2)
        elif name in _MEMORY_FUNCTIONS:
            self._memory.write(x0, self._memory.read(x1, x2))
        else:
            self._call_extern(name)

    def _call_extern(self, name: str) -> None:
        function, model = self._externs[name]
        if model is None:
            self._stop(
                HostError(f"the extern function {name} has no host model; give one as externs={{{name!r}: ...}}")
            )
            return
        kinds = [leaf for parameter in function.parameters for leaf in leaves(parameter.type)]
        result = model(*(_decoded(kind, self._cpu.reg_read(uc.X0 + index)) for index, kind in enumerate(kinds)))
        for index, word in enumerate(flattened(() if result is None else (result,))):
            self._cpu.reg_write(uc.X0 + index, word)

    def _on_mrs(self, cpu: Any, register: int, encoding: Any, _data: object) -> bool:
        cpu.reg_write(register, self._registers.read(_name(encoding)))
        return self._skipped()

    def _on_msr(self, _cpu: Any, _register: int, encoding: Any, _data: object) -> bool:
        self._registers.write(_name(encoding), encoding.val)
        return self._skipped()

    def _on_sys(self, _cpu: Any, register: int, encoding: Any, _data: object) -> bool:
        kind, _, operation = _name(encoding).lower().partition(" ")
        self._registers.system(kind, operation, None if register == uc.XZR else encoding.val)
        return self._skipped()

    def _skipped(self) -> bool:
        """Go on after an instruction that a hook has done; Unicorn would not where EL1 may not execute it."""
        self._cpu.reg_write(uc.PC, self._cpu.reg_read(uc.PC) + 4)
        return True


class EmulatedMemory:
    """Unicorn's memory, in whole pages."""

    def __init__(self, cpu: Any) -> None:
        self._cpu = cpu

    def map(self, address: int, size: int, data: bytes = b"") -> None:
        """Map the pages of `size` bytes at `address`."""
        base = address & -PAGE
        self._cpu.mem_map(base, (address + size - base + PAGE - 1) & -PAGE)
        self.write(address, data)

    def device(self, base: int, size: int, model: Device) -> None:
        """Let `model` answer the accesses to the pages of `size` bytes at `base`, a multiple of 4096."""

        def read(_cpu: Any, offset: int, width: int, _data: object) -> int:
            return model.read(offset, width) & ((1 << 8 * width) - 1)

        def write(_cpu: Any, offset: int, width: int, value: int, _data: object) -> None:
            model.write(offset, width, value)

        self._cpu.mmio_map(base, (size + PAGE - 1) & -PAGE, read, None, write, None)

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes."""
        try:
            return bytes(self._cpu.mem_read(address, size)) if size else b""
        except uc.Error as error:
            raise HostFault(address, f"access of {size} bytes to unmapped memory") from error

    def write(self, address: int, data: bytes) -> None:
        """Replace len(data) bytes."""
        try:
            if data:
                self._cpu.mem_write(address, data)
        except uc.Error as error:
            raise HostFault(address, f"access of {len(data)} bytes to unmapped memory") from error


def _name(encoding: Any) -> str:
    return name_of(SystemEncoding(encoding.op0, encoding.op1, encoding.crn, encoding.crm, encoding.op2))


def _decoded(kind: ValueType, word: int) -> int:
    match kind:
        case Int(bits, signed):
            value = word & ((1 << bits) - 1)
            return value - (1 << bits) if signed and value >> (bits - 1) else value
        case Bool():
            return word & 1
        case _:
            return word
