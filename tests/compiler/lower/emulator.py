"""Runs functions of an AArch64 object in Unicorn, linked by Debian's ld.lld."""

from __future__ import annotations

import importlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from tests.tools import debian_tool

unicorn: Any = importlib.import_module("unicorn")
arm64_const: Any = importlib.import_module("unicorn.arm64_const")

_BASE = 0x100000
_STACK = 0x40000000
_STACK_SIZE = 0x20000
_RETURN = 0x50000000
_PAGE = 0x1000
_BRK = 0xD4200000


@dataclass(frozen=True)
class Outcome:
    """Registers x0..x7 after a call, or the immediate of the `brk` that it ended in."""

    registers: tuple[int, ...]
    trap: int | None


class Emulator:
    """A linked object in memory. `symbols` gives values to linker symbols."""

    def __init__(self, object_bytes: bytes, folder: Path, symbols: Mapping[str, int] | None = None) -> None:
        self.path = link(object_bytes, folder, symbols or {})
        self.addresses: dict[str, int] = {}
        self._cpu: Any = unicorn.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
        self._trap: int | None = None
        with self.path.open("rb") as file:
            self._load(ELFFile(file))
        self._cpu.mem_map(_STACK, _STACK_SIZE)
        self._cpu.mem_map(_RETURN, _PAGE)
        self._cpu.hook_add(unicorn.UC_HOOK_INTR, self._on_interrupt)

    def call(self, symbol: str, *arguments: int) -> Outcome:
        """Call a function with integer arguments."""
        cpu = self._cpu
        self._trap = None
        for index, argument in enumerate(arguments):
            cpu.reg_write(arm64_const.UC_ARM64_REG_X0 + index, argument & (1 << 64) - 1)
        cpu.reg_write(arm64_const.UC_ARM64_REG_SP, _STACK + _STACK_SIZE)
        cpu.reg_write(arm64_const.UC_ARM64_REG_X30, _RETURN)
        cpu.emu_start(self.addresses[symbol], _RETURN, timeout=10_000_000)
        registers = tuple(cpu.reg_read(arm64_const.UC_ARM64_REG_X0 + index) for index in range(8))
        return Outcome(registers, self._trap)

    def read(self, address: int, size: int) -> bytes:
        """Bytes of memory."""
        return bytes(self._cpu.mem_read(address, size))

    def write(self, address: int, data: bytes) -> None:
        """Change memory."""
        self._cpu.mem_write(address, data)

    def map(self, address: int, size: int) -> None:
        """Add memory."""
        self._cpu.mem_map(address, size)

    def _load(self, elf: ELFFile) -> None:
        end = _BASE
        for segment in elf.iter_segments("PT_LOAD"):
            end = max(end, segment["p_vaddr"] + segment["p_memsz"])
        self._cpu.mem_map(_BASE, (end - _BASE + _PAGE - 1) & -_PAGE or _PAGE)
        for segment in elf.iter_segments("PT_LOAD"):
            self._cpu.mem_write(segment["p_vaddr"], segment.data())
        table = elf.get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        for symbol in table.iter_symbols():
            self.addresses[symbol.name] = symbol["st_value"]

    def _on_interrupt(self, cpu: Any, _number: int, _data: object) -> None:
        at = cpu.reg_read(arm64_const.UC_ARM64_REG_PC)
        word = int.from_bytes(cpu.mem_read(at, 4), "little")
        assert word & 0xFFE0001F == _BRK, f"exception at {at:#x}, instruction {word:#010x}"
        self._trap = word >> 5 & 0xFFFF
        cpu.emu_stop()


def link(object_bytes: bytes, folder: Path, symbols: Mapping[str, int]) -> Path:
    """Link one object at a fixed address; every symbol stays."""
    path = folder / "sample.o"
    path.write_bytes(object_bytes)
    output = folder / "sample.elf"
    definitions = [f"--defsym={name}={value:#x}" for name, value in symbols.items()]
    subprocess.run(
        [debian_tool("ld.lld"), f"--image-base={_BASE:#x}", "-e", "0", *definitions, "-o", str(output), str(path)],
        check=True,
    )
    return output
