"""Linker scripts: what they mean, and what is said about those that mean nothing."""

from __future__ import annotations

import random

import pytest

from compiler.link import LinkedImage, LinkError, link, parse_script
from tests.compiler.link.objects import asm_object, c_object
from tests.compiler.link.sources import SCRIPT

EMPTY = "ENTRY(e) SECTIONS {{ e = 0x1000; {} }}"


def value_of(expression: str) -> int:
    return link([], parse_script(EMPTY.format(f"x = {expression};"))).symbols["x"].address


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("20 - 5 - 3", 12),
        ("100 / 10 / 5", 2),
        ("17 % 5", 2),
        ("1 << 4 + 1", 32),
        ("0xff & 0x0f | 0x30 ^ 0x11", 0x2F),
        ("1 | 2 == 2", 1),
        ("~0 >> 60", 15),
        ("-1", (1 << 64) - 1),
        ("!5 + !0", 1),
        ("3 > 2 && 2 >= 3 || 1 != 0", 1),
        ("0 ? 1 : 2 ? 3 : 4", 3),
        ("4K + 1M", 0x101000),
        ("ALIGN(0x1234, 0x100)", 0x1300),
        ("MAX(3, 7) - MIN(3, 7)", 4),
        ("DEFINED(e) + DEFINED(nothing)", 1),
        ("ABSOLUTE(e) + 4", 0x1004),
    ],
)
def test_expressions_have_the_precedence_of_c(expression: str, value: int) -> None:
    assert value_of(expression) == value


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("SECTIONS {\n  .text : { *(.text) }\n  x = 3\n}\n", "unexpected '}'", 4, 1),
        ("SECTIONS {\n  .text { }\n}\n", "unexpected '{'", 2, 9),
        ("SECTIONS { .text : { *(.text }", "unexpected '}'", 1, 30),
        ("MEMORY { ram : ORIGIN = 0 }", "MEMORY is not supported", 1, 8),
        ("SECTIONS { .a : SUBALIGN(4) { } }", "SUBALIGN is not supported", 1, 17),
        ("SECTIONS { x = 010; }", "the number 010 is octal to GNU ld and decimal to ld.lld", 1, 16),
        ("SECTIONS { x = ALIGN(1, 2, 3); }", "ALIGN takes 1 or 2 argument(s), 3 given", 1, 16),
        ("SECTIONS { x = SIZEOF(4); }", "SIZEOF takes a name", 1, 16),
        ("SECTIONS { x = * 4; }", "unexpected '*'", 1, 16),
        ("SECTIONS { PROVIDE(x += 4); }", "'+=' cannot be used in PROVIDE", 1, 22),
        ("PHDRS { p PT_NOTE; }", "the program header type PT_NOTE is not supported", 1, 11),
        ("SECTIONS {", "unexpected the end of the file", 1, 11),
        ("\n\n  @", "unexpected '@'", 3, 3),
    ],
)
def test_bad_syntax_is_shown_where_it_is(text: str, message: str, line: int, column: int) -> None:
    with pytest.raises(LinkError) as caught:
        parse_script(text, "bad.ld")
    (problem,) = caught.value.problems
    assert problem.code == "LNK001"
    assert message in problem.message
    assert problem.position is not None
    assert (problem.position.line, problem.position.column) == (line, column)
    assert problem.fix
    assert f"--> bad.ld:{line}:{column}" in problem.render()


def test_rendering_shows_the_line_and_a_caret() -> None:
    with pytest.raises(LinkError) as caught:
        parse_script("SECTIONS {\n\tx = 3 +;\n}\n", "bad.ld")
    assert str(caught.value).splitlines()[:5] == [
        "error[LNK001]: unexpected ';' in the linker script",
        "  --> bad.ld:2:9",
        "   |",
        " 2 |  x = 3 +;",
        "   |         ^",
    ]


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("x = y;", "LNK002", "symbol y is not defined"),
        ("x = SIZEOF(.nothing);", "LNK002", "there is no output section .nothing"),
        ("x = 4 / 0;", "LNK002", "division by zero"),
        ("x = ALIGN(3);", "LNK002", "ALIGN needs a power of two, not 0x3"),
        ('ASSERT(1 == 2, "one is not two")', "LNK003", "one is not two"),
        (".a 0x2000 : { . += 16; . = 0x2004; }", "LNK004", "moves back from 0x2010 to 0x2004 in .a"),
        (".a 0x2000 : { . += 16; } .b 0x2008 : { . += 16; }", "LNK006", "sections .a and .b overlap"),
        (".a 0x2004 : ALIGN(16) { . += 16; }", "LNK007", "starts at 0x2004, its contents need 0x10"),
        (".a : ALIGN(12) { . += 16; }", "LNK001", "ALIGN(0xc) is not a power of two"),
        ("x = y + 1; y = x + 1;", "LNK019", "still moves after 16 passes"),
    ],
)
def test_bad_layouts_are_reported(body: str, code: str, message: str) -> None:
    with pytest.raises(LinkError) as caught:
        link([], parse_script(EMPTY.format(body)))
    assert [problem.code for problem in caught.value.problems] == [code]
    assert message in caught.value.problems[0].message


