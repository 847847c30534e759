"""Instructions and blocks of one function, as text, with debug locations and trap exits.

A block is open until a terminator closes it; emitting into a closed block opens a new, unreachable one, so that the
text is well-formed whatever order callers emit in. Trap blocks stand at the function's end, one for each number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from compiler.lower.text import Value, global_name, memory_type, result_type, scalar_type
from compiler.program.nodes import Span, TrapKind
from compiler.program.types import Bool, ValueType


class Surroundings(Protocol):
    """What a builder needs of its module and machine."""

    @property
    def checks(self) -> bool:
        """Whether run-time checks are emitted."""
        ...

    def trap_number(self, kind: TrapKind, span: Span, message: str) -> int:
        """The number of a check site."""
        ...

    def trap_instruction(self, number: int) -> str:
        """The instruction that stops with this number."""
        ...

    def intrinsic(self, name: str, scalar: ValueType | None = None) -> str:
        """Reference to a declared intrinsic, overloaded for a scalar type."""
        ...

    def location(self, scope: str, span: Span) -> str:
        """Suffix that gives an instruction its source line (empty without debug info)."""
        ...

    def coverage_slot(self, span: Span) -> str | None:
        """Address of the byte that says that this line ran, where lines are counted."""
        ...

    @property
    def unlikely(self) -> str:
        """Suffix of a branch that is hardly ever taken to its first target."""
        ...


class BlockWriter:
    """Appends blocks of instructions to a function's text. `location` is a suffix that each instruction gets."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.block = "entry"
        self.open = True
        self.location = ""
        self._next = 0

    def label(self) -> str:
        """A new block name."""
        self._next += 1
        return f"b{self._next}"

    def emit(self, instruction: str) -> None:
        """Append an instruction without a result."""
        if not self.open:
            self.start(self.label())
        self.lines.append(f"  {instruction}{self.location}")

    def value(self, instruction: str) -> str:
        """Append an instruction and give its result a name."""
        self._next += 1
        name = f"%v{self._next}"
        self.emit(f"{name} = {instruction}")
        return name

    def current(self) -> str:
        """The name of the open block."""
        if not self.open:
            self.start(self.label())
        return self.block

    def start(self, label: str) -> None:
        """Open the block `label`; control falls into it from an open block."""
        if self.open:
            self.lines.append(f"  br label %{label}{self.location}")
        self.lines.append(f"{label}:")
        self.block = label
        self.open = True

    def finish(self, terminator: str) -> None:
        """Close the block with this instruction."""
        self.emit(terminator)
        self.open = False

    def jump(self, label: str) -> None:
        """Go to a block."""
        self.finish(f"br label %{label}")

    def branch(self, condition: str, when_true: str, when_false: str, weights: str = "") -> None:
        """Go to one of two blocks."""
        self.finish(f"br i1 {condition}, label %{when_true}, label %{when_false}{weights}")

    def phi(self, kinds: Sequence[ValueType], incoming: Sequence[tuple[Value, str]]) -> Value:
        """The value that comes from whichever block control came from; scalars of `kinds`."""
        return tuple(
            self.value(
                f"phi {scalar_type(kind)} " + ", ".join(f"[ {value[index]}, %{block} ]" for value, block in incoming)
            )
            for index, kind in enumerate(kinds)
        )

    def load(self, kind: ValueType, address: str, qualifiers: str) -> str:
        """A scalar from memory. `qualifiers` follow the address (`, align 8`); a bool is bit 0 of its byte."""
        loaded = self.value(f"load {memory_type(kind)}, ptr {address}{qualifiers}")
        return self.value(f"trunc i8 {loaded} to i1") if isinstance(kind, Bool) else loaded

    def store(self, kind: ValueType, value: str, address: str, qualifiers: str) -> None:
        """A scalar to memory."""
        self.emit(f"store {memory_type(kind)} {self.as_stored(kind, value)}, ptr {address}{qualifiers}")

    def as_stored(self, kind: ValueType, value: str) -> str:
        """A scalar in the form it has in memory."""
        return self.value(f"zext i1 {value} to i8") if isinstance(kind, Bool) else value

    def call(self, symbol: str, result: ValueType, arguments: str, attributes: str = "") -> Value:
        """Call a function; `arguments` are typed operands."""
        kind = result_type(result)
        text = f"call {kind} {global_name(symbol)}({arguments}){attributes}"
        if kind == "void":
            self.emit(text)
            return ()
        whole = self.value(text)
        return self.split(whole, kind)

    def split(self, whole: str, kind: str) -> Value:
        """The scalars of what a call returned."""
        if not kind.startswith("{"):
            return (whole,)
        count = kind.count(",") + 1
        return tuple(self.value(f"extractvalue {kind} {whole}, {index}") for index in range(count))

    def aggregate(self, value: Value, kind: str) -> str:
        """The operand that a return instruction wants for several scalars."""
        if not kind.startswith("{"):
            return value[0]
        whole = "poison"
        types = kind[2:-2].split(", ")
        for index, (scalar, operand) in enumerate(zip(types, value, strict=True)):
            whole = self.value(f"insertvalue {kind} {whole}, {scalar} {operand}, {index}")
        return whole


class Builder(BlockWriter):
    """Writes a function that comes from source; `scope` is its debug scope (empty: no debug info)."""

    def __init__(self, surroundings: Surroundings, scope: str) -> None:
        super().__init__()
        self.surroundings = surroundings
        self.scope = scope
        self._trap_blocks: dict[int, tuple[str, str]] = {}

    def move_to(self, span: Span) -> str:
        """Give what follows the line of `span`; returns the location that held before."""
        before = self.location
        self.location = self.surroundings.location(self.scope, span)
        return before

    def intrinsic(self, name: str, kind: ValueType, *operands: str) -> str:
        """Call an intrinsic that takes and gives scalars of one type."""
        scalar = scalar_type(kind)
        arguments = ", ".join(f"{scalar} {operand}" for operand in operands)
        return self.value(f"call {scalar} {self.surroundings.intrinsic(name, kind)}({arguments})")

    def trap_if(self, condition: str, kind: TrapKind, span: Span, message: str = "") -> None:
        """A run-time check: stop when `condition` (i1) holds."""
        if not self.surroundings.checks:
            return
        number = self.surroundings.trap_number(kind, span, message)
        passed = self.label()
        self.branch(condition, self._trap_block(number, span), passed, self.surroundings.unlikely)
        self.start(passed)

    def trap(self, kind: TrapKind, span: Span, message: str) -> None:
        """Stop here."""
        self.jump(self._trap_block(self.surroundings.trap_number(kind, span, message), span))

    def _trap_block(self, number: int, span: Span) -> str:
        known = self._trap_blocks.get(number)
        if known is None:
            known = self._trap_blocks[number] = (f"trap{number}", self.surroundings.location(self.scope, span))
        return known[0]

    def finish_function(self) -> list[str]:
        """Append the trap blocks; returns all lines of the body."""
        for number, (label, location) in self._trap_blocks.items():
            self.start(label)
            self.location = location
            self.emit(self.surroundings.trap_instruction(number))
            self.finish("unreachable")
        return self.lines
