"""Disassembly: system registers and SYS instructions have the names of our table."""

from __future__ import annotations

import pytest

from compiler.inspect.disassembly import disassemble
from compiler.language.register_table import INSTRUCTIONS, REGISTERS, SystemInstruction, SystemRegister


def text(word: int) -> str:
    (instruction,) = disassemble(word.to_bytes(4, "little"), 0x1000)
    return f"{instruction.mnemonic} {instruction.operands}"


@pytest.mark.parametrize("register", REGISTERS.values(), ids=lambda register: register.name)
def test_system_registers_are_named(register: SystemRegister) -> None:
    if register.readable:
        assert text(0xD5200000 | register.encoding.instruction_bits | 3).startswith("mrs x3, ")
    if register.writable:
        assert text(0xD5000000 | register.encoding.instruction_bits | 3).startswith("msr ")
        assert "s3_" not in text(0xD5000000 | register.encoding.instruction_bits | 3)


@pytest.mark.parametrize("instruction", INSTRUCTIONS.values(), ids=lambda instruction: instruction.name)
def test_system_instructions_are_named(instruction: SystemInstruction) -> None:
    shown = text(0xD5000000 | instruction.encoding.instruction_bits | (5 if instruction.takes_register else 31))
    assert shown.startswith(f"{instruction.group.lower()} ")
    assert shown.endswith(", x5") == instruction.takes_register


def test_other_system_instructions_are_left_to_the_decoder() -> None:
    assert text(0xD503201F).strip() == "nop"
    assert text(0xD5033FDF).strip() == "isb"
    assert text(0xD50040BF | 1 << 8).lower() == "msr spsel, #1"
