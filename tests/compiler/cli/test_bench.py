"""`bench`: rows, limits, JSON."""

import json
from pathlib import Path

import pytest

from compiler.cli import app, bench
from compiler.cli.bench import Options, Row


def use(monkeypatch: pytest.MonkeyPatch, rows: list[Row], options: list[Options]) -> None:
    def run(given: Options) -> list[Row]:
        options.append(given)
        return rows

    def find(_root: Path, _name: str) -> object:
        return run

    monkeypatch.setattr(bench, "_find", find)


def test_rows_limits_and_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    options: list[Options] = []
    use(monkeypatch, [Row("clean build", 1.25, "s", 5.0), Row("size", 1234567, "bytes", detail="as ELF")], options)
    assert app.run(["bench", "x", "--json", str(tmp_path / "x.json"), "-v", "--", "--seed", "1"]) == 0
    assert options == [Options(verbose=True, arguments=("--seed", "1"))]
    assert json.loads((tmp_path / "x.json").read_text()) == [
        {"name": "clean build", "value": 1.25, "unit": "s", "limit": 5.0, "detail": ""},
        {"name": "size", "value": 1234567, "unit": "bytes", "limit": None, "detail": "as ELF"},
    ]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["name", "value", "unit", "limit"],
        ["clean", "build", "1.25", "s", "5", "ok"],
        ["size", "1,234,567", "bytes", "as", "ELF"],
    ]


def test_an_exceeded_limit_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    use(monkeypatch, [Row("clean build", 5.5, "s", 5.0), Row("no change", 0.5, "s", 0.5)], [])
    assert app.run(["bench", "x"]) == 1
    assert capsys.readouterr().err.startswith("error[B107]: above the limit: clean build\n")


def test_benches_are_the_modules_with_a_run_function(tmp_path: Path) -> None:
    folder = tmp_path / bench.BENCH_FOLDER
    folder.mkdir(parents=True)
    (folder / "one.py").write_text('"""Measures one.\n\nMore."""\ndef run(options): ...\n')
    (folder / "helper.py").write_text('"""Helps."""\nx = 1\n')
    assert bench.bench_summaries(tmp_path) == [("one", "Measures one.")]
