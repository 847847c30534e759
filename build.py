#!/usr/bin/env python3
"""Entry of the build tool: makes sure that .venv holds the pinned packages, then hands over to
`compiler.cli`.

Needs Python 3.11 and nothing else. When .venv is up to date only `os` and `sys` are imported here, because
every command pays for this file. A .venv that is a symbolic link belongs to whoever made the link and is used
as it is.
"""

import os
import sys

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
VENV_PYTHON = os.path.join(VENV, "bin", "python")
TEST_COMMANDS = ("test", "bench")


def needed_locks(arguments: "list[str]") -> "list[str]":
    """Return the lock files whose packages the command line needs."""
    command = next((argument for argument in arguments if not argument.startswith("-")), "")
    return ["requirements.lock", "requirements-test.lock"] if command in TEST_COMMANDS else ["requirements.lock"]


def is_installed(lock: str) -> bool:
    """Tell whether .venv was filled from exactly this lock: a copy is left inside once everything is
    installed.
    """
    try:
        with (
            open(os.path.join(ROOT, lock), "rb") as wanted,
            open(os.path.join(VENV, lock), "rb") as installed,
        ):
            return wanted.read() == installed.read()
    except OSError:
        return False


def check_version() -> None:
    """Leave with a message when this Python is too old for the package."""
    if sys.version_info < (3, 11):
        sys.stderr.write(
            "error[B101]: Tantalum needs Python 3.11 or newer; this is Python %d.%d\n" % sys.version_info[:2]
            + "  --> "
            + sys.executable
            + "\n  = help: start it with a newer one: python3.11 build.py\n"
        )
        sys.exit(2)


def enter_venv(arguments: "list[str]") -> None:
    """Replace this process by one in .venv with the same command line; fill .venv first where needed."""
    locks = needed_locks(arguments)
    ready = os.path.exists(VENV_PYTHON) and (os.path.islink(VENV) or all(map(is_installed, locks)))
    if not ready:
        from compiler.driver.provision import provision

        if not provision(ROOT, locks):
            sys.exit(2)
    os.execv(VENV_PYTHON, [VENV_PYTHON, os.path.join(ROOT, "build.py"), *arguments])


def main() -> int:
    check_version()
    if sys.executable != VENV_PYTHON:
        enter_venv(sys.argv[1:])
    from compiler.cli.__main__ import main as command_line

    return command_line(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
