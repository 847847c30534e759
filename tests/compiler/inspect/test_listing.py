"""Listings of what GNU's tools made, compared with what GNU's tools say about it."""

import re
import subprocess
from pathlib import Path

import pytest

from compiler.inspect.disassembly import disassemble
from compiler.inspect.executable import Executable, NotAnImage, read_executable
from compiler.inspect.listing import Listing
from tests.tools import debian_tool

SOURCE = """\
int table[4] = {1, 2, 3, 4};
int zeroed[10];
static inline int twice(int x) {
    return x * 2;
}
__attribute__((noinline)) int work(int x) {
    zeroed[1] = x;
    return twice(x) + table[x & 3];
}
int choose(int x) {
    if (x > 3)
        return work(x) + 1;
    return x / 3;
}
void _start(void) {
    for (;;)
        choose(3);
}
"""


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("listing")
    (folder / "work.c").write_text(SOURCE)
    compiler = debian_tool("aarch64-linux-gnu-gcc")
    command = [compiler, "-g", "-O1", "-ffreestanding", "-nostdlib", "-static", "-o", "work.elf", "work.c"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "work.elf"


@pytest.fixture(scope="module")
def executable(elf: Path) -> Executable:
    return read_executable(elf.read_bytes())


def test_functions_are_those_of_readelf(elf: Path, executable: Executable) -> None:
    readelf = debian_tool("aarch64-linux-gnu-readelf")
    said = subprocess.run([readelf, "-sW", elf], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in said.splitlines() if " FUNC " in line]
    expected = sorted((int(row[1], 16), int(row[2]), row[7]) for row in rows)
    assert [(f.address, len(f.code), f.name) for f in executable.functions] == expected
    assert {name for _, _, name in expected} == {"work", "choose", "_start"}


def test_instructions_and_targets_are_those_of_objdump(elf: Path, executable: Executable) -> None:
    objdump = debian_tool("aarch64-linux-gnu-objdump")
    said = subprocess.run([objdump, "-d", "-w", elf], capture_output=True, text=True, check=True).stdout
    expected: dict[int, tuple[int, str, str]] = {}
    for line in said.splitlines():
        match = re.match(r"\s+([0-9a-f]+):\t([0-9a-f]{8}) \t(\S+)(.*)", line)
        if match:
            target = re.search(r"<([^>]+)>", match[4])
            expected[int(match[1], 16)] = (int(match[2], 16), match[3], target[1] if target else "")
    count = 0
    for function in executable.functions:
        for instruction in disassemble(function.code, function.address):
            count += 1
            word, mnemonic, place = expected[instruction.address]
            assert (instruction.word, instruction.mnemonic) == (word, mnemonic)
            if mnemonic in ("bl", "b") or mnemonic.startswith("b."):
                assert executable.place(instruction.refers_to or 0) == place
    assert count == sum(len(function.code) for function in executable.functions) // 4 > 15


def test_source_lines_stand_above_their_instructions(elf: Path, executable: Executable) -> None:
    (work,) = [function for function in executable.functions if function.name == "work"]
    lines = list(Listing(executable, elf.parent).function(work))
    assert re.fullmatch(rf"0+{work.address:x} <work>: {len(work.code)} bytes  work\.c", lines[0])
    assert lines[1].strip() == "7 | zeroed[1] = x;"
    assert any("<zeroed+0x4>" in line for line in lines)
    position = next(index for index, line in enumerate(lines) if line.strip().startswith("8 | return twice(x) + table"))
    assert any("<table>" in line for line in lines[position:])


def test_the_whole_listing_holds_every_function_and_instruction(elf: Path, executable: Executable) -> None:
    text = Listing(executable, elf.parent).text
    assert re.findall(r"^0{4}[0-9a-f]+ <(\w+)>", text, re.M) == [f.name for f in executable.functions]
    code_size = sum(len(function.code) for function in executable.functions)
    assert len(re.findall(r"^ +[0-9a-f]+:  [0-9a-f]{8}  ", text, re.M)) == code_size // 4


def test_sizes_are_those_of_size(elf: Path, executable: Executable) -> None:
    size = debian_tool("aarch64-linux-gnu-size")
    said = subprocess.run([size, elf], capture_output=True, text=True, check=True).stdout.splitlines()[1].split()
    sizes = executable.size_bytes
    assert (sizes["code"] + sizes["constants"], sizes["data"], sizes["zeroed"]) == tuple(map(int, said[:3]))


def test_an_unknown_word_is_data() -> None:
    (instruction,) = disassemble(b"\xff\xff\xff\xff", 0x1000)
    assert (instruction.mnemonic, instruction.operands) == (".word", "0xffffffff")


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"\x7fELF" + bytes(200), b"#!/bin/sh\n" * 20])
def test_what_is_no_image_is_refused(content: bytes) -> None:
    with pytest.raises(NotAnImage):
        read_executable(content)


def test_a_damaged_image_is_refused_or_read(elf: Path) -> None:
    whole = elf.read_bytes()
    for length in range(0, len(whole), 97):
        try:
            read_executable(whole[:length])
        except NotAnImage:
            continue
