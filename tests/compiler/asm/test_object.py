"""Objects of blocks read by objdump and readelf, linked by ld.lld, and asked for lines by gdb."""

import io
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

from compiler.asm import AssembledBlock, write_object
from compiler.program.objects import INLINE_LIST_SECTION
from tests.compiler.asm.support import block
from tests.tools import debian_tool

_CALLER = """in x0
out x0
clobber caller_saved
call handle, table
begin
    stp x29, x30, [sp, #-16]!
    adrp x1, {table}
    ldr x1, [x1, :lo12:{table}]
    bl handle
    ldp x29, x30, [sp], #16
    ret
"""
_HANDLER = """in x0, x1
out x0
global inner
align 16
begin
    add x0, x0, x1
inner:
    ret
    .balign 4
    .word 0x12345678
"""


def _blocks() -> list[AssembledBlock]:
    return [block(_CALLER, "caller"), block(_HANDLER, "core.handle")]


def _run(*command: str) -> str:
    return subprocess.run([debian_tool(command[0]), *command[1:]], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def object_file(tmp_path: Path) -> Path:
    path = tmp_path / "blocks.o"
    path.write_bytes(write_object(_blocks(), directory="/source"))
    return path


@pytest.fixture
def linked(object_file: Path) -> Path:
    table = object_file.with_name("table.s")
    table.write_text(".data\n.balign 8\n.globl core.table\ncore.table: .quad 42\n")
    _run("aarch64-linux-gnu-as", "-o", str(table.with_suffix(".o")), str(table))
    output = object_file.with_name("image.elf")
    objects = [str(object_file), str(table.with_suffix(".o"))]
    script = object_file.with_name("image.ld")
    script.write_text("SECTIONS { .text 0x40000000 : { *(.text*) } .data : { *(.data) } }")
    _run("ld.lld", "-T", str(script), "-e", "caller", "-o", str(output), *objects)
    return output


def test_readelf_has_no_complaint_and_shows_sized_functions(object_file: Path) -> None:
    command = [debian_tool("aarch64-linux-gnu-readelf"), "-aW", "--debug-dump", str(object_file)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    assert run.stderr == ""
    symbols = _run("aarch64-linux-gnu-readelf", "-sW", str(object_file))
    rows = [line.split()[1:] for line in symbols.splitlines() if " FUNC " in line]
    assert rows == [
        ["0000000000000000", "24", "FUNC", "GLOBAL", "DEFAULT", "1", "caller"],
        ["0000000000000000", "12", "FUNC", "GLOBAL", "DEFAULT", "2", "core.handle"],
        ["0000000000000004", "8", "FUNC", "GLOBAL", "DEFAULT", "2", "inner"],
    ]


def test_objdump_shows_lines_and_tells_data_from_code(object_file: Path) -> None:
    listing = _run("aarch64-linux-gnu-objdump", "-dlr", str(object_file))
    assert "/source/sample.py:7\n   4:\t90000001 \tadrp\tx1, 0 <core.table>" in listing
    assert "R_AARCH64_LDST64_ABS_LO12_NC\tcore.table" in listing
    assert "/source/sample.py:9\n   c:\t94000000 \tbl\t0 <caller>" in listing
    assert ".word\t0x12345678" in listing


def test_lld_links_the_object_and_lines_stay_right(linked: Path) -> None:
    listing = _run("aarch64-linux-gnu-objdump", "-dl", str(linked))
    assert "/source/sample.py:9\n    4000000c:\t94000005 \tbl\t40000020 <core.handle>" in listing
    assert "/source/sample.py:6\n    40000020:\t8b010000 \tadd\tx0, x0, x1" in listing
    with linked.open("rb") as file:
        image = ELFFile(file)
        assert image.header["e_machine"] == "EM_AARCH64"


def test_gdb_finds_lines_and_functions(linked: Path) -> None:
    questions = ["-ex", "info line *0x4000000c", "-ex", "info symbol 0x40000024"]
    output = _run("gdb-multiarch", "-nx", "-batch", *questions, str(linked))
    assert 'Line 9 of "sample.py" starts at address 0x4000000c <caller+12>' in output
    assert "inner in section .text" in output


def test_readelf_reads_the_unwind_rows(linked: Path) -> None:
    frames = _run("aarch64-linux-gnu-readelf", "--debug-dump=frames-interp", str(linked))
    rows = [line.split() for line in frames.splitlines() if line.startswith("00000000400000")]
    assert rows[:3] == [
        ["0000000040000000", "sp+0", "u", "u"],
        ["0000000040000004", "sp+16", "c-16", "c-8"],
        ["0000000040000014", "sp+0", "u", "u"],
    ]


def test_relocations_and_inline_list_for_the_linker() -> None:
    inline = block("inline\nclobber memory\nbegin\n dsb sy", "barrier")
    image = ELFFile(io.BytesIO(write_object([*_blocks(), inline])))
    relocations = image.get_section_by_name(".rela.text.caller")
    assert isinstance(relocations, RelocationSection)
    symbols = image.get_section_by_name(".symtab")
    assert isinstance(symbols, SymbolTableSection)
    shown = [
        (entry["r_offset"], entry["r_info_type"], symbols.get_symbol(entry["r_info_sym"]).name)
        for entry in relocations.iter_relocations()
    ]
    assert shown == [(4, 275, "core.table"), (8, 286, "core.table"), (12, 283, "core.handle")]
    inline_list = image.get_section_by_name(INLINE_LIST_SECTION)
    assert inline_list is not None and inline_list.data() == b"barrier\0"


def test_the_same_blocks_give_the_same_bytes_and_double_definitions_are_refused() -> None:
    assert write_object(_blocks()) == write_object(_blocks())
    with pytest.raises(ValueError, match="symbol caller is defined twice in one object"):
        write_object([block(_CALLER, "caller"), block(_CALLER, "caller")])
