"""Reads relocatable ELF64 AArch64 objects into sections, symbols and relocations.

Invariants: nothing outside the file's bytes is ever read, whatever the headers say (a damaged object is LNK010);
sections and symbols keep their order, which is what makes links deterministic. Structures: see `elf.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from compiler.link import elf
from compiler.link.problems import LinkError, LinkProblem

Relocation = tuple[int, int, int, int]
"""offset in the section, symbol index, relocation number, addend"""


@dataclass(eq=False)
class InputSection:
    """A section of an object. `output` and `offset` are filled in by the layout, `live` by garbage collection."""

    object_name: str
    index: int
    name: str
    type: int
    flags: int
    alignment: int
    size: int
    data: bytes
    rela: bytes = b""
    live: bool = False
    output: int | None = None
    offset: int = 0

    @cached_property
    def relocations(self) -> list[Relocation]:
        """The section's relocations in file order."""
        return [
            (offset, info >> 32, info & 0xFFFFFFFF, addend) for offset, info, addend in elf.RELA.iter_unpack(self.rela)
        ]

    def replace(self, data: bytes, relocations: list[Relocation]) -> None:
        """Gives the section other contents of the same size."""
        self.data = data
        self.rela = b"".join(
            elf.RELA.pack(offset, index << 32 | number, addend) for offset, index, number, addend in relocations
        )
        self.relocations = relocations

    @property
    def is_allocated(self) -> bool:
        """Whether the section occupies memory when the image runs."""
        return bool(self.flags & elf.SHF_ALLOC)

    @property
    def label(self) -> str:
        """`object:section`, as diagnostics and the map name it."""
        return f"{self.object_name}:{self.name}"


@dataclass(slots=True, eq=False)
class InputSymbol:
    """A symbol of an object; `section` is None for undefined and absolute symbols."""

    object_name: str
    name: str
    value: int
    size: int
    type: int
    binding: int
    visibility: int
    section: InputSection | None
    section_number: int

    @property
    def is_undefined(self) -> bool:
        return self.section_number == elf.SHN_UNDEF

    @property
    def is_absolute(self) -> bool:
        return self.section_number == elf.SHN_ABS

    @property
    def is_local(self) -> bool:
        return self.binding == elf.STB_LOCAL


@dataclass(slots=True, eq=False)
class ObjectFile:
    """One relocatable object. `symbols` is indexed as in the file; `sections` holds those with contents."""

    name: str
    sections: list[InputSection] = field(default_factory=list[InputSection])
    symbols: list[InputSymbol] = field(default_factory=list[InputSymbol])


class _Damaged(Exception):
    pass


_CONTENT_TYPES = frozenset({elf.SHT_PROGBITS, elf.SHT_NOBITS, elf.SHT_NOTE, 14, 15, 16})
"""PROGBITS, NOBITS, NOTE and the three arrays of start-up functions"""


def read_object(name: str, data: bytes) -> ObjectFile:
    """Reads the relocatable object `data`, called `name` in messages; raises `LinkError` (LNK010, LNK018)."""
    try:
        return _read(name, data)
    except _Damaged as error:
        fix = "pass relocatable objects (clang -c, gcc -c, as) for little-endian AArch64"
        raise LinkError([LinkProblem("LNK010", f"{name} is not a usable object", (str(error),), fix)]) from None


def _read(name: str, data: bytes) -> ObjectFile:
    headers = _section_headers(data)
    names_header = headers[_section_name_index(data, headers)]
    names = _contents(data, names_header)
    result = ObjectFile(name)
    by_index: dict[int, InputSection] = {}
    for index, header in enumerate(headers):
        if header[1] in _CONTENT_TYPES:
            section = _section(name, index, elf.c_string(names, header[0]), header, data)
            by_index[index] = section
            result.sections.append(section)
    for index, header in enumerate(headers):
        if header[1] == elf.SHT_RELA and header[7] in by_index:
            rela = _contents(data, header)
            if len(rela) % elf.RELA.size:
                raise _Damaged(f"section {index} is not a whole number of relocations")
            by_index[header[7]].rela = rela
        elif header[1] == elf.SHT_REL:
            raise _Damaged(f"section {index} holds REL relocations; AArch64 objects use RELA")
        elif header[1] == elf.SHT_SYMTAB:
            if header[6] >= len(headers):
                raise _Damaged("the symbol table names no string table")
            strings = _contents(data, headers[header[6]])
            result.symbols = _symbols(name, _contents(data, header), strings, by_index)
    _check_relocations(result)
    return result


