"""Simulated system registers, and the record of what a program did to the system.

A register holds what was last written, 0 at first, unless a hook answers. Names are those of the register table, in
any case. `events` keeps the last writes, system instructions, barriers and hints in order, so that a test can ask
whether a TLBI was followed by a DSB. Register aliases of VHE are separate registers here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from compiler.host.faults import HostError
from compiler.language.register_table import SystemRegister, find_register, similar_names

ReadHook = Callable[[], int]
WriteHook = Callable[[int], None]

_EVENTS_KEPT = 65536
_MASK_64 = (1 << 64) - 1


@dataclass(frozen=True)
class SystemEvent:
    """One thing done: kind "msr", "tlbi", "at", "dc", "ic", "isb", "dsb", "dmb" or "hint"; what; and its operand."""

    kind: str
    name: str
    value: int | None = None


def new_record() -> deque[SystemEvent]:
    """An empty record of events."""
    return deque(maxlen=_EVENTS_KEPT)


class Registers(Protocol):
    """What every engine's registers offer."""

    events: deque[SystemEvent]

    def __getitem__(self, name: str) -> int:
        """A register's value."""
        ...

    def __setitem__(self, name: str, value: int) -> None:
        """Give a register a value, without its hook."""
        ...

    def on_read(self, name: str, hook: ReadHook) -> None:
        """Let `hook()` give the value of every MRS."""
        ...

    def on_write(self, name: str, hook: WriteHook) -> None:
        """Call `hook(value)` on every MSR, after the register took the value."""
        ...


class SystemRegisters:
    """Register values by name, with hooks, and the record of events."""

    def __init__(self) -> None:
        self._values: dict[str, int] = {}
        self._read_hooks: dict[str, ReadHook] = {}
        self._write_hooks: dict[str, WriteHook] = {}
        self.events = new_record()

    def __getitem__(self, name: str) -> int:
        return self._values.get(canonical(name), 0)

    def __setitem__(self, name: str, value: int) -> None:
        self._values[canonical(name)] = value & _MASK_64

    def on_read(self, name: str, hook: ReadHook) -> None:
        """Let `hook()` give the value of every MRS."""
        self._read_hooks[canonical(name)] = hook

    def on_write(self, name: str, hook: WriteHook) -> None:
        """Call `hook(value)` on every MSR, after the register took the value."""
        self._write_hooks[canonical(name)] = hook

    def read(self, name: str) -> int:
        """What MRS gives."""
        hook = self._read_hooks.get(name)
        if hook is not None:
            return hook() & _MASK_64
        return self._values.get(name, 0)

    def write(self, name: str, value: int) -> None:
        """What MSR does."""
        if not _register(name).writable:
            raise HostError(f"write of the read-only register {name}")
        self._values[name] = value
        self.events.append(SystemEvent("msr", name, value))
        hook = self._write_hooks.get(name)
        if hook is not None:
            hook(value)

    def system(self, instruction: str, operation: str, value: int | None) -> None:
        """Record a TLBI, AT, DC or IC."""
        self.events.append(SystemEvent(instruction, operation, value))

    def barrier(self, instruction: str, option: str) -> None:
        """Record a barrier."""
        self.events.append(SystemEvent(instruction, option))

    def hint(self, name: str) -> None:
        """Record a hint."""
        self.events.append(SystemEvent("hint", name))


@cache
def _register(name: str) -> SystemRegister:
    register = find_register(name)
    if register is None:
        raise HostError(f"no system register {name!r} is known; did you mean {', '.join(similar_names(name))}?")
    return register


def canonical(name: str) -> str:
    """A register's name as the register table spells it; HostError when there is none."""
    return _register(name).name
