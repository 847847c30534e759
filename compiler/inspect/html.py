"""A static page of an image's sources: each line with the number of instructions that it became, and these on demand.

Invariant: source text and names are escaped; the page needs no script and no network; same image, same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers.python import PythonLexer
from pygments.lexers.special import TextLexer

from compiler.inspect.attribution import instructions_by_line
from compiler.inspect.disassembly import Instruction
from compiler.inspect.executable import Executable

_STYLE = "vs"  # plain strings: assembly blocks stand in them
_FEW = 12
"""Instructions of a line that never stand out, however few its file has"""


@dataclass(frozen=True)
class _Line:
    """A source line as the template shows it; `weight` is how dark it is, from 0 to 0.5."""

    number: int
    markup: Markup
    count: int
    weight: float
    instructions: tuple[str, ...]


@dataclass(frozen=True)
class _File:
    path: str
    instruction_count: int
    lines: tuple[_Line, ...]


def render_page(executable: Executable, root: Path, title: str) -> str:
    """The page as HTML. Files are read below `root`; a file that is gone is shown by its numbers alone."""
    files = [
        _file(executable, path, lines, _source_lines(root / path))
        for path, lines in instructions_by_line(executable).items()
    ]
    files.sort(key=lambda file: (-file.instruction_count, file.path))
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    template = environment.from_string(Path(__file__).with_name("page.html.j2").read_text(encoding="utf-8"))
    styles = Markup(cast(Any, HtmlFormatter(style=_STYLE)).get_style_defs(".highlight"))
    return template.render(title=title, files=files, styles=styles)


def _source_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _file(
    executable: Executable, path: str, lines: dict[int, list[tuple[str, Instruction]]], source: list[str]
) -> _File:
    markup = _highlighted(path, source)
    most = max(_FEW, *(len(found) for found in lines.values()))
    shown: list[_Line] = []
    for number in range(1, max(len(source), max(lines)) + 1):
        found = lines.get(number, [])
        text = markup[number - 1] if number <= len(markup) else Markup("")
        rows = tuple(_row(executable, name, instruction) for name, instruction in found)
        shown.append(_Line(number, text, len(found), _weight(len(found), most), rows))
    return _File(path, sum(len(found) for found in lines.values()), tuple(shown))


def _weight(count: int, most: int) -> float:
    return round(0.06 + 0.44 * count / most, 3) if count else 0


def _highlighted(path: str, source: list[str]) -> list[Markup]:
    """Each line's markup; pygments closes its elements at line ends."""
    lexer = cast(Any, PythonLexer if path.endswith(".py") else TextLexer)(stripnl=False)
    text = cast(str, highlight("\n".join(source), lexer, cast(Any, HtmlFormatter(nowrap=True))))
    return [Markup(line) for line in text.split("\n")[: len(source)]]


def _row(executable: Executable, function: str, instruction: Instruction) -> str:
    target = executable.place(instruction.refers_to) if instruction.refers_to is not None else ""
    text = f"{instruction.address:x}  {instruction.mnemonic:8}{instruction.operands}{f'  <{target}>' if target else ''}"
    return f"{function}:  {text}"
