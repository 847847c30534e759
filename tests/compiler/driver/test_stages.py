"""The stages as the driver calls them: code comes from a child process, refusals come back as errors."""

import os
from collections.abc import Mapping

import pytest

from compiler.driver.errors import ToolError
from compiler.driver.images import GUEST_SCRIPT, Image
from compiler.driver.paths import ROOT
from compiler.driver.platforms import load_platform
from compiler.driver.stages import (
    CompilerStages,
    Profile,
    Target,
    assemble_blocks,
    lower_in_child,
    target_options,
)
from compiler.lower import lower
from compiler.program.nodes import BinaryOp, RegisterWrite, Statement, TrapKind
from compiler.program.program import AssemblyText, Program
from compiler.program.types import U64, VOID
from compiler.syntax.diagnostics import CompileErrors
from tests.compiler.lower.programs import SPAN, binary, function, give, local, number, program, read


def sample() -> Program:
    value = local("value")
    body = [give(binary(BinaryOp.ADD, read(value), number(1)), line=7)]
    return program(function("sample.next", [value], U64, body, exported=True))


@pytest.mark.parametrize("profile", Profile)
def test_the_child_gives_what_the_call_gives(profile: Profile) -> None:
    options = target_options(profile)
    lowered = lower_in_child(sample(), options)
    assert lowered == lower(sample(), options)
    assert lowered.object.startswith(b"\x7fELF")
    assert lowered.checks_left[TrapKind.OVERFLOW] == 1


def test_checks_are_on_in_every_profile() -> None:
    assert all(target_options(profile).checks for profile in Profile)


def test_what_has_no_code_is_an_error_with_its_place() -> None:
    body: list[Statement] = [RegisterWrite("SCTLR_EL9", number(0), SPAN), give()]
    with pytest.raises(ToolError) as caught:
        lower_in_child(program(function("sample.bad", [], VOID, body, exported=True)), target_options(Profile.RELEASE))
    assert (caught.value.code, caught.value.status) == ("B307", 1)
    assert caught.value.what.startswith("no system register is named 'SCTLR_EL9'")
    assert caught.value.where == "tests/sample.py:1:1"


def with_block(text: str, bindings: Mapping[str, int | str]) -> Program:
    """A program whose entry `_start` is an assembly block."""
    block = function("_start", [], VOID, [give()], exported=True)
    block.assembly = AssemblyText(text, "tests/sample.py", 20, bindings)
    return program(block)


BLOCK = """
naked
section ".text.start"
call TABLE
clobber x0, x1
begin
    mov  x0, #{SIZE}
    adrp x1, {TABLE}
    b    .
"""


def test_blocks_become_an_object_with_their_bindings() -> None:
    ((_, content),) = assemble_blocks(with_block(BLOCK, {"SIZE": 0x1234, "TABLE": "table"}))
    assert content.startswith(b"\x7fELF")
    assert (0xD2800000 | 0x1234 << 5).to_bytes(4, "little") in content  # movz x0, #0x1234 (Arm ARM, C6.2.254)
    assert b"\0table\0" in content
    assert assemble_blocks(sample()) == []


def test_errors_in_blocks_are_diagnostics() -> None:
    with pytest.raises(CompileErrors) as caught:
        assemble_blocks(with_block(BLOCK, {"SIZE": 1}))
    found = [diagnostic for diagnostic in caught.value.diagnostics if "`TABLE` is neither" in diagnostic.message]
    spans = [diagnostic.span for diagnostic in found]
    assert [(span.file, span.line) for span in spans if span] == [("tests/sample.py", 23), ("tests/sample.py", 27)]


def test_a_guest_is_linked_and_listed() -> None:
    image = Image("sample", "a guest", "EL0", (), GUEST_SCRIPT)
    target = Target(ROOT, image, load_platform(ROOT, "qemu"), Profile.RELEASE)
    stages = CompilerStages()
    blocks = stages.assemble(with_block("naked\nbegin\n    nop\n    b .\n", {}))
    lowered = stages.lower(sample(), target)()
    linked = stages.link([("sample", lowered.object), *blocks], target)
    nop_and_loop = bytes.fromhex("1f2003d500000014")
    assert nop_and_loop in linked.raw
    assert f"  {0:016x}       __image_start\n" in linked.map_text
    inspected = stages.inspect(linked, target)
    assert "<_start>: 8 bytes" in inspected.listing
    assert inspected.size_bytes["code"] >= 8


def test_a_killed_code_generator_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_arguments: object, **_options: object) -> None:
        os.write(2, b"LLVM ERROR: cannot select\n")
        os.abort()

    monkeypatch.setattr("compiler.lower.lower", die)
    with pytest.raises(ToolError) as caught:
        lower_in_child(sample(), target_options(Profile.RELEASE))
    assert (caught.value.code, caught.value.status) == ("B302", 3)
    assert caught.value.what == "the code generator ended abnormally (killed by SIGABRT): LLVM ERROR: cannot select"
