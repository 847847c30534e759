"""Assembly blocks: hand-scheduled AArch64 code bound to the program, checked, encoded and described for the linker.

`assemble(source, resolve)` turns a block's text into an `AssembledBlock`; `write_object` puts blocks into an ELF
relocatable object. The language is described in docs/assembly.md. Nothing else in the compiler calls keystone.
"""

from compiler.asm.assemble import assemble
from compiler.asm.block import AssembledBlock, InstructionLine
from compiler.asm.diagnostics import AsmError, AsmErrors, BlockSource, ResolveError
from compiler.asm.header import BlockHeader, Declared, parse_header
from compiler.asm.object import write_object
from compiler.asm.operands import SymbolReference
from compiler.asm.relocation import Relocation, RelocationType

__all__ = [
    "AsmError",
    "AsmErrors",
    "AssembledBlock",
    "BlockHeader",
    "BlockSource",
    "Declared",
    "InstructionLine",
    "Relocation",
    "RelocationType",
    "ResolveError",
    "SymbolReference",
    "assemble",
    "parse_header",
    "write_object",
]
