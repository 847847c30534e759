"""What differs between the target and the host: the operations that reach hardware, and how a trap stops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from compiler.lower.builder import Builder
from compiler.lower.intrinsics import Intrinsics
from compiler.lower.metadata import Metadata
from compiler.program.nodes import Barrier, Hint, RegisterWrite, SystemOperation
from compiler.program.program import Function
from compiler.program.types import ValueType


class Machine(Protocol):
    """Emits hardware operations. Raises LowerError for names that do not exist (LLVM would abort)."""

    intrinsics: Intrinsics
    metadata: Metadata

    def trap_instruction(self, number: int) -> str:
        """The instruction that stops with a trap number and does not return."""
        ...

    def read_register(self, builder: Builder, name: str) -> str:
        """MRS; an i64."""
        ...

    def write_register(self, builder: Builder, node: RegisterWrite, value: str) -> None:
        """MSR."""
        ...

    def system_operation(self, builder: Builder, node: SystemOperation, value: str) -> None:
        """TLBI, AT, DC, IC."""
        ...

    def barrier(self, builder: Builder, node: Barrier) -> None:
        """ISB, DSB, DMB."""
        ...

    def hint(self, builder: Builder, node: Hint) -> None:
        """WFI, WFE, SEV, YIELD."""
        ...

    def device_load(self, builder: Builder, kind: ValueType, address: str, align: int) -> str:
        """One load from a device."""
        ...

    def device_store(self, builder: Builder, kind: ValueType, value: str, address: str, align: int) -> None:
        """One store to a device."""
        ...

    def linker_address(self, builder: Builder, symbol: str) -> str:
        """Address of a symbol of the linker script."""
        ...

    def outside_symbol(self, symbol: str) -> None:
        """A static object holds the address of a symbol that the program does not define."""
        ...

    def has_body(self, function: Function) -> bool:
        """Whether this function is defined in the module from its body."""
        ...

    def function_attributes(self) -> Sequence[str]:
        """Attributes of every defined function."""
        ...

    def extern_definition(self, function: Function) -> list[str]:
        """Lines that declare (or on the host define) a function without a body here."""
        ...

    def thunk(self, function: Function) -> list[str]:
        """Lines of a function through which Python calls this one, where that is wanted."""
        ...

    def prelude(self, known: frozenset[str]) -> list[str]:
        """Module-level lines, asked for after all functions; `known` are the symbols that the program names itself."""
        ...
