"""Typed access to AArch64 system registers, system instructions and barriers.

A register is a `Bits` class named as the register is; its encoding comes from the register table by that name.
`HCR_EL2.read().E2H`, `HCR_EL2.write(HCR_EL2.E2H | HCR_EL2.RW)`, `HCR_EL2.modify(TGE=1)`.
"""

from __future__ import annotations

from typing import Any, TypeVar

from compiler.language.bitfields import Bits
from compiler.language.errors import only_in_function

R = TypeVar("R", bound="SystemRegister")


class SystemRegister(Bits):
    """Base of the register classes; `register=` names the table entry where the class has another name."""

    register: str = ""

    def __init_subclass__(cls, register: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.register = register or cls.__name__

    @classmethod
    def read(cls: type[R]) -> R:
        """The register's value."""
        raise only_in_function(f"{cls.__name__}.read")

    @classmethod
    def write(cls, value: int | SystemRegister) -> None:
        """Write the whole register."""
        raise only_in_function(f"{cls.__name__}.write", value)

    @classmethod
    def modify(cls, **fields: int) -> None:
        """Read, replace the named fields, write."""
        raise only_in_function(f"{cls.__name__}.modify", fields)


def isb() -> None:
    """Instruction synchronisation barrier."""
    raise only_in_function("isb")


def dsb(option: str) -> None:
    """Data synchronisation barrier; `option` is a literal: sy, ish, ishst, ishld, nsh, nshst, nshld, osh, st, ld."""
    raise only_in_function("dsb", option)


def dmb(option: str) -> None:
    """Data memory barrier; options as for `dsb`."""
    raise only_in_function("dmb", option)


def tlbi(operation: str, value: int = 0) -> None:
    """TLB invalidation; `operation` is a literal such as "vae2is"; `value` where the form takes a register."""
    raise only_in_function("tlbi", operation, value)


def at(operation: str, address: int) -> None:
    """Address translation; the result is in PAR_EL1 after an `isb`."""
    raise only_in_function("at", operation, address)


def dc(operation: str, address: int) -> None:
    """Data cache maintenance by address (or set/way)."""
    raise only_in_function("dc", operation, address)


def ic(operation: str, address: int = 0) -> None:
    """Instruction cache maintenance."""
    raise only_in_function("ic", operation, address)


def wfi() -> None:
    """Wait for interrupt."""
    raise only_in_function("wfi")


def wfe() -> None:
    """Wait for event."""
    raise only_in_function("wfe")


def sev() -> None:
    """Send event to all CPUs."""
    raise only_in_function("sev")


def spin_hint() -> None:
    """The `yield` hint of a busy loop."""
    raise only_in_function("spin_hint")