def _section_headers(data: bytes) -> list[tuple[int, ...]]:
    if len(data) < elf.FILE_HEADER.size:
        raise _Damaged(f"{len(data)} bytes is too short for an ELF header")
    ident, kind, machine, _, _, _, table, _, _, _, _, entry_size, count, _ = elf.FILE_HEADER.unpack_from(data)
    if ident[:4] != b"\x7fELF":
        raise _Damaged(f"it starts with {ident[:4].hex(' ')}, not with the ELF magic")
    if ident[4:6] != b"\2\1" or machine != elf.EM_AARCH64:
        width, order = {1: "32-bit", 2: "64-bit"}.get(ident[4], "?"), {1: "little", 2: "big"}.get(ident[5], "?")
        raise _Damaged(f"it is a {width} {order}-endian object for machine {machine}, not for AArch64 (183)")
    if kind != elf.ET_REL:
        raise _Damaged(f"its type is {kind}, not relocatable (1)")
    if entry_size != elf.SECTION_HEADER.size or table + elf.SECTION_HEADER.size > len(data):
        raise _Damaged("its section header table lies outside the file")
    if count == 0:
        # More than 65279 sections: the count is in the first header (System V ABI, e_shnum).
        count = elf.SECTION_HEADER.unpack_from(data, table)[5]
    end = table + count * elf.SECTION_HEADER.size
    if end > len(data):
        raise _Damaged("its section header table lies outside the file")
    return list(elf.SECTION_HEADER.iter_unpack(data[table:end]))


def _section_name_index(data: bytes, headers: list[tuple[int, ...]]) -> int:
    index: int = elf.FILE_HEADER.unpack_from(data)[13]
    if index == elf.SHN_XINDEX and headers:
        index = headers[0][6]
    if index >= len(headers):
        raise _Damaged("its section name table is missing")
    return index


def _contents(data: bytes, header: tuple[int, ...]) -> bytes:
    offset, size = header[4], header[5]
    if header[1] == elf.SHT_NOBITS:
        return b""
    if offset + size > len(data):
        raise _Damaged(f"a section of {size} bytes at {offset:#x} lies outside the file of {len(data)} bytes")
    return data[offset : offset + size]


def _section(object_name: str, index: int, name: str, header: tuple[int, ...], data: bytes) -> InputSection:
    flags, alignment = header[2], max(header[8], 1)
    if alignment & (alignment - 1) or alignment > 1 << 32:
        raise _Damaged(f"section {name} has the alignment {alignment}")
    if flags & elf.SHF_TLS:
        raise _Damaged(f"section {name} is thread-local; bare-metal images have no threads")
    if flags & elf.SHF_COMPRESSED:
        raise _Damaged(f"section {name} is compressed; compile with -gz=none")
    return InputSection(object_name, index, name, header[1], flags, alignment, header[5], _contents(data, header))


def _symbols(object_name: str, table: bytes, strings: bytes, by_index: dict[int, InputSection]) -> list[InputSymbol]:
    if len(table) % elf.SYMBOL.size:
        raise _Damaged("the symbol table is not a whole number of symbols")
    result: list[InputSymbol] = []
    commons: list[str] = []
    for name_offset, info, other, number, value, size in elf.SYMBOL.iter_unpack(table):
        name = elf.c_string(strings, name_offset) if name_offset else ""
        section = by_index.get(number)
        if number == elf.SHN_COMMON:
            commons.append(name)
        elif elf.SHN_LORESERVE <= number != elf.SHN_ABS:
            raise _Damaged(f"symbol {name} lies in the reserved section {number:#x}")
        symbol = InputSymbol(object_name, name, value, size, info & 15, info >> 4, other & 3, section, number)
        if symbol.type == elf.STT_SECTION and section is not None:
            symbol.name = section.name
        result.append(symbol)
    if commons:
        message = f"{object_name} holds tentative definitions"
        fix = "compile the C code with -fno-common"
        raise LinkError([LinkProblem("LNK018", message, tuple(commons), fix)])
    return result


def _check_relocations(result: ObjectFile) -> None:
    count = len(result.symbols)
    for section in result.sections:
        for offset, symbol, number, _ in section.relocations:
            if symbol >= count:
                raise _Damaged(f"a relocation of {section.name} names symbol {symbol} of {count}")
            if offset + (8 if number in (elf.R.ABS64, elf.R.PREL64) else 4) > section.size:
                if number == elf.R.NONE or (number in (elf.R.ABS16, elf.R.PREL16) and offset + 2 <= section.size):
                    continue
                raise _Damaged(f"a relocation lies at {offset:#x}, beyond the end of {section.name}")
