"""Machine code as instructions: address, word, text, and where it refers to.

capstone decodes; words that it does not know are shown as `.word`. System registers and SYS instructions are named by
our own table, which knows more of them. This module alone in `compiler.inspect` touches capstone.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import capstone
from capstone import arm64_const

from compiler.language.register_table import SystemEncoding, find_instruction, name_of

INSTRUCTION_SIZE_BYTES = 4
ADR_MNEMONICS = ("adr", "adrp")


@dataclass(frozen=True)
class Instruction:
    """One instruction; `refers_to` is the address that it branches to or forms, where that is known."""

    address: int
    word: int
    mnemonic: str
    operands: str
    refers_to: int | None = None


@functools.cache
def _decoder() -> Any:
    decoder: Any = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN)
    decoder.detail = True
    return decoder


def disassemble(code: bytes, address: int) -> Iterator[Instruction]:
    """Decode code that starts at an address. Pages formed by ADRP are followed through the next ADD or load."""
    pages: dict[str, int] = {}
    for offset in range(0, len(code) - len(code) % INSTRUCTION_SIZE_BYTES, INSTRUCTION_SIZE_BYTES):
        word = code[offset : offset + INSTRUCTION_SIZE_BYTES]
        yield _instruction(word, address + offset, pages)


def _instruction(word: bytes, address: int, pages: dict[str, int]) -> Instruction:
    number = int.from_bytes(word, "little")
    system = _system(number)
    if system is not None:
        return Instruction(address, number, *system)
    decoded: Any = next(_decoder().disasm(word, address, 1), None)
    if decoded is None:
        return Instruction(address, number, ".word", f"{number:#010x}")
    operands: list[Any] = list(decoded.operands)
    mnemonic = str(decoded.mnemonic)
    refers_to = _target(decoded, operands, mnemonic, pages)
    for register in _written(decoded, operands):
        pages.pop(register, None)
    if mnemonic == "adrp":
        pages[str(decoded.reg_name(operands[0].reg))] = int(operands[1].imm)
        refers_to = None
    return Instruction(address, number, mnemonic, str(decoded.op_str), refers_to)


def _system(word: int) -> tuple[str, str] | None:
    """Mnemonic and operands of MRS, MSR (register) and of the SYS instructions that the table names."""
    if word & 0xFFC00000 != 0xD5000000 or word >> 19 & 3 == 0:
        return None
    encoding = SystemEncoding(word >> 19 & 3, word >> 16 & 7, word >> 12 & 15, word >> 8 & 15, word >> 5 & 7)
    name = name_of(encoding).lower()
    transfer = "xzr" if word & 31 == 31 else f"x{word & 31}"
    is_read = bool(word >> 21 & 1)
    if encoding.op0 >= 2:
        return ("mrs", f"{transfer}, {name}") if is_read else ("msr", f"{name}, {transfer}")
    group, _, operation = name.partition(" ")
    instruction = find_instruction(group, operation)
    if instruction is None or is_read:
        return None
    return group, f"{operation}, {transfer}" if instruction.takes_register else operation


def _target(decoded: Any, operands: list[Any], mnemonic: str, pages: dict[str, int]) -> int | None:
    """Return the address that an instruction refers to, if it can be told from it and the pages before."""
    last = operands[-1] if operands else None
    if last is None:
        return None
    is_branch = capstone.CS_GRP_JUMP in decoded.groups or mnemonic == "bl"
    if last.type == arm64_const.ARM64_OP_IMM and (is_branch or mnemonic in ADR_MNEMONICS):
        return int(last.imm)
    if mnemonic == "add" and last.type == arm64_const.ARM64_OP_IMM and len(operands) == 3:
        page = pages.get(str(decoded.reg_name(operands[1].reg)))
        return None if page is None else page + int(last.imm)
    if last.type == arm64_const.ARM64_OP_MEM and last.mem.index == 0:
        page = pages.get(str(decoded.reg_name(last.mem.base)))
        return None if page is None else page + int(last.mem.disp)
    return None


def _written(decoded: Any, operands: list[Any]) -> list[str]:
    """Return the names of registers that no longer hold a page: what is written, and everything after a call."""
    if decoded.mnemonic in ("bl", "blr"):
        return [f"x{number}" for number in range(19)]
    return [
        str(decoded.reg_name(operand.reg)).replace("w", "x", 1)
        for operand in operands
        if operand.type == arm64_const.ARM64_OP_REG and operand.access & capstone.CS_AC_WRITE
    ]
