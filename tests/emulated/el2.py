"""The start of an image at EL2 in Unicorn, which has no EL2: its bytes as they are, the rest of EL2 done by hooks.

MRS, MSR and SYS instructions reach simulated registers. Translation is what those registers and the tables in the
guest's memory say: each miss of Unicorn's TLB is answered by a walk of the tables for the EL2 or EL2&0 regime (4 KiB
granule), with write and execute permissions; whatever changes translation empties the TLB. Nothing of a partition runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compiler.host.registers import SystemRegisters
from compiler.language.register_table import SystemEncoding, name_of
from tests.emulated import unicorn_api as uc

PAGE_BITS = 12
LEVEL_BITS = 9
ENTRY_BITS = 10
"""An entry of Unicorn's TLB for AArch64 is for 1 KiB."""
STOP_PAGE = 0x7FFF_F000_0000
"""Unicorn wants an address to stop at and looks up what is before it; no table here translates this page."""
LAST_LEVEL = 3
ADDRESS_MASK = 0x0000_FFFF_FFFF_F000
HCR_E2H = 1 << 34
SCTLR_M, SCTLR_WXN = 1 << 0, 1 << 19
VALID, TABLE, READ_ONLY = 1 << 0, 1 << 1, 1 << 7
PXN, XN = 1 << 53, 1 << 54
CURRENT_EL2 = 2 << 2
SCTLR_RESET = 0x30C5_0830
"""RES1 bits of SCTLR_EL2; the MMU is off."""

_TRANSLATION = frozenset({"HCR_EL2", "SCTLR_EL2", "TCR_EL2", "TTBR0_EL2", "TTBR1_EL2"})


