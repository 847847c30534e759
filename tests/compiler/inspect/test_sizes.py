"""Size reports: they add up, survive saving, and show what changed."""

from __future__ import annotations

import pytest

from compiler.inspect.sizes import UNNAMED, SizeChange, SizeReport, SizesFileError, compare, measure
from compiler.link import LinkedImage, link, parse_script
from tests.compiler.link.objects import c_object
from tests.compiler.link.sources import SCRIPT
from tests.compiler.link.test_linker import CONSTANTS, objects

SMALL = """
ENTRY(entry)
SECTIONS { .text 0x1000 : { *(.text .text.*) } .bss : { *(.bss .bss.*) } /DISCARD/ : { *(.comment .llvm_addrsig) } }
"""


def image(body: str, size: int) -> LinkedImage:
    source = f'int buffer[{size}]; int named(int x) __asm__("core.pages.map"); int named(int x) {{ {body} }}'
    source += "int entry(int x) { return named(x) + buffer[x]; }"
    return link([("unit.o", c_object(source, "clang", "-fno-inline"))], parse_script(SMALL))


def test_modules_and_sections_add_up() -> None:
    built = link(objects("clang"), parse_script(SCRIPT), symbols=CONSTANTS)
    report = measure(built)
    assert sum(report.modules.values()) == report.total_bytes
    assert report.total_bytes == sum(section.size for section in built.sections if section.is_allocated)
    assert report.symbols["zeroed"] == 4096
    assert report.modules[UNNAMED] >= 0x3000, "stacks have no symbol with a size"


def test_a_dotted_name_belongs_to_its_module() -> None:
    report = measure(image("return x * buffer[3];", 4))
    assert report.modules["core.pages"] == report.symbols["core.pages.map"]
    assert report.modules["unit.o"] == report.symbols["entry"] + report.symbols["buffer"]


def test_saved_reports_are_read_back() -> None:
    report = measure(image("return x * buffer[3];", 4))
    assert SizeReport.from_json(report.to_json()) == report


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "sections": {"a": "b"}}'])
def test_other_files_are_refused(text: str) -> None:
    with pytest.raises(SizesFileError, match="saved size report"):
        SizeReport.from_json(text)


def test_compare_lists_changes_largest_first() -> None:
    changes = compare(
        measure(image("return x * buffer[3];", 4)), measure(image("return x * buffer[3] + (x >> 5);", 40))
    )
    sections = [change for change in changes if change.kind == "sections"]
    assert sections[0] == SizeChange("sections", ".bss", 16, 160)
    assert {change.name for change in changes if change.kind == "symbols"} == {"buffer", "core.pages.map"}
    assert compare(measure(image("return x * buffer[3];", 4)), measure(image("return x * buffer[3];", 4))) == ()
