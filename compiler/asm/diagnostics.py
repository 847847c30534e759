"""Diagnostics of assembly blocks: what was wrong, what was found, where, and what to do.

Every check reports into one `Reporter`, so that a run shows all errors of a block; `AsmErrors` is the only exception
that leaves `compiler.asm` for a faulty block.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BlockSource:
    """The text of a block and where it stands.

    `first_line` is the 1-based line of `file` that holds the first line of `text`.
    """

    name: str
    text: str
    file: str
    first_line: int


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a source file: line and column, both 1-based; column 0 means the whole line."""

    line: int
    column: int = 0


@dataclass(frozen=True, slots=True)
class AsmError:
    """One error: a code that `EXPLANATIONS` explains, a place, what was found, and what to do about it."""

    code: str
    file: str
    line: int
    column: int
    message: str
    note: str = ""
    fix: str = ""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: error[{self.code}]: {self.message}"
        if self.note:
            text += f"\n  note: {self.note}"
        if self.fix:
            text += f"\n  fix: {self.fix}"
        return text


class AsmErrors(Exception):
    """All errors of one block, in source order."""

    def __init__(self, errors: Sequence[AsmError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = tuple(errors)


class ResolveError(Exception):
    """Raised by a `resolve` callback for a binding that it cannot evaluate; the text is shown to the user."""


class Reporter:
    """Collects the errors of one block; the same error at the same place counts once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._errors: dict[AsmError, None] = {}

    def error(self, code: str, place: Place, message: str, *, note: str = "", fix: str = "") -> None:
        self._errors[AsmError(code, self._file, place.line, place.column, message, note, fix)] = None

    @property
    def found_any(self) -> bool:
        return bool(self._errors)

    def raise_if_any(self) -> None:
        if self._errors:
            raise AsmErrors(sorted(self._errors, key=lambda error: (error.line, error.column, error.code)))


EXPLANATIONS: dict[str, str] = {
    "A001": "The line is not a statement of the block language; docs/assembly.md gives its syntax.",
    "A002": "A header line says what the block reads, writes and calls; this one is malformed or comes twice.",
    "A003": "A block is a header, a line `begin`, and at least one instruction.",
    "A101": "No instruction of the supported set has this mnemonic.",
    "A102": "The name is not a register of AArch64.",
    "A103": "The instruction exists, but not with operands of these kinds.",
    "A104": "The value does not fit the instruction's immediate field.",
    "A105": "A `{binding}` could not be evaluated, or is not of the kind that is needed here.",
    "A106": "The directive is unknown or its operands are wrong.",
    "A107": "The system register or SYS instruction is unknown, or does not allow this access.",
    "A108": "The construct exists in other assemblers and has no place in a block.",
    "A201": "The label is defined nowhere in the block.",
    "A202": "A label is defined twice; numeric labels alone may repeat.",
    "A203": "A label named like a register or an operand keyword would be read as that.",
    "A204": "The branch target is too far away or not a multiple of 4.",
    "A205": "A slot or alignment cannot be met, because the code before it is already past that offset.",
    "A301": "A register is read that is neither an input nor written on every path that leads here.",
    "A302": "A register is written that the header declares neither as output nor as clobber.",
    "A303": "A callee-saved register of AAPCS64 does not hold its entry value when the block returns.",
    "A304": "A declared output is not written on every path to a return.",
    "A305": "A symbol is used that the `call` line does not declare.",
    "A306": "The header declares something that the text does not use.",
    "A307": "Control runs past the last instruction, or into data or padding.",
    "A308": "No path leads to this instruction.",
    "A309": "The stack pointer is used in a way that contradicts the header or the architecture.",
    "A310": "An inline block is placed in the middle of other code: it may not branch away, call, or use the stack.",
    "A901": "The encoder and the decoder disagree. This is a defect of the compiler: please report the line.",
}
"""What each code means, for `explain`."""
