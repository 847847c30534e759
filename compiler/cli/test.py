"""`test`: the static checks side by side, then pytest.

The static stage (ruff, mypy --strict, pyright strict) runs when all is tested or with `--suite static`;
choosing a suite, an expression or arguments of pytest runs only that.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from compiler.cli import output
from compiler.driver import debian
from compiler.driver.errors import ToolError
from compiler.driver.paths import BUILD_FOLDER, ROOT

STATIC_SUITE = "static"


def test(
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed to pytest as they are.")] = None,
    suite: Annotated[str | None, typer.Option(help=f"A folder of tests/, or '{STATIC_SUITE}'.")] = None,
    expression: Annotated[str | None, typer.Option("-k", help="Only tests whose name matches.")] = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", help="Test processes; 0: one for each CPU.")] = 0,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Show commands and each test.")] = False,
) -> int:
    """Run the static checks and the tests."""
    install_programs()
    selection = list(arguments or ())
    if suite is None and expression is None and not selection:
        return _run_all(jobs, verbose)
    if suite == STATIC_SUITE:
        return run_static(verbose)
    if suite is not None:
        selection.insert(0, str(_suite_folder(suite)))
    if expression is not None:
        selection += ["-k", expression]
    return run_pytest(selection, jobs, verbose)


def _run_all(jobs: int, verbose: bool) -> int:
    """Run both stages, so that one round shows everything there is to mend; what failed is said last."""
    static = run_static(verbose)
    status = run_pytest([], jobs, verbose)
    if static:
        output.say("the static checks failed: their messages are above", "red")
    return status or static


def install_programs() -> None:
    """Install the programs that tests need, or say how; a test that needs a missing one says so itself."""
    try:
        debian.require(["run", "test"], "testing")
    except ToolError as error:
        output.say_error(error)


def static_checks() -> dict[str, list[str]]:
    """Return the command of each static check."""
    python = sys.executable
    return {
        "ruff": [python, "-m", "ruff", "check", "--quiet", "."],
        "mypy": [python, "-m", "mypy"],
        "pyright": [python, "-m", "pyright", "--pythonpath", python],
    }


def run_static(verbose: bool) -> int:
    """Run all static checks at once; print what the failing ones said. Returns 1 when one fails."""
    BUILD_FOLDER.mkdir(exist_ok=True)
    started = time.perf_counter()
    running: dict[str, subprocess.Popen[bytes]] = {}
    for name, command in static_checks().items():
        if verbose:
            output.say(f"$ {' '.join(command)}", "dim")
        with _log_of(name).open("wb") as log:
            running[name] = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
            )
    for name, process in running.items():
        status = process.wait()
        seconds = f"({time.perf_counter() - started:.1f} s)"
        if status:
            output.say(_log_of(name).read_text(errors="replace").rstrip())
            output.say(f"{name:8} failed with status {status} {seconds}", "red")
        else:
            output.say(f"{name:8} clean {seconds}", "green")
    return int(any(process.returncode for process in running.values()))


def _log_of(check: str) -> Path:
    return BUILD_FOLDER / f"{check}.log"


def run_pytest(selection: Sequence[str], jobs: int, verbose: bool) -> int:
    """Run pytest with its output on the terminal and return its status."""
    processes = jobs or os.cpu_count() or 1
    command = [sys.executable, "-m", "pytest", *selection]
    if processes > 1 and not any(argument == "-n" or argument.startswith("-n=") for argument in selection):
        command += ["-n", str(processes)]
    if verbose:
        command.append("-v")
        output.say(f"$ {' '.join(command)}", "dim")
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _suite_folder(suite: str) -> Path:
    folder = Path("tests", suite)
    if not (ROOT / folder).is_dir():
        names = sorted(path.parent.relative_to(ROOT / "tests").parts[0] for path in ROOT.glob("tests/*/**/test_*.py"))
        known = ", ".join([STATIC_SUITE, *dict.fromkeys(names)])
        raise ToolError("B109", f"there is no test suite '{suite}'", fix=f"suites are: {known}")
    return folder
