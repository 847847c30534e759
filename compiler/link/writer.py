"""Writes ELF files: executables for the linker, and relocatable objects that carry plain data.

Invariants: equal inputs give equal bytes; local symbols precede global ones (System V ABI, sh_info of SHT_SYMTAB);
file offsets of a segment equal its addresses modulo its alignment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from compiler.link import elf, relr
from compiler.link.image import Section, Segment, Symbol


def write_executable(
    sections: Sequence[Section], segments: Sequence[Segment], symbols: Sequence[Symbol], entry: int
) -> bytes:
    """An ET_EXEC file; `symbols` are written locals first, else in the order given."""
    body = bytearray(elf.FILE_HEADER.size + elf.PROGRAM_HEADER.size * len(segments))
    offsets: dict[int, int] = {}
    headers: list[bytes] = []
    for segment in segments:
        offset = _place(body, segment.data, segment.alignment, segment.virtual_address)
        for index, section in enumerate(sections):
            if section.is_allocated and section.name in segment.sections and index not in offsets:
                offsets[index] = offset + section.address - segment.virtual_address
        headers.append(
            elf.PROGRAM_HEADER.pack(
                elf.PT_LOAD,
                segment.flags,
                offset,
                segment.virtual_address,
                segment.physical_address,
                len(segment.data),
                segment.memory_size,
                segment.alignment,
            )
        )
    for index, section in enumerate(sections):
        if index not in offsets:
            offsets[index] = _place(body, section.data, section.alignment, 0)
    return _finish(body, sections, offsets, b"".join(headers), symbols, elf.ET_EXEC, entry)


def write_data_object(
    section_name: str,
    data: bytes,
    symbols: Mapping[str, int],
    *,
    alignment: int = 8,
    flags: int = elf.SHF_ALLOC,
) -> bytes:
    """A relocatable object with one section of `data`; `symbols` are global, at offsets into it.

    For what the build tool embeds in an image: partition images, manifests, tables.
    """
    section = Section(section_name, 0, 0, len(data), flags, elf.SHT_PROGBITS, alignment, data)
    body = bytearray(elf.FILE_HEADER.size)
    offsets = {0: _place(body, data, alignment, 0)}
    table = [
        Symbol(name, offset, 0, elf.STT_OBJECT, elf.STB_GLOBAL, section_name, "") for name, offset in symbols.items()
    ]
    return _finish(body, [section], offsets, b"", table, elf.ET_REL, 0)


def _place(body: bytearray, data: bytes, alignment: int, address: int) -> int:
    """Appends `data` at an offset that equals `address` modulo `alignment`; returns the offset."""
    body.extend(bytes((address - len(body)) % alignment if data else 0))
    offset = len(body)
    body.extend(data)
    return offset


def _symbol_table(
    sections: Sequence[Section], symbols: Sequence[Symbol], strings: elf.StringTable
) -> tuple[bytes, int]:
    """The table, and the index of its first global symbol."""
    numbers: dict[str, int] = {}
    for index, section in enumerate(sections):
        numbers.setdefault(section.name, index + 1)
    ordered = sorted(symbols, key=lambda symbol: symbol.binding != elf.STB_LOCAL)
    table = bytearray(elf.SYMBOL.size)
    for symbol in ordered:
        number = elf.SHN_ABS if symbol.section is None else numbers[symbol.section]
        info = symbol.binding << 4 | symbol.kind
        table += elf.SYMBOL.pack(strings.add(symbol.name), info, 0, number, symbol.address, symbol.size)
    return bytes(table), 1 + sum(symbol.binding == elf.STB_LOCAL for symbol in symbols)


def _finish(
    body: bytearray,
    sections: Sequence[Section],
    offsets: Mapping[int, int],
    program_headers: bytes,
    symbols: Sequence[Symbol],
    kind: int,
    entry: int,
) -> bytes:
    """Adds the symbol and string tables and all headers to `body`, which holds the sections' contents."""
    names, strings = elf.StringTable(), elf.StringTable()
    table, first_global = _symbol_table(sections, symbols, strings)
    section_headers = [bytes(elf.SECTION_HEADER.size)]
    for index, s in enumerate(sections):
        entry_size = relr.WORD_BYTES if s.type == elf.SHT_RELR else 0
        fields = (s.type, s.flags, s.address, offsets[index], s.size, 0, 0, s.alignment, entry_size)
        section_headers.append(elf.SECTION_HEADER.pack(names.add(s.name), *fields))
    count = len(sections) + 4
    tables = (
        (".symtab", elf.SHT_SYMTAB, table, count - 2, first_global, 8, elf.SYMBOL.size),
        (".strtab", elf.SHT_STRTAB, strings.data(), 0, 0, 1, 0),
        (".shstrtab", elf.SHT_STRTAB, b"", 0, 0, 1, 0),
    )
    for name, section_type, data, link, info, alignment, entry_size in tables:
        name_offset = names.add(name)
        contents = data or names.data()
        offset = _place(body, contents, alignment, 0)
        fields = (section_type, 0, 0, offset, len(contents), link, info, alignment, entry_size)
        section_headers.append(elf.SECTION_HEADER.pack(name_offset, *fields))
    table_offset = _place(body, b"".join(section_headers), 8, 0)
    segment_count = len(program_headers) // elf.PROGRAM_HEADER.size
    body[: elf.FILE_HEADER.size] = elf.FILE_HEADER.pack(
        elf.EI_NIDENT_LITTLE_64,
        kind,
        elf.EM_AARCH64,
        1,
        entry,
        elf.FILE_HEADER.size if segment_count else 0,
        table_offset,
        0,
        elf.FILE_HEADER.size,
        elf.PROGRAM_HEADER.size if segment_count else 0,
        segment_count,
        elf.SECTION_HEADER.size,
        count,
        count - 1,
    )
    body[elf.FILE_HEADER.size : elf.FILE_HEADER.size + len(program_headers)] = program_headers
    return bytes(body)
