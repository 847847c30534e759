"""The register table against GNU as: every name that as knows has the fields that as encodes."""

import subprocess
from pathlib import Path

import pytest

from compiler.language.register_table import (
    INSTRUCTIONS,
    REGISTERS,
    Access,
    SystemEncoding,
    SystemInstruction,
    UnknownSystemName,
    encoding_of,
    find_instruction,
    find_register,
    name_of,
)
from tests.tools import debian_tool

# The architecture and extensions under which GNU as knows the most names.
_MARCH = "-march=armv8.8-a+rng+memtag+sve2+sme+profile+pauth+predres+sb+ssbs+flagm+ls64+mops"

# Newer than GNU as 2.40; LLVM 22 encodes them as the table does.
_NEWER_THAN_GNU_AS = {
    *("FPMR", "SCTLR2_EL1", "SCTLR2_EL12", "SCTLR2_EL2", "SCTLR2_EL3", "TCR2_EL1", "TCR2_EL12", "TCR2_EL2"),
    *("MAIR2_EL1", "MAIR2_EL12", "MAIR2_EL2", "MAIR2_EL3", "PIRE0_EL1", "PIRE0_EL12", "PIRE0_EL2"),
    *("PIR_EL1", "PIR_EL12", "PIR_EL2", "PIR_EL3", "POR_EL0", "POR_EL1", "POR_EL12", "POR_EL2", "POR_EL3"),
    *("S2PIR_EL2", "S2POR_EL1", "HFGRTR2_EL2", "HFGWTR2_EL2", "HFGITR2_EL2", "HDFGRTR2_EL2", "HDFGWTR2_EL2"),
    *("ID_AA64PFR2_EL1", "ID_AA64FPFR0_EL1", "ID_AA64DFR2_EL1", "ID_AA64ISAR3_EL1", "ID_AA64MMFR3_EL1"),
    *("ID_AA64MMFR4_EL1", "AT S1E1A", "AT S1E2A", "AT S1E3A", "DC CIPAE", "DC CIGDPAE"),
    *("DC CIPAPA", "DC CIGDPAPA"),
}


def _words(object_file: Path) -> list[int]:
    binary = object_file.with_suffix(".bin")
    objcopy = debian_tool("aarch64-linux-gnu-objcopy")
    subprocess.run([objcopy, "-O", "binary", "-j", ".text", object_file, binary], check=True)
    code = binary.read_bytes()
    return [int.from_bytes(code[i : i + 4], "little") for i in range(0, len(code), 4)]


def _assemble(lines: list[str], folder: Path) -> tuple[list[int], dict[int, str]]:
    """The words GNU as makes of the lines, one each, and its messages by line index."""
    source, output = folder / "names.s", folder / "names.o"
    source.write_text("\n".join(lines) + "\n")
    run = subprocess.run(
        [debian_tool("aarch64-linux-gnu-as"), _MARCH, "-o", output, source], capture_output=True, text=True
    )
    messages: dict[int, str] = {}
    for line in run.stderr.splitlines():
        _, number, message = (*line.split(":", 2), "")[:3]
        if number.isdecimal():
            messages[int(number) - 1] = message.strip()
    if run.returncode != 0:
        return [], messages
    return _words(output), messages


def test_registers_have_the_fields_and_access_of_gnu_as(tmp_path: Path) -> None:
    registers = [r for r in REGISTERS.values() if r.name not in _NEWER_THAN_GNU_AS]
    reads, read_messages = _assemble([f"mrs x0, {r.name}" for r in registers], tmp_path)
    writes, write_messages = _assemble([f"msr {r.name}, x0" for r in registers], tmp_path)
    assert len(registers) > 560 and len(reads) == len(writes) == len(registers), read_messages
    for index, register in enumerate(registers):
        assert reads[index] == 0xD5200000 | register.encoding.instruction_bits, register.name
        assert writes[index] == 0xD5000000 | register.encoding.instruction_bits, register.name
        assert register.readable == ("cannot be read" not in read_messages.get(index, "")), register.name
        assert register.writable == ("cannot be written" not in write_messages.get(index, "")), register.name


def _text(instruction: SystemInstruction) -> str:
    return instruction.name + (", x7" if instruction.takes_register else "")


def _check_words(words: list[int], instructions: list[SystemInstruction]) -> None:
    for word, instruction in zip(words, instructions, strict=True):
        transfer = 7 if instruction.takes_register else 31
        assert word == 0xD5000000 | instruction.encoding.instruction_bits | transfer, instruction.name


def test_sys_instructions_have_the_fields_of_gnu_as(tmp_path: Path) -> None:
    known = [i for i in INSTRUCTIONS.values() if i.name not in _NEWER_THAN_GNU_AS and i.encoding.crn != 9]
    words, messages = _assemble([_text(instruction) for instruction in known], tmp_path)
    assert len(known) > 120, [known[index].name for index in messages]
    _check_words(words, known)


def test_tlbi_without_xs_has_the_fields_of_clang(tmp_path: Path) -> None:
    known = [i for i in INSTRUCTIONS.values() if i.group == "TLBI" and i.encoding.crn == 9]
    source, output = tmp_path / "tlbi.s", tmp_path / "tlbi.o"
    source.write_text("".join(_text(instruction) + "\n" for instruction in known))
    options = ["--target=aarch64-none-elf", "-march=armv8.7-a", "-c", "-o", str(output), str(source)]
    subprocess.run([debian_tool("clang"), *options], check=True)
    _check_words(_words(output), known)


def test_names_unknown_to_gnu_as_are_the_listed_ones(tmp_path: Path) -> None:
    lines = [f"mrs x0, {name}" for name in sorted(_NEWER_THAN_GNU_AS) if " " not in name]
    _, messages = _assemble(lines, tmp_path)
    assert len(messages) == len(lines)


def test_lookup_accepts_any_case_generic_names_and_instructions() -> None:
    assert encoding_of("vsttbr_el2") == SystemEncoding(3, 4, 2, 6, 0)
    assert encoding_of("VSTTBR_EL2").llvm_name == "3:4:2:6:0"
    assert encoding_of("s3_4_c2_c6_0") == encoding_of("VSTTBR_EL2")
    assert encoding_of("tlbi  vmalls12e1is").llvm_name == "1:4:8:3:6"
    assert name_of(SystemEncoding(3, 4, 2, 6, 0)) == "VSTTBR_EL2"
    assert name_of(SystemEncoding(3, 7, 15, 15, 7)) == "S3_7_C15_C15_7"
    generic = find_register("S3_7_C15_C15_7")
    assert generic is not None and generic.access is Access.READ_WRITE
    assert find_register("S1_7_C15_C15_7") is None
    invalidate = find_instruction("tlbi", "alle2")
    assert invalidate is not None and not invalidate.takes_register


def test_unknown_name_names_its_neighbours() -> None:
    with pytest.raises(UnknownSystemName) as caught:
        encoding_of("VSTTBR_EL3")
    assert str(caught.value) == (
        "no system register or SYS instruction is named 'VSTTBR_EL3'; "
        "did you mean VSTTBR_EL2 or VTTBR_EL2 or TTBR0_EL3?"
    )
