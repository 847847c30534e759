"""Layout of a block's body: lines to placed items, with repeats expanded, directives sized and labels at offsets."""

from collections.abc import Mapping
from dataclasses import dataclass

from compiler.asm.diagnostics import BlockSource, Place, Reporter
from compiler.asm.evaluate import Evaluator, Labels, Unusable
from compiler.asm.header import BlockHeader
from compiler.asm.registers import find_register
from compiler.asm.syntax import (
    LabelSyntax,
    Name,
    OperandSyntax,
    StatementSyntax,
    StringSyntax,
    SyntaxFault,
    parse_line,
)

_DATA_SIZES = {".byte": 1, ".hword": 2, ".word": 4, ".quad": 8}
_DIRECTIVES = frozenset([*_DATA_SIZES, ".balign", ".slot", ".skip", ".ascii", ".asciz", ".repeat", ".end"])
_REPLACEMENTS = {
    ".align": ".balign BYTES",
    ".p2align": ".balign BYTES",
    ".org": ".slot OFFSET",
    ".int": ".word",
    ".long": ".word",
    ".xword": ".quad",
    ".dword": ".quad",
    ".short": ".hword",
    ".2byte": ".hword",
    ".4byte": ".word",
    ".8byte": ".quad",
    ".space": ".skip",
    ".zero": ".skip",
    ".string": ".asciz",
    ".rept": ".repeat NAME, COUNT",
    ".irp": ".repeat NAME, COUNT",
    ".endr": ".end",
    ".endm": ".end",
    ".global": "the header line `global NAME`",
    ".globl": "the header line `global NAME`",
    ".section": 'the header line `section "NAME"`',
    ".text": 'the header line `section "NAME"`',
    ".ltorg": "mov and movk, or adrp and :lo12:",
}
_LARGEST_BLOCK = 1 << 20
_MOST_ITEMS = 1 << 16


@dataclass(frozen=True, slots=True)
class Item:
    """A statement at its place.

    `kind` is `instruction`, `data`, `nops` (padding of an alignment) or `traps` (padding before a slot).
    """

    kind: str
    statement: StatementSyntax
    line: int
    offset: int
    size: int
    variables: Mapping[str, int]

    @property
    def place(self) -> Place:
        return Place(self.line, self.statement.column)


@dataclass(slots=True)
class Layout:
    """The placed items of a block, in offset order, and the offsets at which slots begin."""

    items: list[Item]
    labels: Labels
    slots: list[int]
    size: int


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    labels: tuple[LabelSyntax, ...]
    statement: StatementSyntax | None


