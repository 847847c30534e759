"""The command line as a whole: help, and failures that are messages with a status instead of tracebacks."""

from typing import Any

import pytest

from compiler.cli import app
from compiler.driver import paths
from compiler.driver.errors import ToolError
from tests.compiler.cli.conftest import Tool

COMMANDS = ("build", "run", "test", "compile", "image", "asm", "explain", "bench", "list", "doctor", "clean")


def test_help_names_every_command(tool: Tool) -> None:
    said = tool("--help")
    assert said.returncode == 0
    assert [command for command in COMMANDS if f" {command} " not in said.stdout] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(tool: Tool, command: str) -> None:
    said = tool(command, "--help")
    assert (said.returncode, said.stderr) == (0, "")
    assert f"Usage: build.py {command}" in said.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["biuld"], "error[B001]: No such command 'biuld'."),
        (["build", "--plat", "x"], "error[B001]: No such option: --plat"),
        (["build", "--profile", "fast"], "error[B001]: Invalid value for '--profile'"),
        (["build", "-p", "qmu"], "error[B201]: there is no platform 'qmu'; did you mean 'qemu'?"),
        (["build", "-i", "hypervizor"], "error[B203]: there is no image 'hypervizor'; did you mean 'hypervisor'?"),
        (["run", "-p", "nothing"], "error[B201]: there is no platform 'nothing'\n"),
        (["run", "--timeout", "soon"], "error[B001]: Invalid value for '--timeout'"),
        (["compile"], "error[B001]: Missing argument 'file'."),
        (["compile", "nothing.py"], "error[B204]: cannot read the file: No such file or directory\n  --> nothing.py"),
        (["bench", "biuld"], "error[B108]: there is no bench 'biuld'; did you mean 'build'?"),
        (["explain", "X1"], "error[B106]: there is no error code 'X1'"),
        (
            ["test", "--suite", "nothing"],
            "error[B109]: there is no test suite 'nothing'\n  = help: suites are: static, ",
        ),
    ],
)
def test_what_the_user_can_mend(tool: Tool, arguments: list[str], message: str) -> None:
    said = tool(*arguments)
    assert said.returncode == 2
    assert said.stderr.startswith(message)
    assert "Traceback" not in said.stderr + said.stdout


def test_an_error_of_the_tool_is_rendered_with_its_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_arguments: Any, **_options: Any) -> int:
        raise ToolError("B304", "too long", where="x", fix="one\ntwo", status=124)

    monkeypatch.setattr(app, "app", fail)
    assert app.run(["run"]) == 124
    assert capsys.readouterr().err == "error[B304]: too long\n  --> x\n  = help: one\n          two\n"


def test_a_defect_goes_to_a_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_arguments: Any, **_options: Any) -> int:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(app, "app", fail)
    assert app.run(["list"]) == 3
    assert capsys.readouterr().err == (
        "error[B003]: a defect of the build tool: ZeroDivisionError: oops\n"
        "  --> build/defect.txt\n"
        "  = help: this is not your fault; report it and attach the file\n"
    )
    report = (paths.BUILD_FOLDER / "defect.txt").read_text()
    assert report.startswith("./build.py list\n")
    assert "ZeroDivisionError: oops" in report


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BrokenPipeError()])
def test_interruptions_have_no_traceback(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_arguments: Any, **_options: Any) -> int:
        raise error

    monkeypatch.setattr(app, "app", fail)
    assert app.run(["list"]) == (130 if isinstance(error, KeyboardInterrupt) else 1)