def test_all_problems_of_a_script_are_reported_at_once() -> None:
    with pytest.raises(LinkError) as caught:
        link([], parse_script(EMPTY.format('x = y; ASSERT(0, "first") ASSERT(0, "second")')))
    assert [problem.code for problem in caught.value.problems] == ["LNK002", "LNK003", "LNK003"]


def test_program_headers_have_to_be_listed() -> None:
    script = "ENTRY(e) PHDRS { a PT_LOAD; } SECTIONS { e = 1; .a : { QUAD(1) } :b }"
    with pytest.raises(LinkError, match="names the program header b, which PHDRS does not list"):
        link([], parse_script(script))
    script = "ENTRY(e) PHDRS { a PT_LOAD; } SECTIONS { e = 1; .a : { QUAD(1) } }"
    with pytest.raises(LinkError, match=r"section .a is in no program header"):
        link([], parse_script(script))


def image(rules: str) -> LinkedImage:
    source = "".join(
        f'.section {name}, "ax"\n.balign {1 << at}\n.word {at}\n'
        for at, name in enumerate([".t.c", ".t.a", ".u", ".t.b"])
    )
    script = f"ENTRY(e) SECTIONS {{ e = 0; .text 0x1000 : {{ {rules} }} }}"
    return link([("unit.o", asm_object(source + ".text\n"))], parse_script(script))


@pytest.mark.parametrize(
    ("rules", "order"),
    [
        ("KEEP(*(.t.* .u))", [".t.c", ".t.a", ".u", ".t.b"]),
        ("KEEP(*(SORT(.t.*))) KEEP(*(.u))", [".t.a", ".t.b", ".t.c", ".u"]),
        ("KEEP(*(SORT_BY_ALIGNMENT(.t.*) .u))", [".t.b", ".t.a", ".t.c", ".u"]),
        ("KEEP(*(.t.[ab])) KEEP(*(.t.[^ab] .u))", [".t.a", ".t.b", ".t.c", ".u"]),
        ("KEEP(nothing.o(.t.*)) KEEP(*nit.o(.u)) KEEP(*(.t.?))", [".u", ".t.c", ".t.a", ".t.b"]),
    ],
)
def test_rules_decide_the_order(rules: str, order: list[str]) -> None:
    placed = sorted((c.address, c.name) for c in image(rules).contributions if c.name.startswith((".t", ".u")))
    assert [name for _, name in placed] == order


def test_provide_yields_to_a_definition_and_needs_a_use() -> None:
    source = "extern char wanted[]; char *entry(void) { return wanted; } int defined = 1;"
    script = """ENTRY(entry) SECTIONS { .text 0x1000 : { *(.text .text.*) }
      PROVIDE(wanted = 0x2000); PROVIDE(defined = 0x3000); PROVIDE(unused = 0x4000); HIDDEN(local = 5);
      .data : { KEEP(*(.data .data.*)) } /DISCARD/ : { *(.comment .llvm_addrsig) } }"""
    symbols = {s.name: s for s in link([("a.o", c_object(source))], parse_script(script)).all_symbols}
    assert symbols["wanted"].address == 0x2000
    assert symbols["defined"].section == ".data"
    assert "unused" not in symbols
    assert symbols["local"].binding == 0


def test_random_scripts_never_end_in_anything_but_a_link_error() -> None:
    chosen = random.Random(5)
    words = SCRIPT.split()
    for _ in range(300):
        mutated = list(words)
        for _ in range(chosen.randrange(1, 4)):
            at = chosen.randrange(len(mutated))
            action = chosen.randrange(3)
            if action == 0:
                del mutated[at]
            elif action == 1:
                mutated[at] = chosen.choice(words)
            else:
                mutated.insert(at, chosen.choice([*words, "@", '"', "0x", "((", "? :", "ALIGN(3)", "~"]))
        try:
            link([], parse_script(" ".join(mutated)), symbols={"IMAGE_BASE": 0x1000, "entry": 4})
        except LinkError as error:
            assert error.problems and all(problem.fix for problem in error.problems)
