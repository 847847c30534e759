"""Guards of a linked image: what breaks each is refused with its code, and stacks are told apart."""

from dataclasses import replace
from pathlib import Path

import pytest

from compiler.driver.errors import ToolError
from compiler.driver.guards import check_scan, check_stacks
from compiler.driver.images import GUEST_SCRIPT, Image
from compiler.driver.paths import ROOT
from compiler.driver.platforms import load_platform
from compiler.driver.stages import CompilerStages, Linked, Profile, StackUse, Target, lower_in_child, target_options
from compiler.inspect.executable import read_executable
from compiler.inspect.stack import StackError
from compiler.link import link, load_script, parse_script
from compiler.lower import TrapTable
from compiler.program.program import AssemblyText, Function, Program
from compiler.program.types import VOID
from tests.compiler.link.objects import asm_object
from tests.compiler.lower.programs import function, give, program

IMAGE = Image("sample", "a sample", "EL0", (), Path("linker_scripts", "program.ld"), other_stacks=(("panic", "PANIC"),))
TARGET = Target(ROOT, IMAGE, load_platform(ROOT, "qemu"), Profile.RELEASE)
CONSTANTS = {"STACK_SIZE": 256, "PANIC": 128}

PANIC = """
naked
clobber x0, sp, memory
begin
    mov x0, sp
    mov sp, x0
    str x0, [sp, #-48]!
    b .
"""


def block(symbol: str, text: str, bindings: dict[str, int | str] | None = None) -> Function:
    made = function(symbol, [], VOID, [give()], exported=True)
    made.assembly = AssemblyText(text, "tests/sample.py", 20, bindings or {})
    return made


def sample(entry_text: str) -> Program:
    return program(block("_start", entry_text, {"panic": "panic", "run": "run"}), block("panic", PANIC))


def linked(source: Program, extra: str = "") -> bytes:
    objects = list(CompilerStages().assemble(source))
    if extra:
        objects.append(("extra.o", asm_object(extra)))
    symbols = {"PROGRAM_BASE": 0x4020_0000, "STACK_SIZE": 256}
    return link(objects, load_script(ROOT / IMAGE.linker_script), symbols=symbols, entry="_start").elf


RUN_NEEDING_64 = """
    .global run
    .type run, %function
run:
    sub sp, sp, #64
    b .
    .size run, . - run
"""
ENTRY = """
naked
section ".text.start"
call run, panic
global on_exception
clobber caller_saved, x30, sp, memory
begin
    adr x0, on_exception
    mov sp, x0
    str x0, [sp, #-16]!
    bl  {run}
on_exception:
    b   {panic}
"""


def test_each_stack_has_its_bound() -> None:
    source = sample(ENTRY)
    uses = check_stacks(read_executable(linked(source, RUN_NEEDING_64)), source, IMAGE, CONSTANTS)
    assert uses == (
        StackUse("STACK_SIZE", 256, 80, "_start", ("_start", "run")),
        StackUse("PANIC", 128, 48, "on_exception", ("on_exception", "panic")),
    )


def test_a_stack_that_is_too_small_names_the_path() -> None:
    source = sample(ENTRY)
    executable = read_executable(linked(source, RUN_NEEDING_64))
    with pytest.raises(StackError) as caught:
        check_stacks(executable, source, IMAGE, {**CONSTANTS, "STACK_SIZE": 64})
    (problem,) = caught.value.problems
    assert problem.code == "STK007"
    assert problem.message == "the code entered by _start may use 80 bytes of a stack of 64 (STACK_SIZE)"
    assert problem.found == ("the deepest path is _start > run",)


def test_an_indirect_branch_reaches_what_the_block_declares() -> None:
    text = ENTRY.replace("    bl  {run}\n", "    adr x0, {run}\n    br  x0\n").replace("caller_saved, x30", "x0")
    source = program(block("_start", text, {"panic": "panic", "run": "panic"}), block("panic", PANIC))
    uses = check_stacks(read_executable(linked(source)), source, IMAGE, CONSTANTS)
    assert [(use.stack, use.used_bytes) for use in uses] == [("PANIC", 64)]


def test_an_indirect_branch_without_declared_targets_is_refused() -> None:
    source = program(block("_start", "naked\nclobber x0\nbegin\n    adr x0, .\n    br x0\n"))
    with pytest.raises(StackError, match="STK002"):
        check_stacks(read_executable(linked(source)), source, replace(IMAGE, other_stacks=()), CONSTANTS)


SCRIPT = "ENTRY(_start) SECTIONS { .text 0x1000 : { *(.text .text.*) } /DISCARD/ : { *(.comment .note .note.*) } }"


def assembled(text: str) -> bytes:
    return link([("a.o", asm_object(text))], parse_script(SCRIPT)).elf


def test_an_unknown_trap_is_refused() -> None:
    text = ".global _start\n.type _start, %function\n_start:\n brk #0x123\n .size _start, . - _start\n"
    with pytest.raises(ToolError) as caught:
        check_scan(read_executable(assembled(text)), TrapTable())
    assert (caught.value.code, caught.value.what) == ("B310", "the trap table has no entry for brk #291 in _start")


def test_a_helper_that_nobody_asked_for_is_refused() -> None:
    text = (
        ".global _start, __udivti3, memcpy\n.type _start, %function\n_start:\n bl __udivti3\n bl memcpy\n"
        " .size _start, . - _start\n.type memcpy, %function\nmemcpy: ret\n .size memcpy, . - memcpy\n"
        ".type __udivti3, %function\n__udivti3: ret\n .size __udivti3, . - __udivti3\n"
    )
    with pytest.raises(ToolError) as caught:
        check_scan(read_executable(assembled(text)), TrapTable())
    assert caught.value.code == "B309"
    assert caught.value.what.endswith("only the code generator calls: __udivti3")


def test_the_stage_guards_a_compiled_program() -> None:
    image = replace(IMAGE, level="EL1", linker_script=GUEST_SCRIPT, other_stacks=())
    target = replace(TARGET, image=image)
    source = program(block("_start", "naked\nbegin\n    nop\n    b .\n"))
    stages = CompilerStages()
    lowered = lower_in_child(source, target_options(Profile.RELEASE))
    whole: Linked = stages.link([("sample", lowered.object), *stages.assemble(source)], target)
    (use,) = stages.guard(whole, source, lowered.traps, target)
    assert (use.stack, use.used_bytes, use.entry) == ("STACK_SIZE", 0, "_start")


def test_a_script_that_moves_code_with_the_line_table_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "bad.ld"
    text = (ROOT / GUEST_SCRIPT).read_text(encoding="utf-8")
    script.write_text(text.replace("*(.text .text.*)\n", "KEEP(*(.line_table))\n    *(.text .text.*)\n"))
    target = replace(TARGET, image=replace(IMAGE, level="EL1", linker_script=script))
    source = program(block("_start", "naked\nbegin\n    nop\n    b .\n"), block("other", "naked\nbegin\n    b .\n"))
    with pytest.raises(ToolError) as caught:
        CompilerStages().link(CompilerStages().assemble(source), target)
    assert (caught.value.code, caught.value.status) == ("B311", 1)
