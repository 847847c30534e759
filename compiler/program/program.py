"""Functions, static objects, tables and the program that holds them.

Symbols are unique within a program. The order of every list is the order in which the front end met things, which
depends on the source alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from compiler.language.types import Type
from compiler.program.nodes import Local, Span, Statement
from compiler.program.types import ValueType


@dataclass(eq=False)
class StackSlot:
    """Memory of one activation of a function, for structs and arrays."""

    name: str
    size: int
    align: int
    source_name: str | None = None
    source_type: Type | None = None


@dataclass(frozen=True)
class Signature:
    """A function's types as written, for host calls, tables and debug info. A by-value struct result is a ValueType."""

    parameters: tuple[tuple[str, Type], ...]
    result: Type


@dataclass(frozen=True)
class AssemblyText:
    """A bound assembly block: its text, where it stands, and what its `{expr}` mean (numbers, or symbol names)."""

    text: str
    file: str
    first_line: int
    bindings: Mapping[str, int | str]


@dataclass(eq=False)
class Function:
    """A function. With `result_pointer` set, parameter 0 is the address where a by-value struct result goes.

    `assembly`: on target calls run the block; `body` is its twin and runs on the host. `extern`: no body, defined
    elsewhere. `parameters` are in AAPCS64 order; tuple parameters are passed flattened.
    """

    symbol: str
    source_name: str
    module: str
    signature: Signature
    parameters: list[Local]
    result: ValueType
    span: Span
    result_pointer: bool = False
    body: tuple[Statement, ...] = ()
    locals: list[Local] = field(default_factory=list[Local])
    slots: list[StackSlot] = field(default_factory=list[StackSlot])
    exported: bool = False
    extern: bool = False
    inline: bool = False
    no_inline: bool = False
    cold: bool = False
    no_builtins: bool = False
    no_return: bool = False
    section: str | None = None
    assembly: AssemblyText | None = None
    acquires: tuple[str, int] | None = None
    """Lock class and rank, for the `__enter__` of a ranked lock; `releases` is its counterpart."""
    releases: tuple[str, int] | None = None


@dataclass(frozen=True)
class Relocation:
    """An 8-byte pointer at `offset` of a static object: address of `target` (symbol) plus `addend`."""

    offset: int
    target: str
    addend: int


@dataclass(eq=False)
class StaticObject:
    """An object with an address: bytes, and pointers among them."""

    symbol: str
    source_name: str
    module: str
    type: Type
    size: int
    align: int
    mutable: bool
    data: bytes
    relocations: list[Relocation] = field(default_factory=list[Relocation])
    section: str | None = None
    span: Span | None = None


@dataclass(eq=False)
class Table:
    """A function table: an array of code pointers, read-only. All functions have the same value types."""

    symbol: str
    functions: list[Function]
    span: Span


@dataclass(eq=False)
class Program:
    """Everything reachable from the entries."""

    name: str
    entries: list[Function] = field(default_factory=list[Function])
    functions: list[Function] = field(default_factory=list[Function])
    statics: list[StaticObject] = field(default_factory=list[StaticObject])
    tables: list[Table] = field(default_factory=list[Table])
    sources: dict[str, str] = field(default_factory=dict[str, str])
    """Source file path (as spans name it) -> text."""
