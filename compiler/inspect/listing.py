"""Listings: each function's source lines above the instructions that they became.

A line is printed when the code goes over to it, so that inlined and reordered code shows where it came from; lines of
another file than the function's own are marked with it.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from compiler.inspect.disassembly import disassemble
from compiler.inspect.executable import Executable, Function
from compiler.link import LineRow


class SourceText:
    """Source lines below a root, read when first asked for; a file that is gone has none."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, list[str]] = {}

    def line(self, path: str, number: int) -> str:
        """Return a line, counted from 1, without indentation; "" when there is none."""
        if path not in self._files:
            try:
                self._files[path] = (self._root / path).read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError):
                self._files[path] = []
        lines = self._files[path]
        return lines[number - 1].strip() if 0 < number <= len(lines) else ""


class Listing:
    """Renders functions of one executable."""

    def __init__(self, executable: Executable, root: Path) -> None:
        self._executable = executable
        self._source = SourceText(root)

    @cached_property
    def text(self) -> str:
        """The listing of the whole executable, functions in address order."""
        return "\n".join("\n".join(self.function(function)) + "\n" for function in self._executable.functions)

    def function(self, function: Function) -> Iterator[str]:
        """Yield the lines of one function's listing."""
        rows = self._executable.lines.rows_between(function.address, function.end)
        home = next((row.path for row in rows if row.line), "")
        where = f"  {home}" if home else ""
        yield f"{function.address:016x} <{function.name}>: {len(function.code)} bytes{where}"
        shown: tuple[str, int] | None = None
        position = 0
        for instruction in disassemble(function.code, function.address):
            row: LineRow | None = None
            while position < len(rows) and rows[position].address <= instruction.address:
                row = rows[position]
                position += 1
            if row is not None and row.line and (row.path, row.line) != shown:
                shown = (row.path, row.line)
                yield self._source_line(row, home)
            target = ""
            if instruction.refers_to is not None:
                target = self._executable.place(instruction.refers_to)
            yield (
                f"  {instruction.address:12x}:  {instruction.word:08x}  {instruction.mnemonic:8}"
                f"{instruction.operands}{f'  <{target}>' if target else ''}"
            ).rstrip()

    def _source_line(self, row: LineRow, home: str) -> str:
        place = f"{row.line}" if row.path == home else f"{row.path}:{row.line}"
        return f"{place:>5} | {self._source.line(row.path, row.line)}".rstrip()
