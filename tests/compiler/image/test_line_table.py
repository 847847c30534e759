"""The line table: what it says of every instruction is what the image's DWARF and addr2line say."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from compiler.image import LineTableError, build_line_table, find_location, link_with_line_table
from compiler.image.line_table import can_be_reported
from compiler.link import LinkedImage, load_script, parse_script
from compiler.link.linker import link
from tests.compiler.link.objects import asm_object, c_object, run
from tests.compiler.link.sources import BLOCKS_S, HELPER_C, MAIN_C
from tests.tools import debian_tool

SCRIPTS = Path(__file__).parents[3] / "linker_scripts"
CONSTANTS = {"PROGRAM_BASE": 0x40100000, "STACK_SIZE": 0x1000, "plain_number": 0x1234}


def objects() -> list[tuple[str, bytes]]:
    blocks = BLOCKS_S.replace(".section .discarded_note", ".section .rodata.note")
    return [
        ("main.o", c_object(MAIN_C.replace("__stack_top", "__stack_end"), "clang", "-gdwarf-4")),
        ("helper.o", c_object(HELPER_C, "clang", "-gdwarf-4")),
        ("blocks.o", asm_object(blocks)),
    ]


def image() -> LinkedImage:
    return link_with_line_table(objects(), load_script(SCRIPTS / "program.ld"), symbols=CONSTANTS, entry="entry")


def word_at(built: LinkedImage, address: int) -> int:
    section = next(item for item in built.sections if item.address <= address < item.end)
    return int.from_bytes(section.data[address - section.address :][:4], "little")


def test_what_can_be_reported_is_found_as_addr2line_finds_it(tmp_path: Path) -> None:
    built = image()
    (tmp_path / "image.elf").write_bytes(built.elf)
    table = built.section_data(".line_table")
    start = built.symbols["__text_start"].address
    addresses = [a for function in built.functions for a in range(function.address, function.end, 4)]
    reported = [a for a in addresses if can_be_reported(word_at(built, a))]
    known = [a for a in reported if (row := built.lines.find(a)) is not None and row.line]
    assert len(known) > 10
    printed = run(
        debian_tool("aarch64-linux-gnu-addr2line"), "-f", "-e", tmp_path / "image.elf", *map(hex, known)
    ).splitlines()
    for address, place in zip(known, printed[1::2], strict=True):
        found = find_location(table, address - start)
        assert found is not None
        file, line = place.split(" ")[0].rsplit(":", 1)
        assert (Path(found.file).name, str(found.line)) == (Path(file).name, line), hex(address)


def test_function_and_offset_are_those_of_the_symbols() -> None:
    built = image()
    table = built.section_data(".line_table")
    start = built.symbols["__text_start"].address
    for function in built.functions:
        found = find_location(table, function.end - 4 - start)
        assert found is not None
        assert (found.function, found.offset) == (function.name, function.size - 4)


def test_addresses_outside_of_functions_are_not_found() -> None:
    built = image()
    table = built.section_data(".line_table")
    start = built.symbols["__text_start"].address
    assert find_location(table, built.functions[-1].end - start) is None
    assert find_location(table, 1 << 40) is None
    gaps = range(start, built.functions[0].address, 4)
    assert all(find_location(table, a - start) is None for a in gaps)


def big_source(function_count: int, loop_count: int) -> str:
    """Functions of the shape of kernel code: loops, calls, inlined helpers, a few dozen instructions each."""
    chosen = random.Random(7)
    lines = ["static inline int clamp(int x, int lo, int hi) {", "  if (x < lo)", "    return lo;"]
    lines += ["  return x > hi ? hi : x;", "}", "extern int memory[4096];"]
    for n in range(function_count):
        lines += [f"__attribute__((noinline)) int partition_operation_{n}(int a, int b) {{", "  int total = 0;"]
        for _ in range(loop_count):
            lines += [
                f"  for (int i = 0; i < clamp(a, {chosen.randrange(9)}, {chosen.randrange(10, 99)}); i += b)",
                f"    total += memory[(i + {chosen.randrange(99)}) & 4095];",
                f"  if (total > {chosen.randrange(999)})",
                "    return total;",
            ]
        lines += [f"  return total + partition_operation_{n - 1}(b, a);" if n else "  return total;", "}"]
    lines.append(f"int memory[4096]; int entry(void) {{ return partition_operation_{function_count - 1}(1, 2); }}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(("loop_count", "bytes_max"), [(1, 12 * 1024), (2, 18 * 1024)])
def test_size_for_400_functions(loop_count: int, bytes_max: int) -> None:
    source = big_source(400, loop_count)
    data = c_object(source, "clang", "-O2", "-fno-unroll-loops", "-fno-optimize-sibling-calls")
    script = load_script(SCRIPTS / "program.ld")
    built = link_with_line_table([("big.o", data)], script, symbols=CONSTANTS, entry="entry")
    assert len(built.functions) == 401
    assert len(built.section_data(".line_table")) < bytes_max


def test_modules_are_left_out_of_names() -> None:
    source = '# 1 "core/partitions.py"\nint find(int x) { return x + 1; }\nint entry(int x) { return find(x); }\n'
    source = source.replace(
        "int find", 'int find(int) __asm__("core.partitions.find");\n# 7 "core/partitions.py"\nint find'
    )
    script = parse_script("ENTRY(entry) SECTIONS { .text 0x1000 : { __text_start = .; *(.text .text.*) } }")
    built = link([("a.o", c_object(source, "clang", "-O0"))], script)
    function = next(f for f in built.functions if f.name == "core.partitions.find")
    found = find_location(build_line_table(built), function.address - 0x1000)
    assert found is not None
    assert (found.function, found.file, found.line) == ("find", "core/partitions.py", 7)


def test_script_without_text_start_is_refused() -> None:
    script = parse_script("ENTRY(entry) SECTIONS { .text 0x1000 : { *(.text .text.*) } }")
    built = link([("a.o", c_object("int entry(void) { return 1; }"))], script)
    with pytest.raises(LineTableError, match="does not define __text_start"):
        build_line_table(built)


def test_script_that_lets_the_table_move_the_code_is_refused() -> None:
    script = parse_script(
        "ENTRY(entry) SECTIONS { . = 0x1000; .line_table : { KEEP(*(.line_table)) }"
        " .text : { __text_start = .; *(.text .text.*) } }"
    )
    with pytest.raises(LineTableError, match=r"place \*\(\.line_table\) after the code"):
        link_with_line_table([("a.o", c_object("int entry(void) { return 1; }"))], script)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("ldr x0, [x1]", False),
        ("stp x0, x1, [sp, #-16]!", False),
        ("ldaxrb w0, [x1]", False),
        ("bl .", True),
        ("blr x3", True),
        ("ret", True),
        ("brk #7", True),
        ("svc #0", True),
        ("msr vbar_el1, x0", True),
        ("b .", False),
        ("b.ne .", False),
        ("cbz x0, .", False),
        ("tbnz w0, #3, .", False),
        ("add x0, x1, x2", False),
        ("adrp x0, .", False),
        ("hint #34", False),
        ("madd x0, x1, x2, x3", False),
    ],
)
def test_which_instructions_can_be_reported(statement: str, expected: bool) -> None:
    built = link([("one.o", asm_object(f".text\n.global entry\nentry: {statement}\n"))], parse_script(ONE, "one.ld"))
    assert can_be_reported(word_at(built, 0x1000)) is expected


ONE = "ENTRY(entry) SECTIONS { . = 0x1000; .text : { *(.text) } }"
