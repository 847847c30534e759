"""`doctor`: says what is installed, what is missing, and the command that installs it."""

import platform
import sys
from importlib import metadata

from compiler.cli import output
from compiler.driver import debian
from compiler.driver.paths import ROOT


def doctor() -> int:
    """Say what is missing and how to install it; status 1 when something that `run` needs is missing."""
    rows = [("Python", platform.python_version(), sys.executable, "building")]
    rows += [(name, state, "pip package", purpose) for name, state, purpose in _packages()]
    missing = debian.missing_programs(["run", "test"])
    for program in debian.PROGRAMS:
        state = "missing" if program in missing else "installed"
        rows.append((program.name, state, f"Debian's {program.package}", program.used_for))
    output.show_table(["what", "state", "from", "used for"], rows)
    if any(state == "missing" and source == "pip package" for _, state, source, _ in rows):
        output.say("\nTest packages install themselves with: ./build.py test")
    if missing:
        packages = list(dict.fromkeys(program.package for program in missing))
        output.say(f"\nInstall what is missing with: {debian.install_command(packages)}")
    return 1 if any(program.purpose == "run" for program in missing) else 0


def _packages() -> list[tuple[str, str, str]]:
    """Return (name, version or state, purpose) for each package that the two lock sources name."""
    found: list[tuple[str, str, str]] = []
    for file, purpose in (("requirements.in", "building"), ("requirements-test.in", "testing")):
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
            name = line.partition("[")[0].strip()
            if not name or name.startswith(("#", "-")):
                continue
            try:
                found.append((name, metadata.version(name), purpose))
            except metadata.PackageNotFoundError:
                found.append((name, "missing", purpose))
    return found
