"""Writes the map of an image: sections, what each is made of, symbols, and what was dropped.

Invariant: the text depends on the image alone, so that maps of two builds can be compared line by line.
"""

from __future__ import annotations

from compiler.link import elf
from compiler.link.image import LinkedImage, Section, Segment, Symbol


def render(image: LinkedImage) -> str:
    """The map as text; addresses and sizes are hexadecimal, in bytes."""
    lines = [f"entry {image.entry:#x}", "", "segments", "  address          load address     file     memory   flags"]
    lines += [_segment(segment) for segment in image.segments]
    lines += ["", "sections and their contents", "  address          size     align  flags name"]
    symbols: dict[str, list[Symbol]] = {}
    for symbol in image.all_symbols:
        if symbol.section is not None and symbol.kind in (elf.STT_FUNC, elf.STT_OBJECT, elf.STT_NOTYPE):
            if not symbol.name.startswith("$"):
                symbols.setdefault(symbol.section, []).append(symbol)
    for section in image.sections:
        lines.append(_section(section))
        entries = [(s.address, 1, f"      {s.name}") for s in symbols.get(section.name, ()) if section.is_allocated]
        entries += [
            (c.address, 0, f"{c.size:>8x}        {c.object_name}:{c.name}")
            for c in image.contributions
            if c.section == section.name
        ]
        lines += [f"  {address:016x} {text}" for address, _, text in sorted(entries)]
    plain = [symbol for symbol in image.all_symbols if symbol.section is None and symbol.kind != elf.STT_FILE]
    if plain:
        lines += ["", "plain numbers", *(f"  {symbol.address:016x} {symbol.name}" for symbol in plain)]
    if image.dropped:
        lines += ["", "dropped", *(f"  {name}" for name in image.dropped)]
    return "\n".join(lines) + "\n"


def _segment(segment: Segment) -> str:
    flags = "".join(
        letter if segment.flags & bit else "-" for letter, bit in (("R", elf.PF_R), ("W", elf.PF_W), ("X", elf.PF_X))
    )
    return (
        f"  {segment.virtual_address:016x} {segment.physical_address:016x} {len(segment.data):8x} "
        f"{segment.memory_size:8x} {flags}   {segment.name} ({' '.join(segment.sections)})"
    )


def _section(section: Section) -> str:
    bits = (("A", elf.SHF_ALLOC), ("W", elf.SHF_WRITE), ("X", elf.SHF_EXECINSTR))
    flags = "".join(letter if section.flags & bit else "-" for letter, bit in bits)
    return f"  {section.address:016x} {section.size:8x} {section.alignment:6x} {flags} {section.name}"
