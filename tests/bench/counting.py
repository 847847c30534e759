"""Runs exported functions of a linked ELF in Unicorn and counts the instructions executed.

Every call starts with the arguments in x0..x7, sp at the top of a stack of its own and the link register at an address
where emulation stops. Counting is by translation block, so it is exact for code that takes no exception.
"""

from __future__ import annotations

import importlib
import io
from dataclasses import dataclass, field
from typing import Any

from tests.bench.workloads import Buffer, CallStep

_unicorn: Any = importlib.import_module("unicorn")
_arm64: Any = importlib.import_module("unicorn.arm64_const")
_elffile: Any = importlib.import_module("elftools.elf.elffile")

PAGE = 0x1000
STOP = 0x7000_0000
STACK_TOP = 0x7FFF_0000
STACK_SIZE = 0x10000
BUFFERS = 0x9000_0000
BUFFERS_SIZE = 0x100000


class RunFailure(Exception):
    """A call that trapped or faulted: symbol, program counter, cause."""


@dataclass
class Outcome:
    """What a run of a workload gave."""

    results: list[int] = field(default_factory=list[int])
    buffers: dict[str, bytes] = field(default_factory=dict[str, bytes])
    instruction_count: int = 0


class Machine:
    """An emulated CPU with one ELF loaded."""

    def __init__(self, elf: bytes) -> None:
        self.uc: Any = _unicorn.Uc(_unicorn.UC_ARCH_ARM64, _unicorn.UC_MODE_ARM)
        self.symbols: dict[str, int] = {}
        self.instruction_count = 0
        self.fault = ""
        self._load(elf)
        self.uc.mem_map(STOP, PAGE)
        self.uc.mem_map(STACK_TOP - STACK_SIZE, STACK_SIZE)
        self.uc.mem_map(BUFFERS, BUFFERS_SIZE)
        self.uc.hook_add(_unicorn.UC_HOOK_BLOCK, self._count)
        self.uc.hook_add(_unicorn.UC_HOOK_INTR, self._interrupt)

    def _load(self, data: bytes) -> None:
        elf = _elffile.ELFFile(io.BytesIO(data))
        for segment in elf.iter_segments("PT_LOAD"):
            base = segment["p_vaddr"] & ~(PAGE - 1)
            end = (segment["p_vaddr"] + segment["p_memsz"] + PAGE - 1) & ~(PAGE - 1)
            self.uc.mem_map(base, max(end - base, PAGE))
            self.uc.mem_write(segment["p_vaddr"], segment.data())
        for symbol in elf.get_section_by_name(".symtab").iter_symbols():
            self.symbols[symbol.name] = symbol["st_value"]

    def _count(self, _uc: object, address: int, size: int, _data: object) -> None:
        if address != STOP:
            self.instruction_count += size // 4

    def _interrupt(self, _uc: object, number: int, _data: object) -> None:
        self.fault = f"exception {number}"
        self.uc.emu_stop()

    def run(self, steps: list[CallStep]) -> Outcome:
        """Make the calls in order; buffers are named, and keep their contents from call to call."""
        outcome = Outcome()
        places: dict[str, int] = {}
        sizes: dict[str, int] = {}
        cursor = BUFFERS
        for step in steps:
            for argument in step.arguments:
                if isinstance(argument, Buffer) and argument.name not in places:
                    places[argument.name], sizes[argument.name] = cursor, len(argument.data)
                    self.uc.mem_write(cursor, argument.data)
                    cursor += (len(argument.data) + 79) & ~15
        self.instruction_count = 0
        for step in steps:
            values = [
                places[argument.name] if isinstance(argument, Buffer) else argument for argument in step.arguments
            ]
            result = self._call(step.symbol, values)
            outcome.results.append(result if step.returns else 0)
        outcome.instruction_count = self.instruction_count
        outcome.buffers = {name: bytes(self.uc.mem_read(place, sizes[name])) for name, place in places.items()}
        return outcome

    def _call(self, symbol: str, values: list[int]) -> int:
        for index, value in enumerate(values):
            self.uc.reg_write(_arm64.UC_ARM64_REG_X0 + index, value)
        self.uc.reg_write(_arm64.UC_ARM64_REG_SP, STACK_TOP)
        self.uc.reg_write(_arm64.UC_ARM64_REG_LR, STOP)
        self.fault = ""
        try:
            self.uc.emu_start(self.symbols[symbol], STOP)
        except _unicorn.UcError as error:
            raise RunFailure(f"{symbol}: {error} at {self.uc.reg_read(_arm64.UC_ARM64_REG_PC):#x}") from error
        if self.fault:
            raise RunFailure(f"{symbol}: {self.fault} at {self.uc.reg_read(_arm64.UC_ARM64_REG_PC):#x}")
        return int(self.uc.reg_read(_arm64.UC_ARM64_REG_X0))
