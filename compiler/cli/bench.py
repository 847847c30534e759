"""`bench NAME`: measures, prints a table, and fails when a limit is exceeded.

A bench is a module tests/bench/NAME.py whose docstring's first line describes it and which defines
`run(options: Options) -> list[Row]`; other modules of that folder (helpers, tests of benches) have no `run`.
"""

import ast
import importlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, cast

import typer

from compiler.cli import output
from compiler.driver.errors import ToolError, did_you_mean
from compiler.driver.paths import ROOT

BENCH_FOLDER = Path("tests", "bench")


@dataclass(frozen=True)
class Options:
    """What the command line says to a bench; `arguments` are those after `--`."""

    verbose: bool = False
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One measured value; it may not be above `limit` where there is one. `detail` says more about it."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    detail: str = ""

    @property
    def exceeded(self) -> bool:
        """Whether the value is above its limit."""
        return self.limit is not None and self.value > self.limit


def bench(
    name: Annotated[str, typer.Argument(help="Which one; ./build.py list names them.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed to the bench, after --.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the rows to this file.")] = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Show the commands that are run.")] = False,
) -> int:
    """Measure, print a table, and fail when a limit is exceeded."""
    rows = _find(ROOT, name)(Options(verbose, tuple(arguments or ())))
    show_rows(rows)
    if json_file is not None:
        output.write_json(json_file, [asdict(row) for row in rows])
    exceeded = [row.name for row in rows if row.exceeded]
    if exceeded:
        raise ToolError("B107", f"above the limit: {', '.join(exceeded)}", where=f"bench {name}", status=1)
    return 0


def show_rows(rows: Sequence[Row]) -> None:
    """Print rows as a table."""
    output.show_table(
        ["name", "value", "unit", "limit", "", ""],
        [
            (
                row.name,
                f"{row.value:,.3f}".rstrip("0").rstrip("."),
                row.unit,
                "" if row.limit is None else f"{row.limit:g}",
                "" if row.limit is None else "exceeded" if row.exceeded else "ok",
                row.detail,
            )
            for row in rows
        ],
        right=["value", "limit"],
    )


def bench_summaries(root: Path) -> list[tuple[str, str]]:
    """Return (name, first line of the docstring) of each bench, without importing it."""
    summaries: list[tuple[str, str]] = []
    for file in sorted((root / BENCH_FOLDER).glob("*.py")):
        tree = ast.parse(file.read_bytes())
        if any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body):
            summaries.append((file.stem, (ast.get_docstring(tree) or "").partition("\n")[0]))
    return summaries


def _find(root: Path, name: str) -> Callable[[Options], list[Row]]:
    names = [known for known, _ in bench_summaries(root)]
    if name not in names:
        raise ToolError(
            "B108",
            f"there is no bench '{name}'{did_you_mean(name, names)}",
            fix=f"benches are: {', '.join(names)}",
        )
    module = importlib.import_module(f"tests.bench.{name}")
    return cast("Callable[[Options], list[Row]]", module.run)
