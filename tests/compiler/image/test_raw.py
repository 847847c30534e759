"""Flat binaries against GNU objcopy, and the boot header against the one in the hypervisor's script."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.image import RawImageError, arm64_header, flat_binary
from compiler.image.raw import FLAGS_LITTLE_ENDIAN_4K_ANYWHERE
from compiler.link import link, parse_script
from tests.compiler.link.objects import c_object, run
from tests.compiler.link.sources import SCRIPT
from tests.compiler.link.test_linker import CONSTANTS, objects
from tests.compiler.link.test_scripts import build
from tests.tools import debian_tool

SOURCE = "int value = 3; int *pointer = &value; int entry(int x) { return x; }"


def test_flat_binary_is_the_one_that_objcopy_makes(tmp_path: Path) -> None:
    image = link(objects("clang"), parse_script(SCRIPT), symbols=CONSTANTS)
    (tmp_path / "image.elf").write_bytes(image.elf)
    objcopy = debian_tool("aarch64-linux-gnu-objcopy")
    run(objcopy, "-O", "binary", tmp_path / "image.elf", tmp_path / "image.bin")
    assert flat_binary(image) == (tmp_path / "image.bin").read_bytes()


def test_header_equals_the_one_that_the_script_writes() -> None:
    image = build("hypervisor.ld")
    at = {name: symbol.address for name, symbol in image.symbols.items()}
    size, entry = at["__image_end"] - at["__image_start"], at["_start"] - at["__image_start"]
    assert arm64_header(0x1000, size, FLAGS_LITTLE_ENDIAN_4K_ANYWHERE, entry) == flat_binary(image)[:64]


def test_header_with_an_unreachable_entry_is_refused() -> None:
    with pytest.raises(ValueError, match="entry_offset 0x42"):
        arm64_header(0, 0x1000, 0xA, 0x42)


def test_segments_far_apart_are_refused() -> None:
    script = parse_script(
        "ENTRY(entry) SECTIONS { .text 0x1000 : { *(.text .text.*) } .data 0x8000000000 : { *(.data .data.*) } }"
    )
    with pytest.raises(RawImageError, match="too far for a flat binary"):
        flat_binary(link([("a.o", c_object(SOURCE))], script, keep=["pointer"]))


def test_image_without_bytes_is_refused() -> None:
    script = parse_script("ENTRY(entry) SECTIONS { entry = 4096; .bss 0x1000 (NOLOAD) : { . += 16; } }")
    with pytest.raises(RawImageError, match="holds no bytes"):
        flat_binary(link([], script))