class _Layouter:
    def __init__(self, header: BlockHeader, evaluator: Evaluator, labels: Labels, reporter: Reporter) -> None:
        self._header = header
        self._evaluator = evaluator
        self._reporter = reporter
        self.layout = Layout([], labels, [], 0)
        self._full = False

    def place(self, lines: list[_Line], variables: Mapping[str, int]) -> None:
        index = 0
        while index < len(lines) and not self._full:
            line = lines[index]
            index += 1
            for label in line.labels:
                self._label(label, line.number, variables)
            statement = line.statement
            if statement is None:
                continue
            if statement.mnemonic == ".repeat":
                end = _matching_end(lines, index)
                if end is None:
                    self._error("A106", line.number, statement.column, ".repeat has no .end")
                    return
                self._repeat(statement, lines[index:end], line.number, variables)
                index = end + 1
            elif statement.mnemonic == ".end":
                self._error("A106", line.number, statement.column, ".end without .repeat")
            else:
                self._statement(statement, line.number, variables)

    def _error(self, code: str, line: int, column: int, message: str, *, fix: str = "") -> None:
        self._reporter.error(code, Place(line, column), message, fix=fix)

    def _label(self, label: LabelSyntax, line: int, variables: Mapping[str, int]) -> None:
        labels, offset, place = self.layout.labels, self.layout.size, Place(line, label.column)
        if label.text.isdecimal():
            labels.add_numeric(int(label.text), offset)
        elif label.text == "." or label.text[0].isdecimal():
            self._reporter.error(
                "A001", place, f"{label.text} is no label", fix="a label is a name or a decimal number"
            )
        elif find_register(label.text) is not None:
            self._reporter.error(
                "A203", place, f"label {label.text} has the name of a register", fix="give the label another name"
            )
        elif label.text in labels.named:
            first = labels.places[label.text].line
            fix = "use a numeric label, such as 1:, inside .repeat" if variables else ""
            self._reporter.error("A202", place, f"label {label.text} is already defined in line {first}", fix=fix)
        elif label.text in self._header.calls:
            self._reporter.error("A202", place, f"{label.text} is a label of the block and a symbol of its call line")
        else:
            labels.named[label.text] = offset
            labels.places[label.text] = place

    def _repeat(self, statement: StatementSyntax, body: list[_Line], line: int, variables: Mapping[str, int]) -> None:
        operands = statement.operands
        if len(operands) != 2 or not isinstance(operands[0], Name) or find_register(operands[0].text):
            self._error("A106", line, statement.column, "it takes .repeat NAME, COUNT")
            return
        if len(variables) >= 8 or operands[0].text in variables:
            self._error("A106", line, operands[0].column, f".repeat {operands[0].text} is nested in itself or too deep")
            return
        count = self._size(operands[1], line, variables)
        if count is None:
            return
        if count > 4096:
            self._error("A106", line, operands[1].column, f".repeat counts to {count}, more than 4096")
            return
        for number in range(count):
            if self._full:
                return
            self.place(body, {**variables, operands[0].text: number})

    def _size(self, operand: OperandSyntax, line: int, variables: Mapping[str, int]) -> int | None:
        """A directive's number, not negative; None after a report."""
        try:
            values = self._evaluator.operands((operand,), line, self.layout.size, variables)
        except Unusable:
            return None
        value = getattr(values[0], "value", None)
        if not isinstance(value, int) or value < 0:
            self._error("A106", line, operand.column, "a number that is not negative is needed here")
            return None
        return value

    def _statement(self, statement: StatementSyntax, line: int, variables: Mapping[str, int]) -> None:
        mnemonic = statement.mnemonic
        if not mnemonic.startswith("."):
            if self.layout.size % 4:
                self._error(
                    "A205",
                    line,
                    statement.column,
                    "an instruction stands at no multiple of 4",
                    fix="put .balign 4 before it",
                )
                self._add("data", statement, line, -self.layout.size % 4, variables)
            self._add("instruction", statement, line, 4, variables)
        elif mnemonic in _DATA_SIZES:
            if not statement.operands:
                self._error("A106", line, statement.column, f"{mnemonic} needs at least one value")
            self._add("data", statement, line, _DATA_SIZES[mnemonic] * len(statement.operands), variables)
        elif mnemonic in (".ascii", ".asciz"):
            self._text(statement, line, variables)
        elif mnemonic in (".balign", ".slot", ".skip"):
            self._padding(statement, line, variables)
        else:
            self._unknown_directive(statement, line)

    def _unknown_directive(self, statement: StatementSyntax, line: int) -> None:
        replacement = _REPLACEMENTS.get(statement.mnemonic)
        fix = f"use {replacement}" if replacement else f"the directives are {', '.join(sorted(_DIRECTIVES))}"
        self._error(
            "A108" if replacement else "A106", line, statement.column, f"{statement.mnemonic} is no directive", fix=fix
        )

    def _text(self, statement: StatementSyntax, line: int, variables: Mapping[str, int]) -> None:
        strings = [operand for operand in statement.operands if isinstance(operand, StringSyntax)]
        if len(strings) != 1 or len(statement.operands) != 1:
            self._error("A106", line, statement.column, f"{statement.mnemonic} takes one string in quotes")
            return
        try:
            text = string_bytes(strings[0].text)
        except ValueError as fault:
            self._error("A106", line, strings[0].column, str(fault))
            return
        self._add("data", statement, line, len(text) + (statement.mnemonic == ".asciz"), variables)

    def _padding(self, statement: StatementSyntax, line: int, variables: Mapping[str, int]) -> None:
        mnemonic = statement.mnemonic
        if len(statement.operands) != 1:
            self._error("A106", line, statement.column, f"{mnemonic} takes one number of bytes")
            return
        value = self._size(statement.operands[0], line, variables)
        if value is None:
            return
        size = self.layout.size
        if mnemonic == ".skip":
            self._add("data", statement, line, value, variables)
        elif mnemonic == ".slot":
            if value % 4:
                self._error("A205", line, statement.column, f"slot {value:#x} is not a multiple of 4")
            elif value < size:
                self._error(
                    "A205",
                    line,
                    statement.column,
                    f"slot {value:#x} cannot start here: the code before it ends at {size:#x}",
                    fix=f"shorten the code before it by {size - value} bytes, or branch to code outside the slot",
                )
            else:
                self._add("traps", statement, line, value - size, variables)
                self.layout.slots.append(self.layout.size)
        elif value < 1 or value & (value - 1) or value > self._header.alignment:
            fix = f"give the block the alignment: align {value}" if value in (8, 16, 32, 64, 128, 256) else ""
            message = f".balign {value} is not a power of two up to the block's alignment, {self._header.alignment}"
            self._error("A205", line, statement.column, message, fix=fix)
        else:
            needs_data = size % 4 or value < 4
            self._add("data" if needs_data else "nops", statement, line, -size % value, variables)

    def _add(self, kind: str, statement: StatementSyntax, line: int, size: int, variables: Mapping[str, int]) -> None:
        layout = self.layout
        if layout.size + size > _LARGEST_BLOCK or len(layout.items) >= _MOST_ITEMS:
            self._error("A106", line, statement.column, "the block is larger than 1 MiB or 65,536 statements")
            self._full = True
            return
        if size:
            layout.items.append(Item(kind, statement, line, layout.size, size, variables))
            layout.size += size


def _matching_end(lines: list[_Line], start: int) -> int | None:
    """The index of the `.end` of the `.repeat` before `start`."""
    depth = 1
    for index in range(start, len(lines)):
        statement = lines[index].statement
        if statement is not None:
            depth += {".repeat": 1, ".end": -1}.get(statement.mnemonic, 0)
        if depth == 0:
            return index
    return None


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "\\": "\\", '"': '"'}


def string_bytes(text: str) -> bytes:
    """The bytes of a string's inside, escapes replaced. Raises ValueError for an unknown escape."""
    result: list[str] = []
    characters = iter(text)
    for character in characters:
        if character == "\\":
            escape = next(characters, "")
            if escape not in _ESCAPES:
                raise ValueError(f'\\{escape} is no escape; these are: \\n \\r \\t \\0 \\\\ \\"')
            character = _ESCAPES[escape]
        result.append(character)
    return "".join(result).encode()


def lay_out(
    source: BlockSource, header: BlockHeader, evaluator: Evaluator, labels: Labels, reporter: Reporter
) -> Layout:
    """Parse and place the body of a block."""
    lines: list[_Line] = []
    for index, text in enumerate(source.text.split("\n")[header.body_start :], header.body_start):
        number = source.first_line + index
        try:
            tree = parse_line(text.rstrip("\r"))
        except SyntaxFault as fault:
            reporter.error("A001", Place(number, fault.column), fault.message)
            continue
        lines.append(_Line(number, tree.labels, tree.statement))
    layouter = _Layouter(header, evaluator, labels, reporter)
    layouter.place(lines, {})
    return layouter.layout
