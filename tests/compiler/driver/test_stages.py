"""The stages as the driver calls them: code comes from a child process, refusals come back as errors."""

import os

import pytest

from compiler.driver.errors import ToolError
from compiler.driver.stages import Profile, lower_in_child, target_options
from compiler.lower import lower
from compiler.program.nodes import BinaryOp, RegisterWrite, Statement, TrapKind
from compiler.program.program import Program
from compiler.program.types import U64, VOID
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


def test_a_killed_code_generator_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_arguments: object, **_options: object) -> None:
        os.write(2, b"LLVM ERROR: cannot select\n")
        os.abort()

    monkeypatch.setattr("compiler.lower.lower", die)
    with pytest.raises(ToolError) as caught:
        lower_in_child(sample(), target_options(Profile.RELEASE))
    assert (caught.value.code, caught.value.status) == ("B302", 3)
    assert caught.value.what == "the code generator ended abnormally (killed by SIGABRT): LLVM ERROR: cannot select"
