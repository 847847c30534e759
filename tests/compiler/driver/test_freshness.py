"""The answer to a build with nothing to do: given when nothing changed, withheld after any change."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from compiler.driver.freshness import Freshness, input_stamps

TEXT = "hypervisor for qemu"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with a recorded build of the command line `build -v`."""
    for name in ("compiler/a.py", "hypervisor/core/b.py", "linker_scripts/c.ld", "build/qemu/image.elf"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    record(tmp_path, taken_at_ns=time.time_ns() + 1_000_000_000)
    return tmp_path


def record(root: Path, taken_at_ns: int) -> None:
    freshness = Freshness(str(root), ["build", "-v"])
    freshness.record(input_stamps(str(root)), taken_at_ns, [root / "build/qemu/image.elf"], TEXT)


def recorded(root: Path, *arguments: str) -> str | None:
    return Freshness(str(root), arguments).recorded_text()


def test_nothing_changed(root: Path) -> None:
    assert recorded(root, "build", "-v") == TEXT


def test_another_command_line(root: Path) -> None:
    assert recorded(root, "build") is None
    assert recorded(root) is None


def touch(file: Path) -> None:
    os.utime(file, ns=(1, 1))


CHANGES: dict[str, Callable[[Path], object]] = {
    "time": lambda root: touch(root / "compiler/a.py"),
    "size": lambda root: (root / "hypervisor/core/b.py").write_text("longer than before"),
    "new file": lambda root: (root / "hypervisor/core/new.py").write_text(""),
    "removed file": lambda root: (root / "linker_scripts/c.ld").unlink(),
    "lock": lambda root: (root / "requirements.lock").write_text(""),
    "artefact time": lambda root: touch(root / "build/qemu/image.elf"),
    "artefact removed": lambda root: (root / "build/qemu/image.elf").unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_shows(root: Path, change: Callable[[Path], object]) -> None:
    change(root)
    assert recorded(root, "build", "-v") is None


def test_byte_code_is_no_input(root: Path) -> None:
    (root / "compiler/__pycache__").mkdir()
    (root / "compiler/__pycache__/a.cpython-311.pyc").write_bytes(b"")
    assert recorded(root, "build", "-v") == TEXT


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"arguments": 1, "inputs": []}', "\x00"])
def test_a_damaged_record_is_no_answer(root: Path, content: str) -> None:
    (file,) = (root / "build/.cache/fresh").iterdir()
    file.write_text(content)
    assert recorded(root, "build", "-v") is None


def test_an_edit_in_the_tick_of_the_stamps_is_not_missed(tmp_path: Path) -> None:
    (tmp_path / "compiler").mkdir()
    (tmp_path / "compiler/a.py").write_text("")
    record(tmp_path, taken_at_ns=(tmp_path / "compiler/a.py").stat().st_mtime_ns + 1000)
    assert recorded(tmp_path, "build", "-v") is None
