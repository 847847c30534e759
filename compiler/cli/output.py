"""What the commands print goes through here: rich on a terminal, plain text elsewhere or with NO_COLOR."""

import functools
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from compiler.driver.errors import ToolError

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 160


@functools.cache
def console() -> "Console":
    """Return the console for standard output; wide when it is no terminal, so that lines are not broken."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def has_colour(stream: TextIO) -> bool:
    """Whether colours are wanted on a stream: a terminal, without NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def say(text: str, style: str = "") -> None:
    """Print one line, in a style of rich where colours are on. The text is printed as it is."""
    console().print(text, style=style or None, markup=False)


def say_error(error: ToolError) -> None:
    """Print an error on standard error, its first line in red where colours are on."""
    from rich.console import Console

    first, _, rest = error.render().partition("\n")
    stderr = Console(stderr=True, highlight=False, soft_wrap=True)
    stderr.print(first, style="bold red", markup=False)
    if rest:
        stderr.print(rest, markup=False)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print a table; the columns named in `right` are aligned to the right."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    console().print(table)


def write_json(file: Path, value: Any) -> None:
    """Write a value as JSON; ToolError B105 when the file cannot be written."""
    write_text(file, json.dumps(value, indent=2) + "\n")


def write_text(file: Path, text: str) -> None:
    """Write a file that the user named; ToolError B105 when it cannot be written."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ToolError("B105", f"cannot write the file: {error.strerror}", where=file) from None


def size_text(size_bytes: int) -> str:
    """Return a size for people: bytes up to 10 KiB, then KiB or MiB with one decimal."""
    if size_bytes < 10 * 1024:
        return f"{size_bytes} bytes"
    if size_bytes < 10 * 1024 * 1024:
        return f"{size_bytes / 1024:.1f} KiB"
    return f"{size_bytes / (1024 * 1024):.1f} MiB"


def show_markdown(text: str) -> None:
    """Print a Markdown page: rendered on a terminal, as it is elsewhere."""
    if sys.stdout.isatty():
        from rich.markdown import Markdown

        console().print(Markdown(text))
    else:
        print(text.rstrip())
