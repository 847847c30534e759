"""Pointers, statically placed objects, per-CPU objects, linker symbols and bytes that are not trusted.

Module globals that functions read are build-time constants or objects declared here; only the latter can change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast

from compiler.language.addresses import VirtAddr
from compiler.language.errors import only_in_function
from compiler.language.structs import Array, ArrayValue, Slice

T = TypeVar("T")
U = TypeVar("U")


class Ptr(Generic[T]):
    """Address of a T, never null; a pointer that may be absent is `Ptr[T] | None` and must be tested.

    Dereferencing is not checked: a Ptr comes from `address_of`, or from `Ptr.at`, which is where trust begins.
    """

    @classmethod
    def at(cls, address: VirtAddr) -> Ptr[T]:
        """The pointer to `address`: `Ptr[u64].at(base)`. Traps when it is 0 or misaligned for T."""
        raise only_in_function("Ptr.at", address)

    @property
    def value(self) -> T:
        """What it points to: a scalar, or a reference to a struct."""
        raise only_in_function("Ptr.value")

    @value.setter
    def value(self, new: T) -> None:
        raise only_in_function("Ptr.value", new)

    @property
    def address(self) -> VirtAddr:
        """The address as a number."""
        raise only_in_function("Ptr.address")

    def __getitem__(self, index: int) -> T:
        raise only_in_function("Ptr[]", index)

    def __setitem__(self, index: int, new: T) -> None:
        raise only_in_function("Ptr[]", index, new)

    def offset(self, count: int) -> Ptr[T]:
        """The pointer `count` elements further on."""
        raise only_in_function("Ptr.offset", count)

    def cast(self, kind: type[U]) -> Ptr[U]:
        """The same address as a pointer to another type."""
        raise only_in_function("Ptr.cast", kind)


def address_of(place: T) -> Ptr[T]:
    """Pointer to a static object, a field, an element or what a reference names; at module level, to the first."""
    if isinstance(place, StaticObject):
        return cast(Ptr[T], place)
    raise only_in_function("address_of", place)


def slice_of(start: Ptr[T], count: int) -> Slice[T]:
    """The run of `count` elements that begins at `start`. Not checked: the caller vouches for it."""
    raise only_in_function("slice_of", start, count)


def bytes_of(place: object) -> Slice[int]:
    """The bytes (u8) of a struct or array, in memory order."""
    raise only_in_function("bytes_of", place)


class UntrustedBytes:
    """Bytes that somebody else can write at any time: copied in once and then checked, never read in place."""

    @classmethod
    def at(cls, address: VirtAddr, size_bytes: int) -> UntrustedBytes:
        """The `size_bytes` bytes at `address`."""
        raise only_in_function("UntrustedBytes.at", address, size_bytes)

    def __len__(self) -> int:
        raise only_in_function("len")

    def copy_in(self, offset: int, destination: Slice[int]) -> bool:
        """Copy len(destination) bytes from `offset`; False, and nothing copied, where that is out of range."""
        raise only_in_function("UntrustedBytes.copy_in", offset, destination)

    def copy_out(self, offset: int, source: Slice[int]) -> bool:
        """Copy `source` to `offset`; False, and nothing copied, where that is out of range."""
        raise only_in_function("UntrustedBytes.copy_out", offset, source)

    def zero(self, offset: int, size_bytes: int) -> bool:
        """Zero `size_bytes` bytes from `offset`; False, and nothing written, where that is out of range."""
        raise only_in_function("UntrustedBytes.zero", offset, size_bytes)


class StaticObject:
    """Build-time record of an object with an address; its type is the annotation of the global that names it."""

    def __init__(self, value: object, section: str | None, align: int, mutable: bool, per_cpu: bool = False) -> None:
        self.value = value
        self.section = section
        self.align = align
        self.mutable = mutable
        self.per_cpu = per_cpu


def static(value: T, *, section: str | None = None, align: int = 0) -> T:
    """An object placed in the image: `state: State = static(State(), align=64)`. Functions may change it."""
    return cast(T, StaticObject(value, section, align, mutable=True))


def constant(values: Sequence[T], *, section: str | None = None, align: int = 0) -> Array[T]:
    """A read-only table in the image: `SQUARES: Array[u32] = constant([n * n for n in range(16)])`."""
    elements = list(values)
    table = ArrayValue(len(elements), elements=elements)
    return cast(Array[T], StaticObject(table, section, align, mutable=False))


class PerCpu(Generic[T]):
    """One T for each CPU. `this()` finds the CPU's own by the index in the per-CPU register."""

    def this(self) -> T:
        """This CPU's object."""
        raise only_in_function("PerCpu.this")

    def of(self, cpu_index: int) -> T:
        """The object of CPU `cpu_index`; traps when there is no such CPU."""
        raise only_in_function("PerCpu.of", cpu_index)


def per_cpu(value: T, *, count: int, section: str | None = None, align: int = 64) -> PerCpu[T]:
    """One copy of `value` for each of `count` CPUs, each on cache lines of its own."""
    copies = ArrayValue(count, of=value)
    return cast(PerCpu[T], StaticObject(copies, section, align, mutable=True, per_cpu=True))


class LinkerSymbol:
    """A symbol that the linker script defines."""

    def __init__(self, name: str) -> None:
        self.name = name

    def address(self) -> VirtAddr:
        """Its run-time address (computed relative to the program counter)."""
        raise only_in_function("LinkerSymbol.address")


def linker_symbol(name: str) -> LinkerSymbol:
    """Name a symbol of the linker script: `TEXT_START = linker_symbol("__text_start")`."""
    return LinkerSymbol(name)


Handler = TypeVar("Handler", bound=Callable[..., Any])


class FunctionTable(Generic[Handler]):
    """A read-only table of functions of one signature; an index out of range traps. The only indirect calls."""

    def __init__(self, functions: Sequence[Handler]) -> None:
        self.functions = list(functions)

    def __getitem__(self, index: int) -> Handler:
        raise only_in_function("FunctionTable[]", index)

    def __len__(self) -> int:
        return len(self.functions)


def function_table(functions: Sequence[Handler]) -> FunctionTable[Handler]:
    """`HANDLERS: FunctionTable[Callable[[u64], u64]] = function_table([first, second])`."""
    return FunctionTable(functions)
