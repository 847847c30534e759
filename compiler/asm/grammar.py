"""The lark grammars of this package, as typed parsers.

Lark's own annotations leave its results partly unknown; the protocol here says what each parser returns.
"""

from importlib import resources
from typing import Protocol, TypeVar, cast

from lark import Lark, Token, Transformer, Tree, UnexpectedInput

Result_co = TypeVar("Result_co", covariant=True)
Result = TypeVar("Result")


class Parser(Protocol[Result_co]):
    """`parse` raises lark's UnexpectedInput for text that the grammar does not accept."""

    def parse(self, text: str) -> Result_co: ...


def _text(file: str) -> str:
    return resources.files("compiler.asm").joinpath(file).read_text()


def tree_parser(file: str) -> Parser[Tree[Token]]:
    """A parser of `line` in a grammar file, giving lark's trees."""
    return cast(Parser[Tree[Token]], Lark(_text(file), start="line", parser="lalr", maybe_placeholders=True))


def building_parser(file: str, builder: Transformer[Token, Result]) -> Parser[Result]:
    """A parser of `line` whose trees `builder` turns into its own results while parsing."""
    engine = Lark(_text(file), start="line", parser="lalr", maybe_placeholders=True, transformer=builder)
    return cast(Parser[Result], engine)


def unexpected(text: str, fault: UnexpectedInput) -> tuple[int, str]:
    """Where the parser stumbled, as a 1-based column, and over what."""
    token = cast(object, getattr(fault, "token", None))
    at_end = fault.column < 1 or (isinstance(token, Token) and token.type == "$END")
    column = len(text.split("//")[0].rstrip()) + 1 if at_end else fault.column
    rest = text[column - 1 :].split("//")[0].strip()
    return column, f"unexpected {rest.split()[0]!r}" if rest else "unexpected end of line"
