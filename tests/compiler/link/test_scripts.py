"""The scripts in linker_scripts/: ld.lld makes the same image of them, and what each promises holds."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from compiler.link import LinkedImage, LinkError, link, load_script, write_data_object
from compiler.link.relr import decode
from tests.compiler.link.objects import asm_object, c_object, link_with_lld, read_elf
from tests.compiler.link.test_linker import assert_same

FOLDER = Path(__file__).parents[3] / "linker_scripts"

PROGRAM_C = """
static const int primes[] = {2, 3, 5, 7};
static const int *const chosen = &primes[2];
const int *const *cursor = &chosen;
int zeroed[100];
__attribute__((section(".page_tables"), aligned(4096))) unsigned long tables[1024];
int main_(int x) { tables[x] = 1; return **cursor + zeroed[x] + primes[x & 3]; }
"""

START_S = """
        .section .text.start, "ax"
        .global _start
        .type _start, %function
_start: adrp x1, vectors
        add x1, x1, :lo12:vectors
        msr vbar_el2, x1
        b main_
        .size _start, . - _start
        .section .vectors, "ax"
        .balign 2048
vectors: .rept 16
        .balign 128
        b .
        .endr
"""

GUEST_START_S = """
        .section .text.start, "ax"
        .global _start
        .type _start, %function
_start: b main_
        .size _start, . - _start
"""

CONSTANTS = {
    "guest.ld": {"CPU_COUNT": 2, "GUARD_SIZE": 0x1000, "STACK_SIZE": 0x1000},
    "hypervisor.ld": {"IMAGE_BASE": 0x40001000, "CPU_COUNT": 4, "STACK_SIZE": 0x2000, "PANIC_STACK_SIZE": 0x1000},
    "program.ld": {"PROGRAM_BASE": 0x40100000, "STACK_SIZE": 0x1000},
}


def inputs(script: str) -> list[tuple[str, bytes]]:
    source = PROGRAM_C if script == "hypervisor.ld" else PROGRAM_C.replace('section(".page_tables"), ', "")
    return [
        ("start.o", asm_object(GUEST_START_S if script == "guest.ld" else START_S)),
        ("program.o", c_object(source, "clang", "-fno-pic")),
        ("table.o", write_data_object(".line_table", b"12345", {"line_table": 0})),
    ]


def build(script: str) -> LinkedImage:
    return link(
        inputs(script), load_script(FOLDER / script), symbols=CONSTANTS[script], entry="_start", relocatable=True
    )


@pytest.mark.parametrize("script", sorted(CONSTANTS))
def test_lld_makes_the_same_image(script: str, tmp_path: Path) -> None:
    flags = ["--pie", "--pack-dyn-relocs=relr", "-z", "notext", "--no-dynamic-linker", "-e", "_start"]
    theirs = link_with_lld(inputs(script), FOLDER / script, CONSTANTS[script], *flags, folder=tmp_path)
    assert_same(read_elf(build(script).elf), theirs)


@pytest.mark.parametrize("script", sorted(CONSTANTS))
def test_no_page_is_writable_and_executable(script: str) -> None:
    image = build(script)
    pages: dict[int, int] = {}
    for segment in image.segments:
        assert segment.flags in (4, 5, 6)
        last = segment.virtual_address + segment.memory_size - 1
        for page in range(segment.virtual_address >> 12, (last >> 12) + 1):
            assert pages.setdefault(page, segment.flags) == segment.flags


def test_boot_header_follows_the_arm64_protocol() -> None:
    image = build("hypervisor.ld")
    header = struct.unpack("<IIQQQQQQII", image.segments[0].data[:64])
    branch, _, text_offset, size, flags = header[:5]
    assert branch >> 26 == 0b000101
    assert image.symbols["__image_start"].address + (branch & 0x3FFFFFF) * 4 == image.symbols["_start"].address
    assert (text_offset, flags) == (0x1000, 0xA)
    assert size == image.symbols["__image_end"].address - image.symbols["__image_start"].address
    assert header[8] == 0x644D5241


def test_vectors_and_stacks_lie_as_promised() -> None:
    image = build("hypervisor.ld")
    at = {name: symbol.address for name, symbol in image.symbols.items()}
    assert at["__vectors_start"] % 0x800 == 0
    assert next(s.address for s in image.all_symbols if s.name == "vectors") == at["__vectors_start"]
    assert at["__stacks_end"] - at["__stacks_start"] == 4 * (0x1000 + 0x2000)
    assert at["__stacks_start"] % 0x1000 == 0
    assert at["__page_tables_end"] - at["__page_tables_start"] == 0x2000
    assert at["__line_table_end"] - at["__line_table_start"] == 5


def test_relocation_table_lists_the_static_pointers() -> None:
    image = build("hypervisor.ld")
    at = {name: symbol.address for name, symbol in image.symbols.items()}
    section = image.section(".relr.dyn")
    assert section is not None and section.address == at["__relr_start"] and section.end == at["__relr_end"]
    words = [word for (word,) in struct.iter_unpack("<Q", section.data)]
    chosen = next(symbol.address for symbol in image.all_symbols if symbol.name == "chosen")
    assert list(decode(words)) == sorted([chosen, at["cursor"]]) == list(image.pointer_addresses)


def test_a_constant_that_is_not_passed_is_named() -> None:
    constants = {name: value for name, value in CONSTANTS["hypervisor.ld"].items() if name != "CPU_COUNT"}
    with pytest.raises(LinkError) as caught:
        link(inputs("hypervisor.ld"), load_script(FOLDER / "hypervisor.ld"), symbols=constants)
    assert {problem.code for problem in caught.value.problems} == {"LNK002"}
    assert "symbol CPU_COUNT is not defined" in str(caught.value)


def test_a_bad_constant_fails_the_assertion_that_names_it() -> None:
    constants = {**CONSTANTS["hypervisor.ld"], "IMAGE_BASE": 0x40001800}
    with pytest.raises(LinkError, match="IMAGE_BASE must be a multiple of 4 KiB"):
        link(inputs("hypervisor.ld"), load_script(FOLDER / "hypervisor.ld"), symbols=constants)
