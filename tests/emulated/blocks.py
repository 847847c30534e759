"""Runs assembly blocks, or any code bytes, in Unicorn on a given state of registers and memory.

Unicorn has no EL2: blocks run at EL1, and every instruction that reaches beyond general state is replaced, before the
run, by an SVC whose hook does what the instruction would do to a simulated machine: MSR and MRS read and write a
dictionary of system registers, SYS instructions (TLBI, AT, DC, IC), MSR to PSTATE fields, WFI and WFE are recorded as
events, calls of other symbols run Python functions, ERET and BRK end the run. NZCV, FPCR and FPSR stay Unicorn's own.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

import unicorn
from unicorn import arm64_const as names

from compiler.asm import AssembledBlock, Relocation, RelocationType
from compiler.language.register_table import SystemEncoding, encoding_of, name_of

CODE_BASE = 0x40000000
RETURN_ADDRESS = 0x7FFF0000
STACK_TOP = 0x60010000
_STACK_BYTES = 0x10000
_SVC = 0xD4000001
_MASK = (1 << 64) - 1
_CONSTANTS = cast(dict[str, int], vars(names))
_NATIVE = {encoding_of(name) for name in ("NZCV", "FPCR", "FPSR")}


class BlockFault(AssertionError):
    """The code did what its state does not allow: an unmapped access, an unknown instruction, no end."""


@dataclass(slots=True)
class Machine:
    """The simulated state, before and after a run.

    `registers` has x0 to x30, sp, nzcv and q0 to q31, absent ones being zero; `memory` maps addresses to bytes, each
    region of which is mapped on its own pages; `system` has system registers by name; `events` lists
    instructions with an effect outside this state, with their operand: `tlbi vae2is 0x1234`.
    """

    registers: dict[str, int] = field(default_factory=dict[str, int])
    memory: dict[int, bytes] = field(default_factory=dict[int, bytes])
    system: dict[str, int] = field(default_factory=dict[str, int])
    events: list[str] = field(default_factory=list[str])
    ending: str = ""


Callee = Callable[[Machine], None]
"""Stands in for a called symbol or for SVC, HVC, SMC: changes the machine's registers and memory."""


class _Engine(Protocol):
    def mem_map(self, address: int, size: int) -> None: ...
    def mem_write(self, address: int, data: bytes) -> None: ...
    def mem_read(self, address: int, size: int) -> bytearray: ...
    def reg_write(self, register: int, value: int) -> None: ...
    def reg_read(self, register: int) -> int: ...
    def emu_start(self, begin: int, until: int, timeout: int = 0, count: int = 0) -> None: ...
    def emu_stop(self) -> None: ...
    def hook_add(self, kind: int, callback: Callable[..., object]) -> int: ...
    def ctl_set_cpu_model(self, model: int) -> None: ...


# Unicorn's package re-exports its names without declaring so.
_UNICORN = cast(dict[str, Callable[..., object]], vars(unicorn))
_UnicornError = cast(type[Exception], _UNICORN["UcError"])


def _new_engine() -> _Engine:
    engine = cast(_Engine, _UNICORN["Uc"](unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM))
    engine.ctl_set_cpu_model(_CONSTANTS["UC_CPU_ARM64_MAX"])
    return engine


def _number(name: str) -> int:
    """Unicorn's number of a register."""
    return _CONSTANTS[f"UC_ARM64_REG_{name.upper()}"]


_GENERAL = tuple(f"x{number}" for number in range(31))
_VECTOR = tuple(f"q{number}" for number in range(32))
_REGISTERS = {name: _number(name) for name in (*_GENERAL, *_VECTOR, "sp", "nzcv", "pc")}


