"""Filling .venv: what makes it current, how failures are told, with pip and apt replaced by scripts."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.driver.paths import ROOT

PIP_OFFLINE = 'echo "WARNING: Retrying: NewConnectionError: [Errno -3] Temporary failure in name resolution"; exit 1'
PIP_HASHES = 'echo "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES"; exit 1'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what build.py needs, with locks of its own."""
    for name in ("build.py", "compiler/__init__.py", "compiler/driver", "requirements.in"):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
    (tmp_path / "compiler" / "cli").mkdir()
    (tmp_path / "compiler" / "cli" / "__main__.py").write_text(
        "def main(arguments: list[str]) -> int:\n    print('command line:', arguments)\n    return 5\n"
    )
    (tmp_path / "requirements.lock").write_text("one==1.0\n")
    (tmp_path / "requirements-test.lock").write_text("two==2.0\n")
    return tmp_path


def fake_venv(checkout: Path, pip: str) -> Path:
    """Make a .venv whose Python is the real one, except that `-m pip` logs its last argument and runs a script."""
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        "#!/bin/sh\n"
        f'if [ "$1 $2" = "-m pip" ]; then for last; do :; done; echo "$last" >> {checkout}/pip.log; {pip}; fi\n'
        f'if [ "$1" = "-c" ]; then exit 0; fi\n'
        f'exec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    return python


def build_py(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run provisioning as build.py does, with the system's Python, and return what it said."""
    script = (
        "import sys; sys.path.insert(0, '.'); import build; from compiler.driver.provision import provision;"
        "locks = build.needed_locks(sys.argv[1:]); ready = all(map(build.is_installed, locks));"
        "sys.exit(0 if ready or provision(build.ROOT, locks) else 2)"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=checkout,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def installed(checkout: Path) -> list[str]:
    log = checkout / "pip.log"
    return [Path(line).name for line in log.read_text().splitlines()] if log.exists() else []


def test_only_what_the_command_needs_is_installed_and_only_once(checkout: Path) -> None:
    fake_venv(checkout, "exit 0")
    assert build_py(checkout, "build").returncode == 0
    assert build_py(checkout, "list").returncode == 0
    assert installed(checkout) == ["requirements.lock"]
    assert build_py(checkout, "test").returncode == 0
    assert installed(checkout) == ["requirements.lock", "requirements-test.lock"]


def test_a_changed_lock_is_installed(checkout: Path) -> None:
    fake_venv(checkout, "exit 0")
    build_py(checkout, "build")
    (checkout / "requirements.lock").write_text("one==1.1\n")
    said = build_py(checkout, "build")
    assert installed(checkout) == ["requirements.lock", "requirements.lock"]
    assert said.stdout.startswith("installing 1 packages of requirements.lock\n")


def test_a_failed_installation_is_tried_again(checkout: Path) -> None:
    python = fake_venv(checkout, PIP_HASHES)
    said = build_py(checkout, "build")
    assert said.returncode == 2
    assert said.stderr.startswith(
        "error[B104]: pip could not install the packages of requirements.lock: "
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES\n"
    )
    python.write_text(python.read_text().replace(PIP_HASHES, "exit 0"))
    assert build_py(checkout, "build").returncode == 0


def test_offline(checkout: Path) -> None:
    fake_venv(checkout, PIP_OFFLINE)
    said = build_py(checkout, "build")
    assert said.returncode == 2
    assert said.stderr == (
        "error[B103]: the packages of requirements.lock could not be downloaded: the package index cannot be reached\n"
        "  = help: connect to the network, or point pip to a mirror with PIP_INDEX_URL, and start again\n"
    )


def test_a_broken_link(checkout: Path) -> None:
    (checkout / ".venv").symlink_to(checkout / "gone")
    said = build_py(checkout, "build")
    assert said.returncode == 2
    assert "error[B102]: the link .venv leads to no virtual environment: bin/python is missing" in said.stderr


def test_without_ensurepip_the_command_is_named(checkout: Path) -> None:
    (checkout / "sitecustomize.py").write_text("import sys\nsys.modules['ensurepip'] = None\n")
    said = build_py(checkout, "build", PYTHONPATH=str(checkout), TANTALUM_INSTALL="never")
    assert said.returncode == 2
    assert said.stderr == (
        "error[B401]: making a virtual environment needs Debian packages that are not installed: python3-venv\n"
        "  = help: run: sudo apt-get update && sudo apt-get install python3-venv\n"
    )


def test_a_real_environment_is_made_and_entered(checkout: Path) -> None:
    for lock in ("requirements.lock", "requirements-test.lock"):
        (checkout / lock).write_text("# nothing\n")
    said = subprocess.run(
        [sys.executable, checkout / "build.py", "list", "-x"], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (5, "")
    assert said.stdout.splitlines()[-1] == "command line: ['list', '-x']"
    again = subprocess.run([checkout / "build.py", "list"], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (5, "command line: ['list']\n")
