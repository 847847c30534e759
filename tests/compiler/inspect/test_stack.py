"""Stack bounds: frame sizes against those that clang and gcc print, paths and errors on hand-written code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from compiler.inspect.executable import Executable, read_executable
from compiler.inspect.stack import ANY_SITE, Frame, StackError, frame_sizes, stack_bounds
from compiler.link import link, parse_script
from tests.compiler.link.objects import CLANG_FLAGS, GCC_FLAGS, asm_object, c_object
from tests.tools import debian_tool

SCRIPT = """
ENTRY(entry)
SECTIONS {
  .text 0x40000000 : { KEEP(*(.text .text.*)) }
  .rodata : { *(.rodata .rodata.*) }
  .data : { *(.data .data.*) }
  .bss : { *(.bss .bss.*) }
  /DISCARD/ : { *(.comment .note .note.* .llvm_addrsig) }
}
"""

FRAMES_C = """
int use(volatile char *p, int n);
int leaf(int x) { return x * 3; }
int small(int x) { volatile char a[24]; return use(a, x) + leaf(x); }
int page(int x) { volatile char a[4096]; a[x] = 1; return use(a, x); }
int large(int x) { volatile char a[300000]; a[x] = 1; return use(a, x); }
int aligned(int x) { volatile char a[64] __attribute__((aligned(16))); return use(a, x); }
int many(int a, int b, int c, int d) {
  int s = 0;
  for (int i = 0; i < a; i++) s += use((volatile char *)0, i + b) * use((volatile char *)0, c - d) + small(s);
  return s;
}
int branches(int x) {
  if (x < 3) return leaf(x);
  volatile char a[100];
  switch (x) {
    case 3: return use(a, 1); case 4: return use(a, 2) + 1; case 5: return small(9) + 2; case 6: return use(a, 7);
    case 7: return page(3) * 2; case 8: return leaf(x) ^ use(a, 5); case 9: return use(a, 6) + 11;
  }
  return 0;
}
int use(volatile char *p, int n) { return p ? p[n] : n; }
int entry(int x) { return branches(x) + many(x, 1, 2, 3) + large(x) + aligned(x); }
"""


def image(*objects: bytes, script: str = SCRIPT) -> Executable:
    named = [(f"{index}.o", data) for index, data in enumerate(objects)]
    return read_executable(link(named, parse_script(script)).elf)


def assembled(source: str) -> Executable:
    """Functions are separated by blank lines, each `name:` and its instructions; they get a type and size."""
    text = ".text\n"
    for block in source.strip().split("\n\n"):
        name, body = block.strip().split(":\n", 1)
        text += f".global {name}\n.type {name}, %function\n{name}:\n{body}\n.size {name}, . - {name}\n"
    return image(asm_object(text))


@pytest.mark.parametrize(
    ("compiler", "flags"),
    [
        ("clang", ("-O0",)),
        ("clang", ("-O2",)),
        ("clang", ("-O2", "-fno-omit-frame-pointer", "-mbranch-protection=standard")),
        ("aarch64-linux-gnu-gcc", ("-O2", "-fno-stack-protector", "-fno-ipa-ra")),
        ("aarch64-linux-gnu-gcc", ("-O1", "-fno-omit-frame-pointer", "-fno-stack-protector", "-fno-ipa-ra")),
    ],
)
def test_frame_sizes_are_those_that_the_compiler_prints(compiler: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    source = tmp_path / "unit.c"
    source.write_text(FRAMES_C)
    default = CLANG_FLAGS if compiler == "clang" else GCC_FLAGS
    options = [*default, *flags, "-fno-inline", "-fstack-usage", "-c", "unit.c", "-o", "unit.o"]
    subprocess.run([debian_tool(compiler), *options], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    printed: dict[str, int] = {}
    for line in (tmp_path / "unit.su").read_text().splitlines():
        place, size, _ = line.split("\t")
        printed[place.rsplit(":", 1)[1]] = int(size)
    sizes = frame_sizes(image((tmp_path / "unit.o").read_bytes()))
    assert len(printed) == 9
    assert sizes == printed


def test_bound_follows_the_deepest_path() -> None:
    built = assembled("""
