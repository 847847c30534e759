"""Line tables: row for row what GNU readelf decodes, for DWARF 2 to 5 of three producers."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from compiler.link import DwarfError, LinkedImage, link, parse_script
from compiler.link.dwarf_lines import decode_line_table
from tests.compiler.link.objects import asm_object, c_object, run
from tests.compiler.link.sources import BLOCKS_S, HELPER_C, MAIN_C, SCRIPT
from tests.tools import debian_tool

CONSTANTS = {"IMAGE_BASE": 0x40080000, "plain_number": 0x1234}


def image(compiler: str, dwarf: str) -> LinkedImage:
    objects = [
        ("main.o", c_object(MAIN_C, compiler, dwarf, "-fno-pic")),
        ("helper.o", c_object(HELPER_C, compiler, dwarf, "-fno-pic")),
        ("blocks.o", asm_object(BLOCKS_S)),
    ]
    return link(objects, parse_script(SCRIPT), symbols=CONSTANTS)


@pytest.mark.parametrize("dwarf", ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5"])
@pytest.mark.parametrize("compiler", ["clang", "aarch64-linux-gnu-gcc"])
def test_rows_are_those_of_readelf(compiler: str, dwarf: str, tmp_path: Path) -> None:
    built = image(compiler, dwarf)
    (tmp_path / "image.elf").write_bytes(built.elf)
    text = run(debian_tool("aarch64-linux-gnu-readelf"), "-wL", "--wide", tmp_path / "image.elf")
    printed = re.findall(r"^(\S+)\s+(\d+|-)\s+(0x[0-9a-f]+)(?:\[\d+\])?\s*(?:\d+)?\s*(x?)", text, re.MULTILINE)
    expected = [
        (int(address, 16), name, int(line), mark == "x") for name, line, address, mark in printed if line != "-"
    ]
    expected = [row for row in expected if row[0] >= 0x40080000]
    rows = [
        (row.address, Path(row.path).name, row.line, row.is_statement)
        for sequence in built.lines.sequences
        for row in sequence.rows
    ]
    assert len(rows) > 50
    assert sorted(rows) == sorted(expected)


def test_lookups_between_rows_find_the_row_before() -> None:
    built = image("clang", "-gdwarf-4")
    sequence = built.lines.sequences[0]
    first, second = next(
        (a, b) for a, b in zip(sequence.rows, sequence.rows[1:], strict=False) if b.address > a.address + 4
    )
    assert built.lines.find(second.address - 1) == built.lines.find(first.address + 4)
    assert built.lines.find(sequence.start - 1) is None
    assert built.lines.find(built.lines.sequences[-1].end) is None


def test_damaged_tables_end_in_a_dwarf_error_or_a_table() -> None:
    chosen = random.Random(3)
    built = image("clang", "-gdwarf-5")
    good, strings, names = (built.section_data(n) for n in (".debug_line", ".debug_line_str", ".debug_str"))
    for _ in range(300):
        data = bytearray(good)
        for _ in range(3):
            data[chosen.randrange(len(data))] = chosen.randrange(256)
        try:
            decode_line_table(bytes(data), strings, names, [(0, 1 << 64)])
        except DwarfError as error:
            assert str(error)
