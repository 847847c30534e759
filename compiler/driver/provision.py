"""Fills .venv with the packages of the lock files; only the standard library is imported.

A copy of a lock inside .venv says that everything in it is installed: it is written last, so that an
interrupted installation is taken up again. Two processes that start at once wait for each other.
"""

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from compiler.driver import debian
from compiler.driver.errors import ToolError

OFFLINE_SIGNS = (
    "NewConnectionError",
    "NameResolutionError",
    "Temporary failure in name resolution",
    "Max retries",
)


def provision(root: str, locks: Sequence[str]) -> bool:
    """Bring root/.venv in line with the lock files; print what is wrong and return False when that fails."""
    try:
        build_folder = Path(root, "build")
        build_folder.mkdir(exist_ok=True)
        with open(build_folder / ".provision", "w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            _fill(Path(root), locks)
    except ToolError as error:
        print(error.render(), file=sys.stderr)
        return False
    except OSError as error:
        where = error.filename or root
        failure = ToolError("B102", f"cannot write to the checkout: {error.strerror}", where=where)
        print(failure.render(), file=sys.stderr)
        return False
    return True


def _fill(root: Path, locks: Sequence[str]) -> None:
    venv = root / ".venv"
    if venv.is_symlink():
        raise ToolError(
            "B102",
            "the link .venv leads to no virtual environment: bin/python is missing",
            where=f"{venv} -> {os.readlink(venv)}",
            fix="remove the link; build.py then makes an environment of its own",
        )
    if not _works(venv / "bin" / "python"):
        _create(venv)
    pending = [lock for lock in locks if not _is_current(root / lock, venv / lock)]
    for lock in pending:
        _install(venv, root / lock)
        shutil.copyfile(root / lock, venv / lock)


def _is_current(lock: Path, copy: Path) -> bool:
    return copy.exists() and copy.read_bytes() == lock.read_bytes()


def _works(python: Path) -> bool:
    """Tell whether the interpreter starts and has pip: the Python it was made from may have been removed
    since.
    """
    try:
        return subprocess.run([python, "-c", "import pip"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _create(venv: Path) -> None:
    if importlib.util.find_spec("ensurepip") is None:
        debian.install(["python3-venv"], "making a virtual environment")
    shutil.rmtree(venv, ignore_errors=True)
    print(f"creating {venv.name} with Python {sys.version.split()[0]}", flush=True)
    result = subprocess.run([sys.executable, "-m", "venv", venv], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        said = (result.stdout + result.stderr).strip().splitlines()
        shutil.rmtree(venv, ignore_errors=True)
        raise ToolError(
            "B102",
            f"`{sys.executable} -m venv` failed: {said[0] if said else 'it said nothing'}",
            where=venv,
            fix=f"install the venv module, on Debian: {debian.install_command(['python3-venv'])}",
        )


def _install(venv: Path, lock: Path) -> None:
    """Run pip on one lock file, with one line of progress on a terminal."""
    package_count = sum("==" in line for line in lock.read_text().splitlines())
    title = f"installing {package_count} packages of {lock.name}"
    print(title, flush=True)
    command: list[str | Path] = [
        *(venv / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check", "--no-input"),
        *("--retries", "2", "--progress-bar", "off", "--require-hashes", "--requirement", lock),
    ]
    start = time.monotonic()
    transcript: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            transcript.append(line.rstrip())
            _show_progress(line.strip())
    _show_progress("")
    if pip.returncode != 0:
        raise _pip_failure(lock, transcript)
    print(f"installed in {time.monotonic() - start:.1f} s", flush=True)


def _show_progress(line: str) -> None:
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        sys.stdout.write(f"\r\x1b[K{line[:width]}")
        sys.stdout.flush()


def _pip_failure(lock: Path, transcript: Sequence[str]) -> ToolError:
    if any(sign in line for line in transcript for sign in OFFLINE_SIGNS):
        return ToolError(
            "B103",
            f"the packages of {lock.name} could not be downloaded: the package index cannot be reached",
            fix="connect to the network, or point pip to a mirror with PIP_INDEX_URL, and start again",
        )
    errors = [line for line in transcript if line.startswith("ERROR")] or list(transcript[-3:])
    return ToolError(
        "B104",
        f"pip could not install the packages of {lock.name}: {' / '.join(errors)}",
        where=lock,
        fix="a hash that differs means that the lock file or the download was changed",
    )
