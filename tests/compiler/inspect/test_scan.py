"""Scans: trap sites are those that objdump shows, and helpers are noticed."""

from __future__ import annotations

from pathlib import Path

from compiler.inspect.executable import read_executable
from compiler.inspect.scan import scan, trap_instructions
from compiler.link import link, parse_script
from tests.compiler.link.objects import c_object, run
from tests.tools import debian_tool

SCRIPT = """
ENTRY(entry)
SECTIONS { .text 0x1000 : { *(.text .text.*) } .rodata : { *(.rodata .rodata.*) }
  /DISCARD/ : { *(.comment .llvm_addrsig) } }
"""

SOURCE = """
void *memcpy(void *to, const void *from, unsigned long n) {
  char *a = to; const char *b = from;
  while (n--) { *a++ = *b++; __asm__ volatile(""); }
  return to;
}
struct big { char bytes[300]; };
void copy(struct big *to, const struct big *from) { *to = *from; }
int entry(int x) {
  if (x == 1) __asm__ volatile("brk #1");
  if (x == 2) __asm__ volatile("brk #2");
  if (x == 3) __asm__ volatile("brk #2");
  if (x == 4) __asm__ volatile("brk #77");
  copy((struct big *)(unsigned long)x, (struct big *)(unsigned long)(x + 1));
  return x;
}
"""


def elf() -> bytes:
    return link([("a.o", c_object(SOURCE, "clang", "-O2", "-fno-inline"))], parse_script(SCRIPT)).elf


def test_traps_are_those_that_objdump_shows(tmp_path: Path) -> None:
    (tmp_path / "image.elf").write_bytes(elf())
    text = run(debian_tool("aarch64-linux-gnu-objdump"), "-d", tmp_path / "image.elf")
    shown = [line.split("\t") for line in text.splitlines() if "\tbrk\t" in line]
    expected = [(int(fields[0].strip(" :"), 16), int(fields[-1].strip().lstrip("#"), 16)) for fields in shown]
    found = [(trap.address, trap.immediate) for trap in trap_instructions(read_executable(elf()))]
    assert found == expected
    assert len(found) == 4


def test_traps_are_counted_by_kind_and_unknown_ones_listed() -> None:
    result = scan(read_executable(elf()), {1: "overflow", 2: "bounds", 3: "shift"})
    assert result.traps_by_kind == {"bounds": 2, "overflow": 1}
    assert [(trap.immediate, trap.function) for trap in result.unknown_traps] == [(77, "entry")]
    assert result.trap_count == 4


def test_helpers_are_noticed_unless_expected() -> None:
    assert scan(read_executable(elf()), {}).helpers == ("memcpy",)
    assert scan(read_executable(elf()), {}, expected_helpers=["memcpy"]).helpers == ()