entry:
    stp x29, x30, [sp, #-32]!
    bl middle
    bl shallow
    ldp x29, x30, [sp], #32
    ret

middle:
    cbz x0, 1f
    str x30, [sp, #-16]!
    bl deep
    ldr x30, [sp], #16
1:  ret

deep:
    sub sp, sp, #1, lsl #12
    sub sp, sp, #48
    add sp, sp, #48
    add sp, sp, #1, lsl #12
    b shallow

shallow:
    sub sp, sp, #64
    add sp, sp, #64
    ret
""")
    (bound,) = stack_bounds(built, ["entry"])
    assert bound.size_bytes == 32 + 16 + 4096 + 48
    assert bound.path == (Frame("entry", 32), Frame("middle", 16), Frame("deep", 4144))


def test_tail_call_counts_with_what_the_caller_still_uses() -> None:
    built = assembled("""
entry:
    sub sp, sp, #256
    b handler

handler:
    sub sp, sp, #32
    add sp, sp, #288
    eret
""")
    assert stack_bounds(built, ["entry"])[0].size_bytes == 288


def test_realigned_and_restored_stack_is_bounded() -> None:
    source = """
int use(volatile char *p) { return *p; }
int entry(int x) { volatile char a[100] __attribute__((aligned(128))); return use(a) + x; }
"""
    built = image(c_object(source, "clang", "-O2", "-fno-inline"))
    sizes = frame_sizes(built)
    assert 100 + 16 <= sizes["entry"] <= 128 + 128 + 128 + 32


def test_recursion_names_the_cycle() -> None:
    built = assembled("""
entry:
    bl first
    ret

first:
    b second

second:
    cbz x0, 1f
    bl first
1:  ret
""")
    with pytest.raises(StackError) as caught:
        stack_bounds(built, ["entry"])
    (problem,) = caught.value.problems
    assert (problem.code, problem.message) == ("STK001", "first is recursive")
    assert problem.found == ("first -> second -> first",)


INDIRECT = """
entry:
    str x30, [sp, #-16]!
    blr x1
    ldr x30, [sp], #16
    br x2

target:
    sub sp, sp, #80
    add sp, sp, #80
    ret

other:
    sub sp, sp, #160
    add sp, sp, #160
    ret
"""


def test_indirect_calls_without_known_targets_name_the_site() -> None:
    with pytest.raises(StackError) as caught:
        stack_bounds(assembled(INDIRECT), ["entry"])
    assert [problem.code for problem in caught.value.problems] == ["STK002", "STK002"]
    assert "entry+0x4 at unit.s:" in caught.value.problems[0].found[0]


def test_indirect_calls_take_the_deepest_target() -> None:
    built = assembled(INDIRECT)
    assert stack_bounds(built, ["entry"], indirect_targets={"entry": ["target"]})[0].size_bytes == 96
    assert stack_bounds(built, ["entry"], indirect_targets={ANY_SITE: ["target", "other"]})[0].size_bytes == 176
    row = built.lines.find(built.functions[0].address + 4)
    assert row is not None
    by_line = {f"{row.path}:{row.line}": ["other"], ANY_SITE: ["target"]}
    assert stack_bounds(built, ["entry"], indirect_targets=by_line)[0].size_bytes == 176


TABLE = """
entry:
    cmp x0, #1
    adr x10, 1f
    add x10, x10, x0, lsl #3
    mov x1, #7
    br x10
1:  bl deep
    brk #1
    brk #2
    nop

deep:
    sub sp, sp, #80
    add sp, sp, #80
    ret

other:
    sub sp, sp, #32
    add sp, sp, #32
    ret
"""


def test_a_table_jump_may_stand_after_other_instructions_and_gives_way_to_named_targets() -> None:
    assert stack_bounds(assembled(TABLE), ["entry"])[0].size_bytes == 80
    assert stack_bounds(assembled(TABLE), ["entry"], indirect_targets={"entry": ["other"]})[0].size_bytes == 32
    unknown = TABLE.replace("mov x1, #7", "mov x10, x1")
    with pytest.raises(StackError, match="STK002"):
        stack_bounds(assembled(unknown), ["entry"])


def test_unknown_target_names_are_reported() -> None:
    with pytest.raises(StackError, match="the target nobody of an indirect call is not in the image"):
        stack_bounds(assembled(INDIRECT), ["entry"], indirect_targets={ANY_SITE: ["nobody"]})


def test_stack_that_grows_by_a_register_is_refused() -> None:
    source = "int use(char *p); int entry(int n) { char a[n]; return use(a); } int use(char *p) { return *p; }"
    with pytest.raises(StackError) as caught:
        stack_bounds(image(c_object(source, "clang", "-O1", "-fno-inline")), ["entry"])
    assert {problem.code for problem in caught.value.problems} <= {"STK003", "STK004"}
    assert any("unit.c:1" in problem.found[0] for problem in caught.value.problems)


def test_replaced_stack_pointer_needs_a_declaration() -> None:
    built = assembled("""
entry:
    adr x0, entry
    mov sp, x0
    bl below
    b .

below:
    sub sp, sp, #32
    add sp, sp, #32
    ret
""")
    with pytest.raises(StackError, match=r"STK004.*entry replaces the stack pointer"):
        stack_bounds(built, ["entry"])
    assert stack_bounds(built, ["entry"], stack_switches=["entry"])[0].size_bytes == 32


def test_unbalanced_paths_are_refused() -> None:
    built = assembled("""
entry:
    cbz x0, 1f
    sub sp, sp, #16
1:  ret
""")
    with pytest.raises(StackError, match=r"16 and 0 bytes|0 and 16 bytes"):
        stack_bounds(built, ["entry"])


def test_a_call_that_never_returns_ends_the_path() -> None:
    built = assembled("""
entry:
    cbnz x0, 1f
    sub sp, sp, #48
    bl stop
1:  ret

stop:
    sub sp, sp, #16
    brk #1
""")
    assert stack_bounds(built, ["entry"])[0].size_bytes == 64


def test_unknown_entry_is_reported() -> None:
    with pytest.raises(StackError, match="the entry nobody is not a function of the image"):
        stack_bounds(assembled("\nentry:\n    ret\n"), ["nobody"])


def test_switch_with_a_jump_table_is_walked() -> None:
    built = image(c_object(FRAMES_C, "clang", "-O2", "-fno-inline"))
    text = next(function for function in built.functions if function.name == "branches")
    words = [int.from_bytes(text.code[at : at + 4], "little") for at in range(0, len(text.code), 4)]
    assert any(word & 0xFFFFFC1F == 0xD61F0000 for word in words), "the compiler made no jump table"
    (bound,) = stack_bounds(built, ["branches"])
    sizes = frame_sizes(built)
    assert bound.size_bytes == sizes["branches"] + sizes["page"] + sizes["use"]
