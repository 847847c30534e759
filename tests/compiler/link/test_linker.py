"""The whole linker against ld.lld: same objects and script, same sections, symbols and bytes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from compiler.link import LinkedImage, link, parse_script
from tests.compiler.link.objects import ElfView, asm_object, c_object, link_with_lld, read_elf, run
from tests.compiler.link.sources import BLOCKS_S, HELPER_C, MAIN_C, SCRIPT
from tests.tools import debian_tool

CONSTANTS = {"IMAGE_BASE": 0x40080000, "plain_number": 0x1234_5678}


def objects(compiler: str, *flags: str) -> list[tuple[str, bytes]]:
    return [
        ("main.o", c_object(MAIN_C, compiler, *flags)),
        ("helper.o", c_object(HELPER_C, compiler, *flags)),
        ("blocks.o", asm_object(BLOCKS_S)),
    ]


def memory_sections(view: ElfView) -> dict[str, tuple[int, int, int]]:
    """Name to (address, size, write/alloc/execute flags) of what is in memory."""
    return {s.name: (s.address, s.size, s.flags) for s in view.sections if s.flags & 2}


def symbols(view: ElfView) -> set[tuple[str, int, int, str, str, str]]:
    """What both linkers must agree on.

    lld gives symbols of a script outside sections another section index, keeps undefined weak symbols, and the data
    markers ($d) of sections that the script discards.
    """
    return {
        (s.name, s.value, s.size, s.kind, s.binding, s.section if s.kind != "STT_NOTYPE" else "")
        for s in view.symbols
        if s.name not in ("", "missing", "$d", "_DYNAMIC") and s.kind != "STT_FILE"
    }


def assert_same(ours: ElfView, theirs: ElfView) -> None:
    assert memory_sections(ours) == memory_sections(theirs)
    assert symbols(ours) == symbols(theirs)
    assert ours.entry == theirs.entry
    for section in ours.sections:
        if section.flags & 2 or section.name.startswith(".debug_"):
            assert section.data == theirs.section(section.name).data, section.name
    keys = ("p_vaddr", "p_paddr", "p_memsz", "p_filesz", "p_flags")
    assert [[s[key] for key in keys] for s in ours.segments] == [[s[key] for key in keys] for s in theirs.segments]


@pytest.mark.parametrize("compiler", ["clang", "aarch64-linux-gnu-gcc"])
@pytest.mark.parametrize("dwarf", ["-gdwarf-4", "-gdwarf-5"])
def test_image_is_the_one_that_lld_makes(compiler: str, dwarf: str, tmp_path: Path) -> None:
    inputs = objects(compiler, dwarf, "-fno-pic")
    script = tmp_path / "image.ld"
    script.write_text(SCRIPT)
    ours = link(inputs, parse_script(SCRIPT, str(script)), symbols=CONSTANTS)
    assert_same(read_elf(ours.elf), link_with_lld(inputs, script, CONSTANTS, folder=tmp_path))


def test_relocatable_image_is_the_one_that_lld_makes(tmp_path: Path) -> None:
    constants = {"IMAGE_BASE": 0x40080000}
    blocks = BLOCKS_S.replace("plain_number", "0x1234").replace("#:abs_g0_nc:", "#").replace("#:abs_g1:", "#")
    main = c_object(MAIN_C.replace("x += missing(x);", ""), "clang", "-fno-pic")
    inputs = [("main.o", main), ("helper.o", c_object(HELPER_C, "clang", "-fno-pic")), ("blocks.o", asm_object(blocks))]
    script = tmp_path / "image.ld"
    script.write_text(SCRIPT)
    ours = link(inputs, parse_script(SCRIPT, str(script)), symbols=constants, relocatable=True)
    theirs = link_with_lld(
        inputs, script, constants, "--pie", "--pack-dyn-relocs=relr", "-z", "notext", "--no-dynamic-linker",
        folder=tmp_path,
    )  # fmt: skip
    assert len(ours.pointer_addresses) >= 7
    assert_same(read_elf(ours.elf), theirs)


def linked() -> LinkedImage:
    return link(objects("clang"), parse_script(SCRIPT), symbols=CONSTANTS)


def test_same_input_gives_same_bytes() -> None:
    assert linked().elf == linked().elf


def test_unreachable_sections_are_dropped_and_listed() -> None:
    image = linked()
    names = {symbol.name for symbol in image.all_symbols}
    assert "dropped" not in names
    assert {"entry", "local", "tail", "helper"} <= names
    assert any(name.startswith("main.o:.text.dropped ") for name in image.dropped)


def test_keep_holds_what_nothing_references() -> None:
    image = link(objects("clang"), parse_script(SCRIPT), symbols=CONSTANTS, keep=["dropped"])
    assert image.symbols["dropped"].size > 0


def test_readelf_finds_nothing_wrong_and_reads_the_line_table(tmp_path: Path) -> None:
    file = tmp_path / "image.elf"
    file.write_bytes(linked().elf)
    readelf = debian_tool("aarch64-linux-gnu-readelf")
    assert "Warning" not in run(readelf, "--all", "--wide", file)
    assert "unit.s" in run(readelf, "--debug-dump=decodedline", file)


def test_gdb_reads_lines_and_static_variables(tmp_path: Path) -> None:
    file = tmp_path / "image.elf"
    image = linked()
    file.write_bytes(image.elf)
    commands = ("info line local", "print &counters", "info symbol tail", "print sizeof(zeroed)")
    arguments = [part for command in commands for part in ("-ex", command)]
    text = run(debian_tool("gdb-multiarch"), "-nx", "-batch", file, *arguments)
    local = next(symbol for symbol in image.all_symbols if symbol.name == "local")
    assert f"starts at address {local.address:#x} <local>" in text
    assert 'Line 13 of "unit.c"' in text
    assert "tail in section .text" in text
    assert "4096" in text


def test_map_lists_sections_inputs_symbols_and_plain_numbers() -> None:
    text = linked().map_text()
    assert "entry 0x40080000" in text
    assert " main.o:.text.entry" in text
    assert "12345678 plain_number" in text
    assert ".stacks" in text


def test_a_link_of_400_functions_takes_tens_of_milliseconds() -> None:
    declarations = "".join(f"int f{n}(int);" for n in range(400))
    bodies = "".join(
        f"__attribute__((noinline)) int f{n}(int x) {{ return x > {n} ? f{(n + 1) % 400}(x - 1) + 1 : x; }}\n"
        for n in range(400)
    )
    data = c_object(declarations + bodies + "int entry(int x) { return f0(x); }", "clang", "-O1")
    script = parse_script(
        "ENTRY(entry) SECTIONS { .text 0x40000000 : { *(.text .text.*) } /DISCARD/ : { *(.llvm_addrsig) } }"
    )
    assert len(link([("big.o", data)], script).functions) == 401
    times: list[float] = []
    for _ in range(3):
        before = time.perf_counter()
        link([("big.o", data)], script)
        times.append(time.perf_counter() - before)
    assert min(times) < 0.25, "five times what it takes on two idle cores"