class _Run:
    def __init__(self, code: bytes, machine: Machine, calls: Mapping[str, Callee]) -> None:
        self._code = bytearray(code)
        self._machine = machine
        self._calls = calls
        self._replaced: dict[int, tuple[int, str]] = {}
        self._fault: BaseException | None = None
        self._engine = _new_engine()

    def link(self, relocations: tuple[Relocation, ...], symbols: Mapping[str, int]) -> None:
        """Apply relocations: calls of symbols become hooks, addresses come from `symbols`."""
        for relocation in relocations:
            offset = relocation.offset
            if relocation.type in (RelocationType.CALL26, RelocationType.JUMP26):
                self._replace(offset, f"call {relocation.symbol}")
                continue
            base = symbols[relocation.symbol] if relocation.symbol else CODE_BASE
            self._relocate(relocation.type, offset, base + relocation.addend)

    def _relocate(self, kind: RelocationType, offset: int, address: int) -> None:
        word = self._word(offset)
        scale = {"LDST16": 1, "LDST32": 2, "LDST64": 3, "LDST128": 4}.get(kind.name.split("_")[0], 0)
        if kind is RelocationType.ABS64:
            struct.pack_into("<Q", self._code, offset, address)
        elif kind is RelocationType.ADR_PREL_PG_HI21:
            pages = (address >> 12) - ((CODE_BASE + offset) >> 12)
            self._set_word(offset, word | (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5)
        elif kind.name.endswith("LO12_NC"):
            self._set_word(offset, word | (address & 0xFFF) >> scale << 10)
        else:
            raise BlockFault(f"relocation {kind.name} at {offset:#x} is not supported here")

    def _word(self, offset: int) -> int:
        return int.from_bytes(self._code[offset : offset + 4], "little")

    def _set_word(self, offset: int, word: int) -> None:
        self._code[offset : offset + 4] = word.to_bytes(4, "little")

    def _replace(self, offset: int, action: str) -> None:
        self._replaced[CODE_BASE + offset] = (self._word(offset), action)
        self._set_word(offset, _SVC)

    def substitute(self, data_ranges: tuple[tuple[int, int], ...]) -> None:
        """Replace every instruction that Unicorn at EL1 would trap on or hide."""
        for offset in range(0, len(self._code) - 3, 4):
            if CODE_BASE + offset in self._replaced or any(low <= offset < high for low, high in data_ranges):
                continue
            word = self._word(offset)
            action = _action_of(word)
            if action:
                self._replace(offset, action)

    def execute(self, entry: int, limit: int) -> None:
        engine, machine = self._engine, self._machine
        size = -(-len(self._code) // 0x1000) * 0x1000
        engine.mem_map(CODE_BASE, max(size, 0x1000))
        engine.mem_write(CODE_BASE, bytes(self._code))
        engine.mem_map(STACK_TOP - _STACK_BYTES, _STACK_BYTES)
        self._map_memory()
        machine.registers.setdefault("sp", STACK_TOP)
        machine.registers.setdefault("x30", RETURN_ADDRESS)
        self._write_registers()
        engine.hook_add(unicorn.UC_HOOK_INTR, self._interrupt)
        try:
            engine.emu_start(CODE_BASE + entry, RETURN_ADDRESS, count=limit)
        except _UnicornError as error:
            raise BlockFault(f"{error} at offset {self._engine.reg_read(_REGISTERS['pc']) - CODE_BASE:#x}") from None
        if self._fault is not None:
            raise self._fault
        self._read_state()
        if not machine.ending:
            if engine.reg_read(_REGISTERS["pc"]) != RETURN_ADDRESS:
                raise BlockFault(f"no end within {limit} instructions")
            machine.ending = "ret"

    def _map_memory(self) -> None:
        pages = {page for address, data in self._machine.memory.items() for page in _pages(address, len(data))}
        for page in sorted(pages):
            self._engine.mem_map(page, 0x1000)
        for address, data in self._machine.memory.items():
            self._engine.mem_write(address, data)

    def _write_registers(self) -> None:
        for name, value in self._machine.registers.items():
            # Unicorn takes NZCV in PSTATE's place, bits 31 to 28.
            self._engine.reg_write(_REGISTERS[name], value << 28 if name == "nzcv" else value)

    def _read_state(self) -> None:
        machine = self._machine
        for name in (*_GENERAL, *_VECTOR, "sp"):
            machine.registers[name] = self._engine.reg_read(_REGISTERS[name])
        machine.registers["nzcv"] = self._engine.reg_read(_REGISTERS["nzcv"]) >> 28 & 15
        for address, data in machine.memory.items():
            machine.memory[address] = bytes(self._engine.mem_read(address, len(data)))

    def _interrupt(self, _engine: object, _number: int, _data: object) -> None:
        try:
            self._perform()
        except (AssertionError, LookupError, ValueError) as fault:
            self._fault = fault
            self._engine.emu_stop()

    def _perform(self) -> None:
        address = self._engine.reg_read(_REGISTERS["pc"])
        # SVC leaves PC after itself, BRK and undefined instructions at themselves.
        found = self._replaced.get(address - 4)
        if found is None:
            raise BlockFault(f"unexpected exception at offset {address - CODE_BASE:#x}")
        word, action = found
        if action == "system":
            self._system_access(word)
        elif action == "end":
            self._end(_describe_end(word))
        elif action.startswith("call "):
            self._call(action.removeprefix("call "), address, is_jump=not word >> 31)
        elif action in ("svc", "hvc", "smc"):
            self._call(action, address, is_jump=False)
        else:
            self._machine.events.append(action)

    def _end(self, ending: str) -> None:
        self._machine.ending = ending
        self._engine.emu_stop()

    def _call(self, name: str, following: int, *, is_jump: bool) -> None:
        callee = self._calls.get(name)
        if callee is None:
            self._end(name)
            return
        if not is_jump and name not in ("svc", "hvc", "smc"):
            self._engine.reg_write(_REGISTERS["x30"], following)
        self._read_state()
        callee(self._machine)
        self._write_registers()
        for address, data in self._machine.memory.items():
            self._engine.mem_write(address, data)
        if is_jump:
            self._engine.reg_write(_REGISTERS["pc"], self._machine.registers["x30"])

    def _system_access(self, word: int) -> None:
        encoding = SystemEncoding(word >> 19 & 3, word >> 16 & 7, word >> 12 & 15, word >> 8 & 15, word >> 5 & 7)
        transfer = word & 31
        value = self._engine.reg_read(_REGISTERS[f"x{transfer}"]) if transfer != 31 else 0
        name = name_of(encoding)
        if encoding.op0 == 1:
            operand = f" {value:#x}" if transfer != 31 else ""
            self._machine.events.append(name.lower() + operand)
        elif word >> 21 & 1:
            if name not in self._machine.system:
                raise BlockFault(f"{name} is read, but the machine has no value for it")
            if transfer != 31:
                self._engine.reg_write(_REGISTERS[f"x{transfer}"], self._machine.system[name] & _MASK)
        else:
            self._machine.system[name] = value


def _pages(address: int, size: int) -> range:
    return range(address & ~0xFFF, address + max(size, 1), 0x1000)


_PSTATE_NAMES = {(0, 5): "spsel", (3, 6): "daifset", (3, 7): "daifclr", (0, 4): "pan", (0, 3): "uao", (3, 2): "dit"}
_HALTS = {0xD503205F: "wfe", 0xD503207F: "wfi"}
_ERETS = {0xD69F03E0: "eret", 0xD69F0BFF: "eretaa", 0xD69F0FFF: "eretab"}


def _action_of(word: int) -> str:
    """What replaces a word: `system`, `end`, a conduit's name, the text of an event, or nothing."""
    if word in _HALTS:
        return _HALTS[word]
    if word in _ERETS or word & 0xFFE0001F == 0xD4200000 or word >> 16 == 0:
        return "end"
    if word & 0xFFE0001C == 0xD4000000 and word & 3:
        return ("svc", "hvc", "smc")[(word & 3) - 1]
    if word >> 22 != 0x354:
        return ""
    op0, op1, op2 = word >> 19 & 3, word >> 16 & 7, word >> 5 & 7
    if op0 == 0 and word >> 12 & 15 == 4 and (op1, op2) in _PSTATE_NAMES:
        return f"msr {_PSTATE_NAMES[op1, op2]} #{word >> 8 & 15}"
    if op0 == 0:
        return ""
    encoding = SystemEncoding(op0, op1, word >> 12 & 15, word >> 8 & 15, op2)
    return "" if encoding in _NATIVE else "system"


def _describe_end(word: int) -> str:
    if word in _ERETS:
        return _ERETS[word]
    return f"udf #{word:#x}" if word >> 16 == 0 else f"brk #{word >> 5 & 0xFFFF:#x}"


def run_code(
    code: bytes,
    machine: Machine,
    *,
    calls: Mapping[str, Callee] | None = None,
    entry: int = 0,
    limit: int = 100_000,
) -> Machine:
    """Run position-independent code from byte `entry` until it returns; `machine` becomes the state afterwards.

    Its `ending` is `ret`, `eret`, `brk #N`, or the name of a symbol or conduit without a stand-in in `calls`.
    Raises BlockFault.
    """
    run = _Run(code, machine, calls or {})
    run.substitute(())
    run.execute(entry, limit)
    return machine


def run_block(
    block: AssembledBlock,
    machine: Machine,
    *,
    calls: Mapping[str, Callee] | None = None,
    symbols: Mapping[str, int] | None = None,
    label: str = "",
    limit: int = 100_000,
) -> Machine:
    """Run a block, from its start or a label; `symbols` gives the addresses of symbols that it takes by ADRP or .quad.

    Otherwise as `run_code`.
    """
    run = _Run(block.code, machine, calls or {})
    run.link(block.relocations, symbols or {})
    run.substitute(block.data_ranges)
    run.execute(block.labels[label] if label else 0, limit)
    return machine
