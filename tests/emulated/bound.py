"""Assembly blocks of the product, bound as the build binds them, for the block runner."""

from __future__ import annotations

from collections.abc import Callable

from compiler.asm import AssembledBlock, BlockSource, SymbolReference, assemble
from compiler.program.program import Program


def bound_block(program: Program, function: Callable[..., object]) -> AssembledBlock:
    """The block of a function of the program."""
    bound = next(item for item in program.functions if item.symbol == f"{function.__module__}.{function.__name__}")
    assert bound.assembly is not None
    bindings = bound.assembly.bindings

    def resolve(text: str) -> int | SymbolReference:
        value = bindings[text]
        return SymbolReference(value) if isinstance(value, str) else value

    return assemble(
        BlockSource(bound.symbol, bound.assembly.text, bound.assembly.file, bound.assembly.first_line), resolve
    )
