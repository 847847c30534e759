"""What is printed: plain where there is no terminal, sizes for people, files as JSON."""

import json
from pathlib import Path

import pytest

from compiler.cli import output
from compiler.driver.errors import ToolError


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (10239, "10239 bytes"), (10240, "10.0 KiB"), (1536 * 1024, "1536.0 KiB"), (20 << 20, "20.0 MiB")],
)
def test_sizes(size: int, text: str) -> None:
    assert output.size_text(size) == text


def test_json(tmp_path: Path) -> None:
    output.write_json(tmp_path / "x.json", [{"name": "a"}])
    assert json.loads((tmp_path / "x.json").read_text()) == [{"name": "a"}]
    with pytest.raises(ToolError) as caught:
        output.write_json(tmp_path / "missing" / "x.json", [])
    assert caught.value.code == "B105"


def test_text_is_not_taken_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    output.console.cache_clear()
    output.say("[red]x[/red] u8[4]", "dim")
    output.show_table(["a"], [["[bold]"]])
    assert capsys.readouterr().out.split() == ["[red]x[/red]", "u8[4]", "a", "[bold]"]
    output.console.cache_clear()
