"""The native back end: a program as machine code of this computer, for fuzzing, property tests and model checking.

Addresses are this process's. Calls through `call` marshal as every session does; `call_many` takes and gives plain
integers and loops in native code.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from compiler.host.faults import HostError, TrapError
from compiler.host.native_memory import NativeMemory
from compiler.host.registers import ReadHook, SystemEvent, WriteHook, canonical, new_record
from compiler.host.session import Session
from compiler.language.register_table import find_instruction
from compiler.lower.jit import HostModule, HostTrap, lower_for_host
from compiler.lower.options import HostOptions, Optimisation
from compiler.lower.traps import TrapTable
from compiler.program.program import Function, Program
from compiler.program.types import Bool, Tuple, ValueType, Void

HEAP_SIZE = 1 << 26
_MASK_64 = (1 << 64) - 1
_BARRIERS = ("isb", "dsb", "dmb")


@dataclass(frozen=True)
class Calls:
    """What many calls gave: `results` has `width` words for each call, in `traps` is 0 or the trap that ended it."""

    results: array[int]
    width: int
    traps: array[int]
    table: TrapTable

    def __len__(self) -> int:
        return len(self.traps)

    def trap(self, index: int) -> TrapError | None:
        """The trap that ended a call, or None."""
        number = self.traps[index]
        if not number:
            return None
        site = self.table.sites[number]
        return TrapError(site.kind, site.span, site.message)

    def words(self, index: int) -> array[int]:
        """The result words of a call."""
        return self.results[index * self.width : (index + 1) * self.width]


class Native(Session):
    """A program as native code.

    `coverage` records which lines ran (see `lines`). `record_events` fills `registers.events`, which costs a callback
    for each system operation. `symbols` and `externs` are as for the Interpreter.
    """

    def __init__(
        self,
        program: Program,
        *,
        optimisation: Optimisation = Optimisation.SPEED,
        coverage: bool = False,
        record_events: bool = True,
        symbols: Mapping[str, int] | None = None,
        externs: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        self._module = lower_for_host(program, HostOptions(optimisation=optimisation, coverage=coverage))
        self._memory = NativeMemory()
        self._heap = self._heap_top = self._memory.reserve(HEAP_SIZE)
        self._registers = NativeRegisters(self._module, record_events)
        self._symbols = dict(symbols or {})
        for name, value in self._symbols.items():
            self._module.set_linker_symbol(name, value)
        for symbol, model in (externs or {}).items():
            self._module.on_extern(symbol, model)
        self._module.on_device(self._memory.load, self._memory.store)
        for item in program.statics:
            if item.size:
                self._memory.know(self._module.address_of(item.symbol), item.size)
        super().__init__(program)

    @property
    def memory(self) -> NativeMemory:
        """The part of this process's memory that the program may use."""
        return self._memory

    @property
    def registers(self) -> NativeRegisters:
        """The simulated system registers, and the record of system events."""
        return self._registers

    def static_address(self, symbol: str) -> int:
        if symbol in self._symbols:
            return self._symbols[symbol]
        return self._module.address_of(symbol)

    def allocate(self, size: int, align: int) -> int:
        address = (self._heap_top + align - 1) & -align
        if address + size > self._heap + HEAP_SIZE:
            raise HostError(f"the heap of host-made objects ({HEAP_SIZE} bytes) is full")
        self._heap_top = address + size
        return address

    def allocation_mark(self) -> int:
        return self._heap_top

    def release(self, mark: int) -> None:
        self._heap_top = mark

    def invoke(self, function: Function, arguments: Sequence[Any]) -> Any:
        entry = self._module.entry(function.symbol)
        try:
            scalars = entry.call(*flattened(arguments))
        except HostTrap as trap:
            raise TrapError(trap.site.kind, trap.site.span, trap.site.message) from None
        return shaped(function.result, iter(scalars))

    def call_many(self, which: str | Callable[..., Any], rows: Iterable[Sequence[int]]) -> Calls:
        """Call a function once for each row of scalar arguments, looping in native code.

        A row holds the flattened scalars of the parameters. See `Calls` for what comes back; a buffer of words
        (`call_words`) is faster still.
        """
        given = list(rows)
        flat = [scalar & _MASK_64 for row in given for scalar in row]
        return self.call_words(which, array("Q", flat), len(given))

    def call_words(self, which: str | Callable[..., Any], words: array[int], count: int) -> Calls:
        """`call_many` with the argument scalars of all calls in one array of u64."""
        entry = self._module.entry(self.function(which).symbol)
        batch = entry.call_many(words, count)
        return Calls(batch.results, len(entry.results), batch.traps, self._module.traps)

    def lines(self) -> Mapping[tuple[str, int], bool]:
        """(file, line) -> whether it ran, for each line with code; empty without `coverage`."""
        return self._module.coverage()

    def clear_lines(self) -> None:
        """Forget which lines ran."""
        self._module.clear_coverage()

    def close(self) -> None:
        """Give the mapped memory back. The session cannot be used afterwards."""
        self._memory.close()


class NativeRegisters:
    """The registers that the program names live in native memory; others are kept here so that they can be set."""

    def __init__(self, module: HostModule, record_events: bool) -> None:
        self.events = new_record()
        self._native = module.registers
        self._others: dict[str, int] = {}
        self._write_hooks: dict[str, WriteHook] = {}
        if record_events:
            module.on_system(self._record)
            for name in self._native.names():
                self._native.on_write(name, partial(self._written, name))

    def __getitem__(self, name: str) -> int:
        known = canonical(name)
        return self._native[known] if known in self._native else self._others.get(known, 0)

    def __setitem__(self, name: str, value: int) -> None:
        known = canonical(name)
        if known in self._native:
            self._native[known] = value
        else:
            self._others[known] = value & _MASK_64

    def on_read(self, name: str, hook: ReadHook) -> None:
        """Let `hook()` give the value of every MRS."""
        known = canonical(name)
        if known in self._native:
            self._native.on_read(known, hook)

    def on_write(self, name: str, hook: WriteHook) -> None:
        """Call `hook(value)` on every MSR, after the register took the value."""
        known = canonical(name)
        self._write_hooks[known] = hook
        if known in self._native:
            self._native.on_write(known, partial(self._written, known))

    def _written(self, name: str, value: int) -> None:
        self.events.append(SystemEvent("msr", name, value))
        hook = self._write_hooks.get(name)
        if hook is not None:
            hook(value)

    def _record(self, text: str, value: int) -> None:
        kind, _, operation = text.partition(" ")
        if not operation:
            self.events.append(SystemEvent("isb", "sy") if kind == "isb" else SystemEvent("hint", kind))
        elif kind in _BARRIERS:
            self.events.append(SystemEvent(kind, operation))
        else:
            instruction = find_instruction(kind, operation)
            takes_value = instruction is None or instruction.takes_register
            self.events.append(SystemEvent(kind, operation, value if takes_value else None))


def flattened(values: Sequence[Any]) -> list[int]:
    """The words of raw values, tuples element by element."""
    flat: list[int] = []
    for value in values:
        if isinstance(value, tuple):
            flat += flattened(cast(Any, value))
        else:
            flat.append(int(value) & _MASK_64)
    return flat


def shaped(kind: ValueType, scalars: Iterator[int]) -> Any:
    """The raw value of a type, from its scalars."""
    match kind:
        case Void():
            return None
        case Tuple(elements):
            return tuple([shaped(element, scalars) for element in elements])
        case Bool():
            return bool(next(scalars))
        case _:
            return next(scalars)
