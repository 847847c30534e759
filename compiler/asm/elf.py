"""A writer of ELF64 little-endian AArch64 relocatable objects (System V gABI; AAELF64, IHI 0056).

Sections, symbols and relocations come out in the order in which they were added, local symbols first, so that equal
input gives equal bytes.
"""

import struct
from dataclasses import dataclass, field

SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR, SHF_MERGE, SHF_STRINGS = 1, 2, 4, 0x10, 0x20
SHF_EXCLUDE = 0x80000000
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_RELA, SHT_NOBITS = 1, 2, 3, 4, 8
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION = 0, 1, 2, 3
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2
STV_DEFAULT, STV_HIDDEN = 0, 2

_EM_AARCH64, _ET_REL = 183, 1
_HEADER_SIZE, _SECTION_HEADER_SIZE, _SYMBOL_SIZE, _RELA_SIZE = 64, 64, 24, 24


@dataclass(slots=True, eq=False)
class Symbol:
    """A symbol; `section` is None for one that another object defines."""

    name: str
    section: "Section | None"
    value: int
    size: int
    type: int
    binding: int
    visibility: int = STV_DEFAULT


@dataclass(slots=True, eq=False)
class Section:
    """A section with its bytes and relocations (offset, type, symbol, addend); `size` counts for SHT_NOBITS only."""

    name: str
    type: int
    flags: int
    alignment: int
    data: bytearray = field(default_factory=bytearray)
    relocations: list[tuple[int, int, Symbol, int]] = field(default_factory=list[tuple[int, int, Symbol, int]])
    size: int = 0
    symbol: Symbol = field(init=False)

    def __post_init__(self) -> None:
        self.symbol = Symbol("", self, 0, 0, STT_SECTION, STB_LOCAL)

    def relocate(self, offset: int, relocation_type: int, symbol: Symbol, addend: int = 0) -> None:
        self.relocations.append((offset, relocation_type, symbol, addend))


class _Strings:
    """A string table under construction."""

    def __init__(self) -> None:
        self.data = bytearray(b"\0")
        self._offsets: dict[str, int] = {"": 0}

    def offset(self, text: str) -> int:
        if text not in self._offsets:
            self._offsets[text] = len(self.data)
            self.data += text.encode() + b"\0"
        return self._offsets[text]


class ObjectWriter:
    """Collects sections and symbols; `finish` gives the object's bytes."""

    def __init__(self) -> None:
        self._sections: list[Section] = []
        self._symbols: list[Symbol] = []
        self._undefined: dict[str, Symbol] = {}
        self._defined: dict[str, Symbol] = {}

    def add_section(
        self, name: str, *, flags: int = 0, alignment: int = 1, section_type: int = SHT_PROGBITS
    ) -> Section:
        section = Section(name, section_type, flags, alignment)
        self._sections.append(section)
        self._symbols.append(section.symbol)
        return section

    def add_symbol(
        self,
        name: str,
        section: Section,
        value: int,
        *,
        size: int = 0,
        type_: int = STT_NOTYPE,
        binding: int = STB_LOCAL,
    ) -> Symbol:
        """A defined symbol; `value` is its offset in the section. Raises ValueError for a second global definition."""
        symbol = Symbol(name, section, value, size, type_, binding)
        if binding != STB_LOCAL:
            if name in self._defined:
                raise ValueError(f"symbol {name} is defined twice in one object")
            self._defined[name] = symbol
        self._symbols.append(symbol)
        return symbol

    def reference(self, name: str) -> Symbol:
        """The symbol of this name: the global definition of this object, or an undefined one."""
        if name in self._defined:
            return self._defined[name]
        if name not in self._undefined:
            self._undefined[name] = Symbol(name, None, 0, 0, STT_NOTYPE, STB_GLOBAL)
        return self._undefined[name]

    def finish(self) -> bytes:
        """The object file."""
        symbols = self._ordered_symbols()
        index_of = {id(symbol): index for index, symbol in enumerate(symbols, 1)}
        section_index = {id(section): index for index, section in enumerate(self._sections, 1)}
        strings = _Strings()
        table = bytearray(_SYMBOL_SIZE)
        for symbol in symbols:
            where = section_index[id(symbol.section)] if symbol.section is not None else 0
            info = symbol.binding << 4 | symbol.type
            table += struct.pack(
                "<IBBHQQ", strings.offset(symbol.name), info, symbol.visibility, where, symbol.value, symbol.size
            )
        locals_count = 1 + sum(symbol.binding == STB_LOCAL for symbol in symbols)
        return self._layout(table, strings, locals_count, index_of)

    def _ordered_symbols(self) -> list[Symbol]:
        own = [symbol for symbol in self._symbols if symbol.binding == STB_LOCAL]
        shared = [symbol for symbol in self._symbols if symbol.binding != STB_LOCAL]
        # A name may have been referred to before this object defined it.
        undefined = [symbol for name, symbol in self._undefined.items() if name not in self._defined]
        return [*own, *shared, *undefined]

    def _resolve(self, symbol: Symbol) -> Symbol:
        return self._defined.get(symbol.name, symbol) if symbol.section is None else symbol

    def _layout(self, symbol_table: bytearray, strings: _Strings, locals_count: int, index_of: dict[int, int]) -> bytes:
        names = _Strings()
        body = bytearray(_HEADER_SIZE)
        headers = [bytes(_SECTION_HEADER_SIZE)]
        relocated = [section for section in self._sections if section.relocations]
        symtab_index = 1 + len(self._sections) + len(relocated)

        def place(name: str, kind: int, flags: int, data: bytes | bytearray, alignment: int, **fields: int) -> None:
            body.extend(bytes(-len(body) % alignment))
            headers.append(
                struct.pack(
                    "<IIQQQQIIQQ",
                    *(names.offset(name), kind, flags, 0, len(body), fields.get("size", len(data))),
                    *(fields.get("link", 0), fields.get("info", 0), alignment, fields.get("entry_size", 0)),
                )
            )
            body.extend(data)

        for section in self._sections:
            size = section.size if section.type == SHT_NOBITS else len(section.data)
            entry_size = 1 if section.flags & SHF_STRINGS else 0
            place(
                section.name,
                section.type,
                section.flags,
                section.data,
                section.alignment,
                size=size,
                entry_size=entry_size,
            )
        for section in relocated:
            data = b"".join(
                struct.pack("<QQq", offset, index_of[id(self._resolve(symbol))] << 32 | kind, addend)
                for offset, kind, symbol, addend in section.relocations
            )
            place(
                f".rela{section.name}", SHT_RELA, 0x40, data, 8,
                link=symtab_index, info=1 + self._sections.index(section), entry_size=_RELA_SIZE,
            )  # fmt: skip
        place(
            ".symtab", SHT_SYMTAB, 0, symbol_table, 8,
            link=symtab_index + 1, info=locals_count, entry_size=_SYMBOL_SIZE,
        )  # fmt: skip
        place(".strtab", SHT_STRTAB, 0, strings.data, 1)
        names.offset(".shstrtab")
        place(".shstrtab", SHT_STRTAB, 0, names.data, 1)
        body.extend(bytes(-len(body) % 8))
        body[:_HEADER_SIZE] = struct.pack(
            "<16sHHIQQQIHHHHHH",
            b"\x7fELF\x02\x01\x01",
            *(_ET_REL, _EM_AARCH64, 1, 0, 0, len(body), 0, _HEADER_SIZE, 0, 0),
            *(_SECTION_HEADER_SIZE, len(headers), len(headers) - 1),
        )
        return bytes(body) + b"".join(headers)
