"""Relocations: what GNU as and ld.lld make of the same field, and what is said when a value does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.link import LinkedImage, LinkError, link, parse_script
from tests.compiler.link.objects import asm_object, c_object, link_with_lld, read_elf

SCRIPT = """
ENTRY(entry)
SECTIONS {
  .text 0x40000000 : { *(.text .text.*) }
  .far FAR : { KEEP(*(.far)) }
  /DISCARD/ : { *(.comment .note .note.* .llvm_addrsig) }
}
"""

INSTRUCTIONS = {
    "CALL26": "bl target",
    "JUMP26": "b target",
    "CONDBR19": "b.eq target",
    "TSTBR14": "tbnz x3, #40, target",
    "LD_PREL_LO19": "ldr x7, target",
    "ADR_PREL_LO21": "adr x9, target + 1",
    "ADR_PREL_PG_HI21": "adrp x9, target",
    "ADR_PREL_PG_HI21_NC": "adrp x9, :pg_hi21_nc:target",
    "ADD_ABS_LO12_NC": "add x1, x2, :lo12:target",
    "LDST8_ABS_LO12_NC": "strb w1, [x2, :lo12:target]",
    "LDST16_ABS_LO12_NC": "ldrh w1, [x2, :lo12:target]",
    "LDST32_ABS_LO12_NC": "ldr w1, [x2, :lo12:target]",
    "LDST64_ABS_LO12_NC": "ldr x1, [x2, :lo12:target]",
    "LDST128_ABS_LO12_NC": "ldr q1, [x2, :lo12:target]",
    "MOVW_UABS_G0": "movz x1, #:abs_g0:number",
    "MOVW_UABS_G0_NC": "movk x1, #:abs_g0_nc:target",
    "MOVW_UABS_G1": "movz x1, #:abs_g1:target",
    "MOVW_UABS_G1_NC": "movk x1, #:abs_g1_nc:target",
    "MOVW_UABS_G2": "movz x1, #:abs_g2:target",
    "MOVW_UABS_G2_NC": "movk x1, #:abs_g2_nc:target",
    "MOVW_UABS_G3": "movk x1, #:abs_g3:target",
    "ABS64": ".xword target + 0x123456789",
    "ABS32": ".word target - 0x40000000",
    "ABS16": ".hword number",
    "PREL64": ".xword target - .",
    "PREL32": ".word target - . + 3",
    "PREL16": ".hword target - .",
}


def inputs(text: str) -> list[tuple[str, bytes]]:
    head = '.section .text.entry, "ax"\n.global entry\n.type entry, %function\nentry:\n'
    return [
        (
            "unit.o",
            asm_object(f'{head}{text}\n.size entry, . - entry\n.section .far, "ax"\n.global target\ntarget: ret\n'),
        )
    ]


def build(text: str, distance: int, **constants: int) -> LinkedImage:
    symbols = {"FAR": 0x40000000 + distance, **constants}
    return link(inputs(text), parse_script(SCRIPT), symbols=symbols)


@pytest.mark.parametrize("name", sorted(INSTRUCTIONS))
@pytest.mark.parametrize("distance", [0x1000, 0x7FF0])
def test_fields_are_those_that_lld_writes(name: str, distance: int, tmp_path: Path) -> None:
    text = INSTRUCTIONS[name]
    script = tmp_path / "image.ld"
    script.write_text(SCRIPT)
    constants = {"FAR": 0x40000000 + distance, "number": 0x1234}
    theirs = link_with_lld(inputs(text), script, constants, folder=tmp_path)
    ours = read_elf(build(text, distance, number=0x1234).elf)
    assert ours.section(".text").data == theirs.section(".text").data


@pytest.mark.parametrize(
    ("text", "reach"),
    [
        ("bl target", 1 << 27),
        ("b target", 1 << 27),
        ("b.ne target", 1 << 20),
        ("cbz x1, target", 1 << 20),
        ("tbz x1, #3, target", 1 << 15),
        ("adr x1, target", 1 << 20),
        ("ldr x1, target", 1 << 20),
        ("adrp x1, target", 1 << 32),
        (".word target - .", 1 << 32),
    ],
)
def test_the_last_reachable_target_is_reached_and_the_next_is_an_error(text: str, reach: int) -> None:
    step = 0x1000 if "adrp" in text else 4
    assert build(text, reach - step)
    with pytest.raises(LinkError) as caught:
        build(text, reach)
    (problem,) = caught.value.problems
    assert problem.code == "LNK014"
    assert problem.found[0].startswith("used by entry")
    assert problem.found[0].endswith("(unit.o:.text.entry+0x0), target target")


def test_misaligned_targets_are_errors() -> None:
    with pytest.raises(LinkError, match=r"LNK015.*LDST64_ABS_LO12_NC needs a target aligned to 8 bytes"):
        build("ldr x1, [x2, :lo12:target + 4]", 0x1000)
    with pytest.raises(LinkError, match="CALL26 needs a target aligned to 4 bytes"):
        build("bl target + 2", 0x1000)


def test_undefined_symbols_name_function_line_and_a_similar_name() -> None:
    source = (
        "int frobnicate(int x) { return x; }\nint frobnicat(int);\nint entry(int x) {\n  return frobnicat(x) + 1;\n}\n"
    )
    with pytest.raises(LinkError) as caught:
        link([("a.o", c_object(source))], parse_script(SCRIPT), symbols={"FAR": 0x50000000})
    (problem,) = caught.value.problems
    assert (problem.code, problem.message) == ("LNK013", "symbol frobnicat is not defined")
    assert problem.found[0].startswith("used by entry at unit.c:4 (a.o:.text.entry+0x")
    assert problem.fix == "did you mean frobnicate?"


def test_undefined_symbols_in_dropped_code_do_not_matter() -> None:
    source = "int nothing(int); int dropped(int x) { return nothing(x); } int entry(void) { return 1; }"
    assert link([("a.o", c_object(source))], parse_script(SCRIPT), symbols={"FAR": 0x50000000})


def test_duplicate_symbols_name_both_places() -> None:
    source = c_object("int entry(void) { return 1; }")
    with pytest.raises(LinkError) as caught:
        link([("a.o", source), ("b.o", source)], parse_script(SCRIPT), symbols={"FAR": 0x50000000})
    (problem,) = caught.value.problems
    assert (problem.code, problem.found) == ("LNK012", ("a.o:.text.entry", "b.o:.text.entry"))
    with pytest.raises(LinkError, match=r"entry is defined twice[^$]*the symbols passed to the linker"):
        link([("a.o", source)], parse_script(SCRIPT), symbols={"FAR": 0x50000000, "entry": 1})


def test_got_and_tls_say_what_to_do() -> None:
    with pytest.raises(LinkError, match=r"LNK011.*GOT[^$]*hidden visibility"):
        build("adrp x0, :got:target", 0x1000)
    with pytest.raises(LinkError, match=r"LNK011.*TLS[^$]*per-CPU data"):
        build("adrp x0, :gottprel:local_to_thread", 0x1000)


RELOCATABLE = SCRIPT.replace("/DISCARD/", ".relr.dyn : { __relr_start = .; *(.relr.dyn) __relr_end = .; }\n  /DISCARD/")


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (".word target", "LNK017", "ABS32 against an address in the image"),
        ("movz x1, #:abs_g1:target", "LNK017", "MOVW_UABS_G1 against an address in the image"),
        ("adrp x1, number", "LNK017", "ADR_PREL_PG_HI21 against a plain number"),
        (".word 0\n.xword target", "LNK015", "is not 8-byte aligned"),
    ],
)
def test_what_breaks_when_the_image_moves_is_an_error(text: str, code: str, message: str) -> None:
    with pytest.raises(LinkError) as caught:
        link(
            inputs(text), parse_script(RELOCATABLE), symbols={"FAR": 0x40010000, "number": 0x40000000}, relocatable=True
        )
    assert [problem.code for problem in caught.value.problems] == [code]
    assert message in caught.value.problems[0].message


def test_relocatable_image_needs_a_place_for_its_table() -> None:
    with pytest.raises(LinkError, match=r"LNK005.*pointers to adjust \(1\)[^$]*\.relr\.dyn"):
        link(inputs(".xword target"), parse_script(SCRIPT), symbols={"FAR": 0x40010000}, relocatable=True)


def test_plain_numbers_in_pointers_need_no_fixing_up() -> None:
    image = link(
        inputs(".xword number, target"),
        parse_script(RELOCATABLE),
        symbols={"FAR": 0x40010000, "number": 0x1234},
        relocatable=True,
    )
    assert image.pointer_addresses == (0x40000008,)


def test_entry_has_to_be_named_and_defined() -> None:
    with pytest.raises(LinkError, match="the entry nobody is not defined"):
        link(inputs("ret"), parse_script(SCRIPT), symbols={"FAR": 0x40010000}, entry="nobody")
    with pytest.raises(LinkError, match="names no entry"):
        link([], parse_script("SECTIONS { x = 1; }"))
