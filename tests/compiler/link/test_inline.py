"""Inline assembly blocks at link time: calls become the instruction; everything else finds the function."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.asm import write_object
from compiler.link import LinkedImage, LinkError, link, parse_script
from tests.compiler.asm.support import block
from tests.compiler.link.objects import asm_object, link_with_lld, read_elf, run
from tests.tools import debian_tool

SCRIPT = "ENTRY(caller) SECTIONS { .text 0x40000000 : { *(.text*) } .data : { *(.data*) } }"
CALLER = """
        .section .text.caller, "ax"
        .global caller
        .type caller, %function
caller: stp x29, x30, [sp, #-16]!
        bl flip
        mov x1, x0
        bl ordinary
        bl flip
        ldp x29, x30, [sp], #16
        ret
        .size caller, . - caller
"""
TAIL_CALL = CALLER.replace("        ret\n", "        b flip\n")
ADDRESS = CALLER.replace("        ret\n", "        adrp x2, flip\n        add x2, x2, :lo12:flip\n        ret\n")
RBIT, RET = 0xDAC00000, 0xD65F03C0


def blocks() -> bytes:
    flip = block("inline\nin x0\nout x0\nbegin\n rbit x0, x0", "flip")
    ordinary = block("in x0, x1\nout x0\nbegin\n add x0, x0, x1\n ret", "ordinary")
    return write_object([flip, ordinary])


def linked(caller: str) -> LinkedImage:
    return link([("caller.o", asm_object(caller)), ("blocks.o", blocks())], parse_script(SCRIPT))


def code_of(image: LinkedImage, name: str) -> list[int]:
    """The words of a function."""
    symbol = next(symbol for symbol in image.functions if symbol.name == name)
    text = next(section for section in image.sections if section.name == ".text")
    start = symbol.address - text.address
    return [int.from_bytes(text.data[at : at + 4], "little") for at in range(start, start + symbol.size, 4)]


def test_the_instruction_stands_where_the_call_was_and_the_function_is_dropped() -> None:
    image = linked(CALLER)
    words = code_of(image, "caller")
    assert (words[1], words[4]) == (RBIT, RBIT)
    assert words[3] >> 26 == 0x25
    assert [symbol.name for symbol in image.functions] == ["caller", "ordinary"]
    assert "blocks.o:.text.flip (8 bytes)" in image.dropped
    assert ".tantalum.inline" not in {section.name for section in image.sections}


@pytest.mark.parametrize("caller", [TAIL_CALL, ADDRESS])
def test_tail_calls_and_addresses_find_the_function(caller: str) -> None:
    image = linked(caller)
    words = code_of(image, "caller")
    assert (words[1], words[4]) == (RBIT, RBIT)
    assert code_of(image, "flip") == [RBIT, RET]


def test_calls_without_inline_blocks_are_those_of_lld(tmp_path: Path) -> None:
    ordinary = write_object([block("in x0\nout x0\nbegin\n rbit x0, x0\n ret", "flip")])
    caller = CALLER.replace("bl ordinary", "nop")
    inputs = [("caller.o", asm_object(caller)), ("blocks.o", ordinary)]
    script = tmp_path / "image.ld"
    script.write_text(SCRIPT)
    theirs = link_with_lld(inputs, script, {}, folder=tmp_path)
    assert read_elf(link(inputs, parse_script(SCRIPT)).elf).section(".text").data == theirs.section(".text").data


def test_other_linkers_call_the_function_and_drop_the_list(tmp_path: Path) -> None:
    script = tmp_path / "image.ld"
    script.write_text(SCRIPT)
    inputs = [("caller.o", asm_object(CALLER)), ("blocks.o", blocks())]
    view = link_with_lld(inputs, script, {}, folder=tmp_path)
    assert ".tantalum.inline" not in {section.name for section in view.sections}
    text = run(debian_tool("aarch64-linux-gnu-objdump"), "-d", tmp_path / "lld.elf")
    assert text.count("<flip>\n") == 2


def test_the_line_of_the_call_is_the_line_of_the_instruction() -> None:
    image = linked(CALLER)
    caller = next(symbol for symbol in image.functions if symbol.name == "caller")
    row = image.lines.find(caller.address + 4)
    assert row is not None
    assert (row.path.rpartition("/")[2], CALLER.splitlines()[row.line - 1].strip()) == ("unit.s", "bl flip")


@pytest.mark.parametrize(
    "listed", ['.asciz "absent"', '.asciz "caller"', ".byte 0xff, 0"], ids=["unknown", "too long", "not UTF-8"]
)
def test_a_wrong_list_is_a_damaged_object(listed: str) -> None:
    source = f"{CALLER.replace('bl flip', 'nop').replace('bl ordinary', 'nop')}.section .tantalum.inline\n{listed}\n"
    with pytest.raises(LinkError) as caught:
        link([("caller.o", asm_object(source))], parse_script(SCRIPT))
    (problem,) = caught.value.problems
    assert (problem.code, problem.message) == ("LNK010", "caller.o is not a usable object")
    assert "which is not one instruction and RET" in problem.found[0]
