"""Memory-mapped device registers with declared widths and access kinds; every access is volatile and exactly one.

`class Pl011(MmioBlock): DR = mmio_rw(u32, 0x00); FR = mmio_ro(u32, 0x18)`, then `Pl011.at(base).FR.read()`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from compiler.language.addresses import VirtAddr
from compiler.language.errors import BuildError, only_in_function

T = TypeVar("T", bound=int)
M = TypeVar("M", bound="MmioBlock")


class MmioRegister(Generic[T]):
    """Common part: width and offset, and `[index]` for a register that repeats `count` times."""

    readable: ClassVar[bool] = True
    writable: ClassVar[bool] = True

    def __init__(self, width: type[T], offset: int, count: int = 1, stride: int = 0) -> None:
        self.width = width
        self.offset = offset
        self.count = count
        self.stride = stride


class ReadOnly(MmioRegister[T]):
    """A register that may only be read."""

    writable = False

    def read(self) -> T:
        """One load."""
        raise only_in_function("read")

    def __getitem__(self, index: int) -> ReadOnly[T]:
        raise only_in_function("[]", index)


class WriteOnly(MmioRegister[T]):
    """A register that may only be written."""

    readable = False

    def write(self, value: T) -> None:
        """One store."""
        raise only_in_function("write", value)

    def __getitem__(self, index: int) -> WriteOnly[T]:
        raise only_in_function("[]", index)


class ReadWrite(MmioRegister[T]):
    """A register that may be read and written."""

    def read(self) -> T:
        """One load."""
        raise only_in_function("read")

    def write(self, value: T) -> None:
        """One store."""
        raise only_in_function("write", value)

    def __getitem__(self, index: int) -> ReadWrite[T]:
        raise only_in_function("[]", index)


def mmio_ro(width: type[T], offset: int, *, count: int = 1, stride: int = 0) -> ReadOnly[T]:
    """A read-only register of `width` at `offset`; `count` of them `stride` bytes apart."""
    return ReadOnly(width, offset, count, stride)


def mmio_wo(width: type[T], offset: int, *, count: int = 1, stride: int = 0) -> WriteOnly[T]:
    """A write-only register."""
    return WriteOnly(width, offset, count, stride)


def mmio_rw(width: type[T], offset: int, *, count: int = 1, stride: int = 0) -> ReadWrite[T]:
    """A register that may be read and written."""
    return ReadWrite(width, offset, count, stride)


class MmioBlock:
    """The registers of a device at one base address."""

    registers: ClassVar[dict[str, MmioRegister[Any]]] = {}

    def __init_subclass__(cls) -> None:
        cls.registers = dict(cls.registers)
        for name, entry in vars(cls).items():
            if isinstance(entry, MmioRegister):
                cls._declare(name, entry)  # pyright: ignore[reportUnknownArgumentType]

    @classmethod
    def _declare(cls, name: str, entry: MmioRegister[Any]) -> None:
        size_bytes = getattr(entry.width, "bits", 64) // 8
        if entry.offset % size_bytes:
            raise BuildError(f"{cls.__name__}.{name}: offset {entry.offset:#x} is not aligned to {size_bytes} bytes")
        if entry.count > 1 and entry.stride == 0:
            entry.stride = size_bytes
        cls.registers[name] = entry

    @classmethod
    def at(cls: type[M], base: VirtAddr) -> M:
        """The device whose registers begin at `base`."""
        raise only_in_function(f"{cls.__name__}.at", base)
