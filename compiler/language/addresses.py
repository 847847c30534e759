"""Distinct number types: numbers that mean something and never mix.

`class PartitionId(Distinct, base=u16)` makes one. Values compare with their own kind only; `.raw` gives the number.
Address kinds add and subtract byte counts, and the difference of two addresses of a kind is a byte count.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar, overload

from compiler.language.integers import u64

Self_ = TypeVar("Self_", bound="Distinct")
Address_ = TypeVar("Address_", bound="Address")


class Distinct:
    """A number of its own kind; `base` is the integer type behind it."""

    base: ClassVar[type[int]] = u64
    __slots__ = ("raw",)

    def __init_subclass__(cls, base: type[int] | None = None, **_options: Any) -> None:
        super().__init_subclass__()
        if base is not None:
            cls.base = base

    def __init__(self, raw: int) -> None:
        self.raw: int = type(self).base(raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Distinct) and type(other) is type(self) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash((type(self), self.raw))

    def __lt__(self: Self_, other: Self_) -> bool:
        return self.raw < other.raw

    def __le__(self: Self_, other: Self_) -> bool:
        return self.raw <= other.raw

    def __gt__(self: Self_, other: Self_) -> bool:
        return self.raw > other.raw

    def __ge__(self: Self_, other: Self_) -> bool:
        return self.raw >= other.raw

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.raw:#x})"


class Address(Distinct, base=u64):
    """An address of some space, in bytes."""

    def __add__(self: Address_, size_bytes: int) -> Address_:
        return type(self)(self.raw + size_bytes)

    @overload
    def __sub__(self: Address_, other: Address_) -> int: ...
    @overload
    def __sub__(self: Address_, other: int) -> Address_: ...
    def __sub__(self: Address_, other: Address_ | int) -> Address_ | int:
        if isinstance(other, int):
            return type(self)(self.raw - other)
        return self.raw - other.raw

    def align_down(self: Address_, alignment: int) -> Address_:
        """The highest multiple of `alignment` (a power of two) that is not above this address."""
        return type(self)(self.raw & ~(alignment - 1))

    def align_up(self: Address_, alignment: int) -> Address_:
        """The lowest multiple of `alignment` (a power of two) that is not below this address."""
        return type(self)((self.raw + alignment - 1) & ~(alignment - 1))

    def is_aligned(self, alignment: int) -> bool:
        """Whether the address is a multiple of `alignment`, a power of two."""
        return self.raw & (alignment - 1) == 0


class PhysAddr(Address):
    """Physical address: the output of the last stage of translation."""


class IntermediateAddr(Address):
    """Intermediate physical address: a guest's physical address, the input of stage 2."""


class VirtAddr(Address):
    """Virtual address in the translation regime of the code that holds it."""
