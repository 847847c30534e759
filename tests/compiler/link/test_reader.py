"""Reading objects: the same as pyelftools reads, and no damage gets further than an error."""

from __future__ import annotations

import io
import random
from typing import Any, cast

import pytest
from elftools.elf.elffile import ELFFile  # pyright: ignore[reportMissingTypeStubs]

from compiler.link import LinkError, link, parse_script, write_data_object
from compiler.link.reader import read_object
from tests.compiler.link.objects import asm_object, c_object, read_elf
from tests.compiler.link.sources import BLOCKS_S, MAIN_C, SCRIPT


@pytest.mark.parametrize("data", [c_object(MAIN_C), asm_object(BLOCKS_S)], ids=["clang", "as"])
def test_sections_symbols_and_relocations_are_those_of_pyelftools(data: bytes) -> None:
    ours = read_object("unit.o", data)
    file = cast(Any, ELFFile(io.BytesIO(data)))
    sections: list[Any] = list(file.iter_sections())
    for section in ours.sections:
        theirs = sections[section.index]
        assert (section.name, section.size, section.flags) == (theirs.name, theirs["sh_size"], theirs["sh_flags"])
        assert section.data == (b"" if theirs["sh_type"] == "SHT_NOBITS" else theirs.data())
        table = file.get_section_by_name(f".rela{section.name}")
        expected = (
            [(r["r_offset"], r["r_info_sym"], r["r_info_type"], r["r_addend"]) for r in table.iter_relocations()]
            if table
            else []
        )
        assert section.relocations == expected
    symbols = read_elf(data).symbols
    assert [(s.value, s.size) for s in ours.symbols] == [(s.value, s.size) for s in symbols]
    named = [(o.name, t.name) for o, t in zip(ours.symbols, symbols, strict=True) if t.kind != "STT_SECTION"]
    assert all(our_name == their_name for our_name, their_name in named)


@pytest.mark.parametrize(
    ("data", "fact"),
    [
        (b"", "0 bytes is too short"),
        (b"!<arch>\n" + bytes(100), "not with the ELF magic"),
        (b"\x7fELF\x01\x01" + bytes(100), "32-bit little-endian"),
    ],
)
def test_other_files_are_refused(data: bytes, fact: str) -> None:
    with pytest.raises(LinkError) as caught:
        read_object("other.o", data)
    assert caught.value.problems[0].code == "LNK010"
    assert fact in caught.value.problems[0].found[0]


def test_linked_files_are_refused() -> None:
    script = parse_script("ENTRY(e) SECTIONS { e = 1; .a : { QUAD(1) } }")
    with pytest.raises(LinkError, match=r"its type is 2, not relocatable"):
        read_object("linked.elf", link([], script).elf)


def test_tentative_definitions_are_refused() -> None:
    with pytest.raises(LinkError, match=r"LNK018.*tentative"):
        read_object("c.o", c_object("int tentative;", "clang", "-fcommon"))


def test_every_bad_object_is_reported() -> None:
    with pytest.raises(LinkError) as caught:
        link([("a.o", b""), ("b.o", b"x" * 100)], parse_script(SCRIPT))
    assert [problem.message for problem in caught.value.problems] == [
        "a.o is not a usable object",
        "b.o is not a usable object",
    ]


def test_damaged_objects_end_in_a_link_error_or_a_link() -> None:
    chosen = random.Random(11)
    good = c_object("int table[4] = {1}; int *p = table; int entry(int x) { return table[x] + *p; }")
    headers = int.from_bytes(good[40:48], "little")
    script = parse_script(
        "ENTRY(entry) SECTIONS { .text 0x1000 : { *(.text .text.*) } .data : { *(.data .data.*) }"
        " /DISCARD/ : { *(.comment .llvm_addrsig .note*) } }"
    )
    for round_number in range(600):
        data = bytearray(good)
        # Half of the damage goes where the structure is: the file header and the section headers.
        low, high = ((0, 64) if round_number % 4 == 0 else (headers, len(data))) if round_number % 2 else (0, len(data))
        for _ in range(chosen.randrange(1, 4)):
            data[chosen.randrange(low, high)] = chosen.choice([0, 1, 0x7F, 0x80, 0xFF, chosen.randrange(256)])
        if round_number % 10 == 0:
            del data[chosen.randrange(len(data)) :]
        try:
            link([("damaged.o", bytes(data))], script)
        except LinkError as error:
            assert error.problems


def test_data_objects_place_bytes_and_symbols() -> None:
    data = write_data_object(".blobs", b"partition image", {"blob": 0, "middle": 9}, alignment=64)
    script = parse_script("ENTRY(blob) SECTIONS { .rodata 0x1001 + 0xfff : { *(.blobs) } }")
    image = link([("blob.o", data)], script)
    assert image.section_data(".rodata") == b"partition image"
    assert image.symbols["middle"].address == 0x2009
