"""Rejected programs: read from the files in `cases/`, compiled, and compared with the text that they shall give.

A case is a heading, the program, and the exact text of its diagnostics:

    ## name of the case

    ```python
    ...
    ```

    ```text
    error[E0101]: ...
    ```

Every function of the program called `main` or `main_...` is an entry. `python -m tests.compiler.reject.bless` writes
the texts anew; what it writes is to be read before it is committed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compiler.check import check_source
from compiler.check.ranges import remove_proven_checks
from compiler.check.verify import verify
from compiler.syntax.diagnostics import CompileErrors, Diagnostic
from compiler.syntax.render import render_text, summary
from compiler.syntax.source import SourceFile, SourceTexts

FOLDER = Path(__file__).parent / "cases"
_CASE = re.compile(
    r"^## (?P<name>[^\n]+)\n+```python\n(?P<source>.*?)```\n+```text\n(?P<expected>.*?)```$", re.M | re.S
)
_ENTRY = re.compile(r"^(?:async )?def (main\w*)\(", re.M)


@dataclass(frozen=True)
class Case:
    """A rejected program."""

    file: Path
    name: str
    source: str
    expected: str

    def __str__(self) -> str:
        return f"{self.file.stem}: {self.name}"


def cases() -> Iterator[Case]:
    """Every case, in order."""
    for file in sorted(FOLDER.glob("*.md")):
        for found in _CASE.finditer(file.read_text(encoding="utf-8")):
            yield Case(file, found["name"], found["source"], found["expected"])


def entries(source: str) -> list[str]:
    """Names of a program's entries."""
    return _ENTRY.findall(source)


def diagnose(source: str) -> tuple[Diagnostic, ...]:
    """Everything that the compiler says about a program; nothing when it accepts it without warnings."""
    try:
        program = check_source(source, entries(source))
    except CompileErrors as errors:
        return errors.diagnostics
    verify(program, "the front end")
    warnings = remove_proven_checks(program).warnings
    verify(program, "range analysis")
    return tuple(warnings)


def shown(source: str) -> str:
    """The text that the compiler prints for a program."""
    found = diagnose(source)
    texts = SourceTexts([SourceFile("program.py", source)])
    return render_text(found, texts) + summary(found) + "\n"
