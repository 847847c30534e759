"""What can go wrong while linking, and how it is reported.

Invariants: every problem says what was wrong, what was found (and where) and what to do; one `LinkError` carries
all problems of a run, in a stable order; no input makes the linker fail in another way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """A place in a text file; `line` and `column` count from 1."""

    path: str
    line: int
    column: int
    source_line: str = ""


@dataclass(frozen=True, slots=True)
class LinkProblem:
    """One problem: `code` is a key of `CODES`, `found` holds one fact per line, `fix` says what to do."""

    code: str
    message: str
    found: tuple[str, ...] = ()
    fix: str = ""
    position: SourcePosition | None = None

    def render(self) -> str:
        """The problem as text, with the source line and a caret where there is a position."""
        lines = [f"error[{self.code}]: {self.message}"]
        where = self.position
        if where is not None:
            lines.append(f"  --> {where.path}:{where.line}:{where.column}")
            if where.source_line:
                gutter = " " * len(str(where.line))
                source = where.source_line.replace("\t", " ")
                lines += [f" {gutter} |", f" {where.line} | {source}", f" {gutter} | {' ' * (where.column - 1)}^"]
        lines += [f"  = found: {fact}" for fact in self.found]
        if self.fix:
            lines.append(f"  = help: {self.fix}")
        return "\n".join(lines)


class LinkError(Exception):
    """All problems of one link."""

    def __init__(self, problems: Iterable[LinkProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.render() for problem in self.problems))


@dataclass(slots=True)
class ProblemList:
    """Collects problems so that one run reports all of them."""

    problems: list[LinkProblem] = field(default_factory=list[LinkProblem])

    def add(
        self,
        code: str,
        message: str,
        *,
        found: Iterable[str] = (),
        fix: str = "",
        position: SourcePosition | None = None,
    ) -> None:
        """Records one problem; a code that is not in `CODES` is a bug in the linker."""
        assert code in CODES, code
        self.problems.append(LinkProblem(code, message, tuple(found), fix, position))

    def raise_if_any(self) -> None:
        """Raises `LinkError` with everything recorded, if anything was."""
        if self.problems:
            raise LinkError(self.problems)


CODES: Mapping[str, str] = MappingProxyType(
    {
        "LNK001": "A linker script does not follow the accepted subset of the GNU ld grammar.",
        "LNK002": "A linker script uses a name that nothing defines; pass constants from outside as symbols.",
        "LNK003": "An ASSERT of a linker script is false.",
        "LNK004": "A linker script moves the location counter backwards or out of the 64-bit address space.",
        "LNK005": "An allocated input section is placed by no rule of the linker script.",
        "LNK006": "Two output sections overlap in memory.",
        "LNK007": "An output section's address is not a multiple of the alignment that its contents need.",
        "LNK008": "A program header of a linker script is unknown, or a section cannot go into it.",
        "LNK010": "An input file is not a relocatable little-endian ELF64 AArch64 object, or is damaged.",
        "LNK011": "An object uses a relocation that the linker does not support.",
        "LNK012": "A symbol is defined more than once.",
        "LNK013": "A symbol is used and nothing defines it.",
        "LNK014": "A relocated value does not fit its instruction or data field.",
        "LNK015": "A relocated address is not aligned as its instruction or table needs.",
        "LNK016": "The entry symbol is not defined.",
        "LNK017": "A relocatable image holds an absolute reference that cannot be fixed up at run time.",
        "LNK018": "An object holds a tentative definition (a COMMON symbol).",
        "LNK019": "The layout does not settle: an expression of the linker script depends on itself.",
    }
)
