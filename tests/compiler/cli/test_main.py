"""The answer to a build with nothing to do: right, and without importing what it does not need."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from compiler.cli import __main__ as entry
from compiler.driver.freshness import Freshness, input_stamps
from compiler.driver.paths import ROOT

SLOW_MODULES = ("typer", "rich", "llvmlite", "keystone", "capstone", "elftools", "lark", "pathlib")


@pytest.mark.parametrize("arguments", [[], ["build"], ["build", "-p", "fvp"]])
def test_nothing_changed(
    tmp_path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "compiler").mkdir()
    (tmp_path / "compiler" / "a.py").write_text("")
    monkeypatch.setattr(entry, "ROOT", str(tmp_path))
    record = Freshness(str(tmp_path), arguments)
    record.record(input_stamps(str(tmp_path)), time.time_ns() + 1_000_000_000, [], "build/qemu/hypervisor.elf")
    assert entry.main(arguments) == 0
    assert capsys.readouterr().out == "build/qemu/hypervisor.elf\nnothing changed\n"


def test_the_answer_imports_little() -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import compiler.cli.__main__ as entry; "
        "entry.Freshness(entry.ROOT, []).recorded_text(); print(*sys.modules)"
    )
    command = [sys.executable, "-I", "-c", script]
    modules = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert [module for module in modules if module in SLOW_MODULES] == []
