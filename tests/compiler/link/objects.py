"""Objects for the linker's tests, made by clang, gcc and GNU as; and ELF files read back by pyelftools.

The wrappers keep the untyped library in one place. Compiled objects are cached for the whole run.
"""

from __future__ import annotations

import io
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from elftools.elf.elffile import ELFFile  # pyright: ignore[reportMissingTypeStubs]

from tests.tools import debian_tool

CLANG_FLAGS = (
    "--target=aarch64-none-elf",
    "-ffunction-sections",
    "-fdata-sections",
    "-ffreestanding",
    "-fno-asynchronous-unwind-tables",
    "-mgeneral-regs-only",
    "-g",
)
GCC_FLAGS = CLANG_FLAGS[1:]


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Runs a tool and returns what it printed; fails with its messages."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=cwd, timeout=120)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@cache
def c_object(source: str, compiler: str = "clang", *flags: str) -> bytes:
    """`source` compiled as C (file name unit.c) with -O2 and debug info."""
    default = CLANG_FLAGS if compiler == "clang" else GCC_FLAGS
    return _build(source, "unit.c", debian_tool(compiler), *default, "-O2", *flags, "-c")


@cache
def asm_object(source: str) -> bytes:
    """`source` assembled by GNU as (file name unit.s) with debug info."""
    return _build(source, "unit.s", debian_tool("aarch64-linux-gnu-as"), "-g")


def _build(source: str, file_name: str, *command: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, file_name).write_text(source, encoding="utf-8")
        run(*command, file_name, "-o", "unit.o", cwd=Path(folder))
        return Path(folder, "unit.o").read_bytes()


@dataclass(frozen=True)
class ElfSection:
    """A section as pyelftools sees it."""

    name: str
    address: int
    size: int
    flags: int
    data: bytes


@dataclass(frozen=True)
class ElfSymbol:
    """A symbol as pyelftools sees it; `section` is a section name or a special index."""

    name: str
    value: int
    size: int
    kind: str
    binding: str
    section: str


@dataclass(frozen=True)
class ElfView:
    """An ELF file as pyelftools sees it."""

    entry: int
    sections: tuple[ElfSection, ...]
    symbols: tuple[ElfSymbol, ...]
    segments: tuple[dict[str, int], ...]

    def section(self, name: str) -> ElfSection:
        return next(section for section in self.sections if section.name == name)


def read_elf(data: bytes) -> ElfView:
    """Reads `data` with pyelftools."""
    file = cast(Any, ELFFile(io.BytesIO(data)))
    sections: list[ElfSection] = []
    symbols: list[ElfSymbol] = []
    for section in file.iter_sections():
        nobits = section["sh_type"] == "SHT_NOBITS"
        sections.append(
            ElfSection(
                section.name,
                section["sh_addr"],
                section["sh_size"],
                section["sh_flags"] & 7,
                b"" if nobits else section.data(),
            )
        )
        if section["sh_type"] == "SHT_SYMTAB":
            symbols += [_symbol(file, symbol) for symbol in section.iter_symbols()]
    segments = tuple(
        {key: segment[key] for key in ("p_vaddr", "p_paddr", "p_memsz", "p_filesz", "p_flags")}
        for segment in file.iter_segments()
        if segment["p_type"] == "PT_LOAD"
    )
    return ElfView(file.header["e_entry"], tuple(sections), tuple(symbols), segments)


def _symbol(file: Any, symbol: Any) -> ElfSymbol:
    index = symbol["st_shndx"]
    section: str = index if isinstance(index, str) else file.get_section(index).name
    return ElfSymbol(
        symbol.name,
        symbol["st_value"],
        symbol["st_size"],
        symbol["st_info"]["type"],
        symbol["st_info"]["bind"],
        section,
    )


def link_with_lld(
    objects: list[tuple[str, bytes]], script: Path, symbols: dict[str, int], *flags: str, folder: Path
) -> ElfView:
    """Links the same with ld.lld, without merging strings (-O0) and without turning adrp and add into nop and adr."""
    names: list[str] = []
    for name, data in objects:
        (folder / name).write_bytes(data)
        names.append(name)
    constants = [f"--defsym={name}={value:#x}" for name, value in symbols.items()]
    options = ("-O0", "--no-relax", "--gc-sections", "-T", str(script), *constants, *flags)
    run(debian_tool("ld.lld"), *options, *names, "-o", "lld.elf", cwd=folder)
    return read_elf((folder / "lld.elf").read_bytes())