class Startup:
    """A machine with DRAM and a PL011, entered as a loader enters an image. `features` are identification registers."""

    def __init__(self, image: bytes, base: int, size: int, uart_base: int, features: Mapping[str, int]) -> None:
        self.console = ""
        self.registers = SystemRegisters()
        self.faults: list[str] = []
        self._cpu = uc.new_cpu()
        self._cpu.ctl_set_tlb_mode(uc.TLB_VIRTUAL)
        for name, value in {"CurrentEL": CURRENT_EL2, "SCTLR_EL2": SCTLR_RESET, **features}.items():
            self.registers[name] = value
        self._cpu.mem_map(base, size)
        self._cpu.mem_write(base, image)
        self._cpu.mem_map(STOP_PAGE, 1 << PAGE_BITS)
        self._cpu.mmio_map(uart_base, 1 << PAGE_BITS, self._on_uart_read, None, self._on_uart_write, None)
        self._cpu.hook_add(uc.HOOK_TLB_FILL, self._on_miss)
        self._cpu.hook_add(uc.HOOK_INTR, self._on_exception)
        for instruction, hook in ((uc.INS_MRS, self._on_mrs), (uc.INS_MSR, self._on_msr), (uc.INS_SYS, self._on_sys)):
            self._cpu.hook_add(uc.HOOK_INSN, hook, None, 1, 0, instruction)
        self._entry = base

    def run_to_line(self, instruction_limit: int = 5_000_000) -> str:
        """Run from the image's first byte until a line of the console is complete; return it."""
        try:
            self._cpu.emu_start(self._entry, STOP_PAGE + 0x800, count=instruction_limit)
        except uc.Error as error:
            self.faults.append(f"{error} at {self._cpu.reg_read(uc.PC):#x}")
        assert not self.faults, self.faults
        assert self.console.endswith("\n"), f"no line after {instruction_limit} instructions: {self.console!r}"
        return self.console

    @property
    def program_counter(self) -> int:
        """Where it stopped."""
        return int(self._cpu.reg_read(uc.PC))

    # The console.

    def _on_uart_read(self, _cpu: Any, _offset: int, _width: int, _data: object) -> int:
        return 0  # neither busy nor full

    def _on_uart_write(self, _cpu: Any, offset: int, _width: int, value: int, _data: object) -> None:
        if offset == 0:
            self.console += chr(value & 0xFF)
            if value & 0xFF == ord("\n"):
                self._cpu.emu_stop()

    # System instructions.

    def _on_mrs(self, cpu: Any, register: int, encoding: Any, _data: object) -> bool:
        cpu.reg_write(register, self.registers.read(_name(encoding)))
        return self._skipped()

    def _on_msr(self, _cpu: Any, _register: int, encoding: Any, _data: object) -> bool:
        name = _name(encoding)
        self.registers.write(name, encoding.val)
        if name in _TRANSLATION:
            uc.flush_tlb(self._cpu)
        return self._skipped()

    def _on_sys(self, _cpu: Any, _register: int, encoding: Any, _data: object) -> bool:
        kind, _, operation = _name(encoding).lower().partition(" ")
        self.registers.system(kind, operation, encoding.val)
        if kind == "tlbi":
            uc.flush_tlb(self._cpu)
        return self._skipped()

    def _skipped(self) -> bool:
        self._cpu.reg_write(uc.PC, self._cpu.reg_read(uc.PC) + 4)
        return True

    def _on_exception(self, cpu: Any, number: int, _data: object) -> None:
        self.faults.append(f"exception {number} at {cpu.reg_read(uc.PC):#x}")
        cpu.emu_stop()

    # Translation.

    def _on_miss(self, _cpu: Any, address: int, _access: int, entry: Any, _data: object) -> bool:
        found = self.translate(address)
        if found is None:
            self.faults.append(f"nothing is mapped at {address:#x}")
            return False
        entry.paddr, entry.perms = found
        return True

    def translate(self, address: int) -> tuple[int, int] | None:
        """The physical address that an entry of Unicorn's TLB needs, and what may be done there; or None."""
        page = address & ~((1 << ENTRY_BITS) - 1)
        if address >> PAGE_BITS == STOP_PAGE >> PAGE_BITS or not self.registers["SCTLR_EL2"] & SCTLR_M:
            return page, uc.PROT_ALL
        is_host = bool(self.registers["HCR_EL2"] & HCR_E2H)
        is_upper = is_host and address >> 63 == 1
        control = self.registers["TCR_EL2"]
        bits = 64 - (control >> (16 if is_upper else 0) & 0x3F)
        if address >> bits != (((1 << (64 - bits)) - 1) if is_upper else 0):
            return None
        leaf = self._walk(self.registers["TTBR1_EL2" if is_upper else "TTBR0_EL2"] & ADDRESS_MASK, address, bits)
        if leaf is None:
            return None
        descriptor, level = leaf
        offset_mask = (1 << _shift(level)) - 1
        physical = descriptor & ADDRESS_MASK & ~offset_mask | page & offset_mask
        return physical, self._permissions(descriptor, PXN if is_host else XN)

    def _walk(self, table: int, address: int, bits: int) -> tuple[int, int] | None:
        level = LAST_LEVEL + 1 - -(-(bits - PAGE_BITS) // LEVEL_BITS)
        while True:
            index = (address & (1 << bits) - 1) >> _shift(level) & (1 << LEVEL_BITS) - 1
            descriptor = int.from_bytes(self._cpu.mem_read(table + 8 * index, 8), "little")
            if not descriptor & VALID:
                return None
            if level == LAST_LEVEL or not descriptor & TABLE:
                return descriptor, level
            table, level = descriptor & ADDRESS_MASK, level + 1

    def _permissions(self, descriptor: int, never: int) -> int:
        is_writable = not descriptor & READ_ONLY
        is_code = not descriptor & never and not (is_writable and self.registers["SCTLR_EL2"] & SCTLR_WXN)
        return uc.PROT_READ | (uc.PROT_WRITE if is_writable else 0) | (uc.PROT_EXEC if is_code else 0)


def _shift(level: int) -> int:
    """The lowest bit of an address that a table of this level looks at."""
    return PAGE_BITS + LEVEL_BITS * (LAST_LEVEL - level)


def _name(encoding: Any) -> str:
    return name_of(SystemEncoding(encoding.op0, encoding.op1, encoding.crn, encoding.crm, encoding.op2))
