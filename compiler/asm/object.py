"""Assembled blocks as one ELF relocatable object: a section each, sized symbols, relocations and debug information."""

from collections.abc import Iterable

from compiler.asm.block import AssembledBlock
from compiler.asm.dwarf import PlacedBlock, write_debug_sections
from compiler.asm.elf import SHF_ALLOC, SHF_EXCLUDE, SHF_EXECINSTR, STB_GLOBAL, STT_FUNC, ObjectWriter
from compiler.program.objects import INLINE_LIST_SECTION


def _place(writer: ObjectWriter, block: AssembledBlock) -> PlacedBlock:
    section = writer.add_section(block.section, flags=SHF_ALLOC | SHF_EXECINSTR, alignment=block.alignment)
    section.data += block.code
    boundaries = sorted({0, *(bound for span in block.data_ranges for bound in span)} - {len(block.code)})
    data_starts = {start for start, _ in block.data_ranges}
    previous = ""
    for boundary in boundaries:
        kind = "$d" if boundary in data_starts else "$x"
        if kind != previous:
            writer.add_symbol(kind, section, boundary)
        previous = kind
    writer.add_symbol(block.name, section, 0, size=len(block.code), type_=STT_FUNC, binding=STB_GLOBAL)
    ends = sorted([*block.exports.values(), len(block.code)])
    for name, offset in block.exports.items():
        end = next(bound for bound in ends if bound > offset or bound == len(block.code))
        writer.add_symbol(name, section, offset, size=end - offset, type_=STT_FUNC, binding=STB_GLOBAL)
    return PlacedBlock(block, section, 0)


def write_object(blocks: Iterable[AssembledBlock], *, directory: str = ".") -> bytes:
    """An ELF64 AArch64 relocatable object of the blocks, in their order.

    `directory` goes into the debug information as the place that relative file names start from. Raises ValueError
    where two blocks define one global symbol.
    """
    writer = ObjectWriter()
    placed = [_place(writer, block) for block in blocks]
    for item in placed:
        for relocation in item.block.relocations:
            symbol = writer.reference(relocation.symbol) if relocation.symbol else item.section.symbol
            item.section.relocate(relocation.offset, relocation.type, symbol, relocation.addend)
    write_debug_sections(writer, placed, directory)
    inline = [item.block.name for item in placed if item.block.inline]
    if inline:
        writer.add_section(INLINE_LIST_SECTION, flags=SHF_EXCLUDE).data += b"".join(
            name.encode() + b"\0" for name in inline
        )
    return writer.finish()
