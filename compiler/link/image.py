"""The result of a link: an ELF file, and what it contains in typed form.

Invariant: `elf`, `sections`, `segments` and `symbols` describe the same image; equal inputs give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from compiler.link import elf
from compiler.link.dwarf_lines import LineTable, decode_line_table


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol of the image. `kind` is an STT_ number, `binding` an STB_ number, `section` None for plain numbers."""

    name: str
    address: int
    size: int
    kind: int
    binding: int
    section: str | None
    object_name: str

    @property
    def is_function(self) -> bool:
        return self.kind == elf.STT_FUNC

    @property
    def end(self) -> int:
        """The first address after the symbol."""
        return self.address + self.size


@dataclass(frozen=True, slots=True)
class Contribution:
    """An input section, where it went (`address`, offset in its output section) and from which object it came."""

    object_name: str
    name: str
    section: str
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Section:
    """An output section; `data` is empty for NOBITS. `flags` are SHF_ bits, `type` an SHT_ number."""

    name: str
    address: int
    load_address: int
    size: int
    flags: int
    type: int
    alignment: int
    data: bytes = field(repr=False)

    @property
    def is_allocated(self) -> bool:
        return bool(self.flags & elf.SHF_ALLOC)

    @property
    def is_executable(self) -> bool:
        return bool(self.flags & elf.SHF_EXECINSTR)

    @property
    def end(self) -> int:
        """The first address after the section."""
        return self.address + self.size


@dataclass(frozen=True, slots=True)
class Segment:
    """A PT_LOAD: `data` goes to `physical_address`, the rest up to `memory_size` is zero. `flags` are PF_ bits."""

    name: str
    virtual_address: int
    physical_address: int
    memory_size: int
    flags: int
    alignment: int
    sections: tuple[str, ...]
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class LinkedImage:
    """What `link` returns. `symbols` holds the global names, `all_symbols` locals too, in address order."""

    elf: bytes = field(repr=False)
    entry: int
    sections: tuple[Section, ...]
    segments: tuple[Segment, ...]
    all_symbols: tuple[Symbol, ...] = field(repr=False)
    contributions: tuple[Contribution, ...] = field(repr=False)
    dropped: tuple[str, ...] = field(repr=False)
    pointer_addresses: tuple[int, ...] = field(repr=False)

    @cached_property
    def symbols(self) -> Mapping[str, Symbol]:
        """Global and weak symbols, and those of the script, by name."""
        return {symbol.name: symbol for symbol in self.all_symbols if symbol.binding != elf.STB_LOCAL}

    @cached_property
    def functions(self) -> tuple[Symbol, ...]:
        """All function symbols in address order, locals included, one per address."""
        found: dict[int, Symbol] = {}
        for symbol in self.all_symbols:
            if symbol.is_function:
                best = found.get(symbol.address)
                if best is None or best.binding == elf.STB_LOCAL != symbol.binding:
                    found[symbol.address] = symbol
        return tuple(found[address] for address in sorted(found))

    @cached_property
    def lines(self) -> LineTable:
        """The source lines of the code, from the image's DWARF; raises `DwarfError` if that is damaged."""
        code = [(s.address, s.end) for s in self.sections if s.is_executable]
        parts = [self.section_data(name) for name in (".debug_line", ".debug_line_str", ".debug_str")]
        return decode_line_table(parts[0], parts[1], parts[2], code)

    def section(self, name: str) -> Section | None:
        """The first section called `name`."""
        return next((section for section in self.sections if section.name == name), None)

    def section_data(self, name: str) -> bytes:
        """The bytes of section `name`; empty if there is none."""
        section = self.section(name)
        return section.data if section is not None else b""

    def map_text(self) -> str:
        """The map file: see `map_file.py`."""
        from compiler.link.map_file import render

        return render(self)
