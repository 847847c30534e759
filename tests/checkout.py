"""Copies of this checkout's sources, for tests and benches that build somewhere else."""

import shutil
from pathlib import Path

from compiler.driver.paths import ROOT

COPIED = (
    "build.py",
    "compiler",
    "hypervisor",
    "runtime",
    "linker_scripts",
    "requirements.lock",
    "requirements-test.lock",
)


def copy_sources(root: Path) -> None:
    """Copy what a build needs into a folder, which shares this checkout's .venv; nothing that was built comes along."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, root / name)
    (root / ".venv").symlink_to(ROOT / ".venv")
