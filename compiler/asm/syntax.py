"""From the text of a block's body line to its syntax tree (grammar: body.lark).

Nothing is evaluated here. Columns are 1-based within the line; a tree knows no line number, so that equal lines
share one tree.
"""

from dataclasses import dataclass
from functools import cache

from lark import Token, Transformer, UnexpectedInput, v_args  # pyright: ignore[reportUnknownVariableType]
from lark.exceptions import VisitError

from compiler.asm.grammar import Parser, building_parser, unexpected


@dataclass(frozen=True, slots=True)
class Number:
    value: int
    column: int


@dataclass(frozen=True, slots=True)
class Binding:
    """`{text}`: evaluated by the caller's `resolve`."""

    text: str
    column: int


@dataclass(frozen=True, slots=True)
class Name:
    """A register, label, symbol, condition or other word, in the case in which it was written."""

    text: str
    column: int


@dataclass(frozen=True, slots=True)
class LocalReference:
    """`1f` or `2b`: the next or previous numeric label."""

    number: int
    forward: bool
    column: int


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    operand: "Expression"
    column: int


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: "Expression"
    right: "Expression"
    column: int


Expression = Number | Binding | Name | LocalReference | Unary | Binary


@dataclass(frozen=True, slots=True)
class ImmediateSyntax:
    """`#expression`."""

    expression: Expression
    column: int


@dataclass(frozen=True, slots=True)
class ModifierSyntax:
    """`lsl #12`, `uxtw #2`."""

    word: str
    amount: Expression
    column: int


@dataclass(frozen=True, slots=True)
class WordPairSyntax:
    """`mul vl`."""

    first: str
    second: str
    column: int


@dataclass(frozen=True, slots=True)
class ElementSyntax:
    """`v0.d[1]`."""

    register: str
    index: Expression
    column: int


@dataclass(frozen=True, slots=True)
class PageOffsetSyntax:
    """`:lo12:symbol`."""

    operator: str
    expression: Expression
    column: int


@dataclass(frozen=True, slots=True)
class MemorySyntax:
    """`[base, offset...]` with or without `!`."""

    parts: "tuple[OperandSyntax, ...]"
    writeback: bool
    column: int


@dataclass(frozen=True, slots=True)
class StringSyntax:
    text: str
    column: int


@dataclass(frozen=True, slots=True)
class LiteralPoolSyntax:
    """`=expression`, which blocks do not support."""

    column: int


OperandSyntax = (
    Expression
    | ImmediateSyntax
    | ModifierSyntax
    | WordPairSyntax
    | ElementSyntax
    | PageOffsetSyntax
    | MemorySyntax
    | StringSyntax
    | LiteralPoolSyntax
)


@dataclass(frozen=True, slots=True)
class LabelSyntax:
    """A label definition; numeric labels have digits as their text."""

    text: str
    column: int


@dataclass(frozen=True, slots=True)
class StatementSyntax:
    """A mnemonic or directive (lower case) and its operands."""

    mnemonic: str
    operands: tuple[OperandSyntax, ...]
    column: int


@dataclass(frozen=True, slots=True)
class LineSyntax:
    labels: tuple[LabelSyntax, ...]
    statement: StatementSyntax | None


class SyntaxFault(Exception):
    """A line that the grammar does not accept; `column` is 1-based."""

    def __init__(self, column: int, message: str) -> None:
        super().__init__(message)
        self.column = column
        self.message = message


def _column(token: Token) -> int:
    return token.column or 0


