"""Reads an AArch64 ELF executable or object: its sections, functions and source lines.

Everything is plain data afterwards; this module alone touches pyelftools, which has no types. Sizes are in bytes.
"""

import io
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from compiler.link import DwarfError, LineTable
from compiler.link.dwarf_lines import decode_line_table
from compiler.link.elf import SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE

CONTENT_KINDS = ("code", "constants", "data", "zeroed")


class NotAnImage(Exception):
    """The bytes are not an ELF file that can be read; the text says why."""


@dataclass(frozen=True)
class Section:
    """A section; `data` is empty where the file holds none (zero-initialised memory)."""

    name: str
    address: int
    size_bytes: int
    flags: int
    data: bytes

    @property
    def kind(self) -> str:
        """What it holds, one of CONTENT_KINDS; "" for what is not loaded."""
        if not self.flags & SHF_ALLOC:
            return ""
        if not self.data:
            return "zeroed"  # whatever its flags: linkers give an empty section those of the one before
        if self.flags & SHF_EXECINSTR:
            return "code"
        return "data" if self.flags & SHF_WRITE else "constants"


@dataclass(frozen=True)
class Function:
    """A function symbol and its machine code."""

    name: str
    address: int
    code: bytes

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.address + len(self.code)


@dataclass(frozen=True)
class Executable:
    """A file as read. `symbols` are (address, name) of everything that has an address, in address order."""

    sections: tuple[Section, ...]
    functions: tuple[Function, ...]
    symbols: tuple[tuple[int, str], ...]
    entry: int

    @cached_property
    def lines(self) -> LineTable:
        """The source lines of the code; empty where there is no debug info or it is damaged."""
        data = {section.name: section.data for section in self.sections}
        code = [(s.address, s.address + s.size_bytes) for s in self.sections if s.kind == "code"]
        parts = [data.get(name, b"") for name in (".debug_line", ".debug_line_str", ".debug_str")]
        try:
            return decode_line_table(parts[0], parts[1], parts[2], code)
        except DwarfError:
            return LineTable([])

    @cached_property
    def size_bytes(self) -> dict[str, int]:
        """The size of each kind of loaded content."""
        sizes: dict[str, int] = dict.fromkeys(CONTENT_KINDS, 0)
        for section in self.sections:
            if section.kind:
                sizes[section.kind] += section.size_bytes
        return sizes

    def place(self, address: int) -> str:
        """Return an address as `symbol` or `symbol+0x10`, or "" when it is in no section with symbols."""
        if not any(s.kind and s.address <= address < s.address + s.size_bytes for s in self.sections):
            return ""
        index = bisect_right(self.symbols, (address, "\U0010ffff")) - 1
        if index < 0:
            return ""
        start, name = self.symbols[index]
        return name if start == address else f"{name}+{address - start:#x}"


def read_executable(content: bytes) -> Executable:
    """Read an ELF file, or raise NotAnImage."""
    try:
        file: Any = ELFFile(io.BytesIO(content))
        if file["e_machine"] != "EM_AARCH64" or file.elfclass != 64 or not file.little_endian:
            raise NotAnImage("it is not for little-endian AArch64")
        sections = tuple(_section(section) for section in file.iter_sections())
        table: Any = file.get_section_by_name(".symtab")
        symbols: list[Any] = list(table.iter_symbols()) if table is not None else []
    except (ELFError, UnicodeDecodeError, ValueError) as error:
        raise NotAnImage(f"it is not an ELF file, or damaged: {error}") from None
    if file["e_type"] != "ET_EXEC":
        raise NotAnImage("it is not linked")
    return Executable(sections, tuple(_functions(symbols, sections)), _named_addresses(symbols), int(file["e_entry"]))


def _section(section: Any) -> Section:
    is_empty = section["sh_type"] == "SHT_NOBITS"
    return Section(
        name=str(section.name),
        address=int(section["sh_addr"]),
        size_bytes=int(section["sh_size"]),
        flags=int(section["sh_flags"]),
        data=b"" if is_empty else bytes(section.data()),
    )


def _functions(symbols: Iterable[Any], sections: tuple[Section, ...]) -> list[Function]:
    """Return the functions in address order; of several names for one address the first global one."""
    found: dict[int, tuple[bool, Function]] = {}
    for symbol in symbols:
        index = symbol["st_shndx"]
        if symbol["st_info"]["type"] != "STT_FUNC" or not isinstance(index, int) or not symbol["st_size"]:
            continue
        section = sections[index]
        start = int(symbol["st_value"]) - section.address
        code = section.data[start : start + int(symbol["st_size"])]
        is_local = symbol["st_info"]["bind"] == "STB_LOCAL"
        known = found.get(int(symbol["st_value"]))
        if known is None or (known[0] and not is_local):
            found[int(symbol["st_value"])] = (is_local, Function(str(symbol.name), int(symbol["st_value"]), code))
    return [found[address][1] for address in sorted(found)]


def _named_addresses(symbols: Iterable[Any]) -> tuple[tuple[int, str], ...]:
    """Return one name for each address that has any, functions before objects before labels; no mapping symbols."""
    order = {"STT_FUNC": 0, "STT_OBJECT": 1, "STT_NOTYPE": 2}
    best: dict[int, tuple[int, bool, str]] = {}
    for symbol in symbols:
        rank = order.get(symbol["st_info"]["type"])
        name = str(symbol.name)
        if rank is None or not name or name.startswith("$") or not isinstance(symbol["st_shndx"], int):
            continue
        key = (rank, symbol["st_info"]["bind"] == "STB_LOCAL", name)
        address = int(symbol["st_value"])
        best[address] = min(key, best.get(address, key))
    return tuple((address, best[address][2]) for address in sorted(best))
