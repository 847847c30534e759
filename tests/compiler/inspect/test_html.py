"""The page and the JSON listing: every instruction once, at the line that addr2line gives, everything escaped."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

from compiler.inspect.attribution import instructions_by_line, listing_json
from compiler.inspect.executable import Executable, read_executable
from compiler.inspect.html import render_page
from compiler.link import link, parse_script
from tests.compiler.link.objects import asm_object, run
from tests.compiler.link.sources import HELPER_C, SCRIPT
from tests.compiler.link.test_linker import CONSTANTS, objects
from tests.tools import debian_tool


def elf() -> bytes:
    return link(objects("clang"), parse_script(SCRIPT), symbols=CONSTANTS).elf


def image() -> Executable:
    return read_executable(elf())


class Balance(HTMLParser):
    """Notes elements that are closed in another order than they were opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_json_attributes_every_instruction_as_addr2line_does(tmp_path: Path) -> None:
    (tmp_path / "image.elf").write_bytes(elf())
    listing = json.loads(listing_json(image()))
    rows = [row for function in listing["functions"] for row in function["instructions"]]
    assert len(rows) == sum(function["size_bytes"] for function in listing["functions"]) // 4
    known = [row for row in rows if "line" in row]
    tool = debian_tool("aarch64-linux-gnu-addr2line")
    places = run(tool, "-e", tmp_path / "image.elf", *(hex(row["address"]) for row in known)).splitlines()
    assert [place.split(" ")[0].rsplit(":", 1)[1] for place in places] == [str(row["line"]) for row in known]


def test_branch_targets_are_named_in_json() -> None:
    listing = json.loads(listing_json(image()))
    tail = next(function for function in listing["functions"] if function["name"] == "tail")
    assert [row.get("refers_to") for row in tail["instructions"]] == ["helper", None]


def test_page_is_well_formed_escaped_and_complete(tmp_path: Path) -> None:
    (tmp_path / "unit.c").write_text(HELPER_C)
    page = render_page(image(), tmp_path, "image <&>")
    balance = Balance()
    balance.feed(page)
    assert balance.wrong == [] and balance.open == []
    assert "image <&>" in balance.text
    by_line = instructions_by_line(image())
    for lines in by_line.values():
        for found in lines.values():
            assert all(f"{instruction.address:x}  {instruction.mnemonic}" in balance.text for _, instruction in found)


def test_page_without_sources_is_the_same_every_time(tmp_path: Path) -> None:
    assert render_page(image(), tmp_path, "image") == render_page(image(), tmp_path, "image")


def test_overlapping_functions_count_each_instruction_once_for_the_innermost() -> None:
    source = """.text
        .global entry, inner
        .type entry, %function
        .type inner, %function
entry:  nop
inner:  nop
        ret
        .size entry, . - entry
        .size inner, . - inner
"""
    script = parse_script("ENTRY(entry) SECTIONS { .text 0x40000000 : { *(.text*) } }")
    (lines,) = instructions_by_line(read_executable(link([("unit.o", asm_object(source))], script).elf)).values()
    named = [(name, instruction.mnemonic) for found in lines.values() for name, instruction in found]
    assert named == [("entry", "nop"), ("inner", "nop"), ("inner", "ret")]