@v_args(inline=True)
class _TreeBuilder(Transformer[Token, LineSyntax]):
    """Builds the tree bottom up; one method per grammar rule or alias."""

    def line(self, *parts: LabelSyntax | StatementSyntax | None) -> LineSyntax:
        labels = tuple(part for part in parts if isinstance(part, LabelSyntax))
        statements = [part for part in parts if isinstance(part, StatementSyntax)]
        return LineSyntax(labels, statements[0] if statements else None)

    def named_label(self, name: Token) -> LabelSyntax:
        return LabelSyntax(str(name), _column(name))

    def numeric_label(self, number: Token) -> LabelSyntax:
        return LabelSyntax(str(number), _column(number))

    def statement(self, mnemonic: Token, *operands: OperandSyntax | None) -> StatementSyntax:
        given = tuple(operand for operand in operands if operand is not None)
        return StatementSyntax(str(mnemonic).lower(), given, _column(mnemonic))

    def immediate(self, expression: Expression) -> ImmediateSyntax:
        return ImmediateSyntax(expression, expression.column)

    def literal_pool(self, expression: Expression) -> LiteralPoolSyntax:
        return LiteralPoolSyntax(expression.column)

    def modifier(self, word: Token, amount: Expression) -> ModifierSyntax:
        return ModifierSyntax(str(word).lower(), amount, _column(word))

    def word_pair(self, first: Token, second: Token) -> WordPairSyntax:
        return WordPairSyntax(str(first).lower(), str(second).lower(), _column(first))

    def element(self, register: Token, index: Expression) -> ElementSyntax:
        return ElementSyntax(str(register).lower(), index, _column(register))

    def page_offset(self, operator: Token, expression: Expression) -> PageOffsetSyntax:
        return PageOffsetSyntax(str(operator)[1:-1].lower(), expression, _column(operator))

    def memory(self, *parts: OperandSyntax | Token | None) -> MemorySyntax:
        operands = tuple(part for part in parts if part is not None and not isinstance(part, Token))
        return MemorySyntax(operands, isinstance(parts[-1], Token), operands[0].column)

    def string(self, token: Token) -> StringSyntax:
        return StringSyntax(str(token)[1:-1], _column(token))

    def number(self, token: Token) -> Number:
        text = str(token).replace("_", "")
        base = 16 if text.startswith("0x") else 2 if text.startswith("0b") else 10
        digits = text[2:] if base != 10 else text
        if not digits:
            raise SyntaxFault(_column(token), f"{token} has no digits")
        return Number(int(digits, base), _column(token))

    def character(self, token: Token) -> Number:
        return Number(ord(str(token)[1]), _column(token))

    def binding(self, token: Token) -> Binding:
        return Binding(str(token)[1:-1].strip(), _column(token))

    def name(self, token: Token) -> Name:
        return Name(str(token), _column(token))

    def local_reference(self, token: Token) -> LocalReference:
        return LocalReference(int(token[:-1]), token.endswith("f"), _column(token))

    def or_(self, left: Expression, right: Expression) -> Binary:
        return Binary("|", left, right, left.column)

    def and_(self, left: Expression, right: Expression) -> Binary:
        return Binary("&", left, right, left.column)

    def shift_left(self, left: Expression, right: Expression) -> Binary:
        return Binary("<<", left, right, left.column)

    def shift_right(self, left: Expression, right: Expression) -> Binary:
        return Binary(">>", left, right, left.column)

    def add(self, left: Expression, right: Expression) -> Binary:
        return Binary("+", left, right, left.column)

    def subtract(self, left: Expression, right: Expression) -> Binary:
        return Binary("-", left, right, left.column)

    def multiply(self, left: Expression, right: Expression) -> Binary:
        return Binary("*", left, right, left.column)

    def negate(self, operand: Expression) -> Unary:
        return Unary("-", operand, operand.column)

    def invert(self, operand: Expression) -> Unary:
        return Unary("~", operand, operand.column)


_LONGEST_LINE = 400
_MOST_OPERATORS = 64
_OPERATORS = frozenset("+-*~&|<>(")


@cache
def _parser() -> Parser[LineSyntax]:
    return building_parser("body.lark", _TreeBuilder())  # pyright: ignore[reportUnknownArgumentType]


@cache
def parse_line(text: str) -> LineSyntax:
    """The tree of one body line, comments included in `text`. Raises SyntaxFault."""
    if len(text) > _LONGEST_LINE:
        raise SyntaxFault(1, f"the line has {len(text)} characters; the longest allowed is {_LONGEST_LINE}")
    # Bounds the depth of the tree, and with it the recursion of everything that walks it.
    if sum(character in _OPERATORS for character in text.split("//")[0]) > _MOST_OPERATORS:
        raise SyntaxFault(1, f"the line has more than {_MOST_OPERATORS} operators")
    try:
        return _parser().parse(text)
    except UnexpectedInput as fault:
        raise SyntaxFault(*unexpected(text, fault)) from None
    except VisitError as fault:
        raise fault.orig_exc from None
