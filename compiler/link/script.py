"""Reads linker scripts: a subset of GNU ld's language that means the same to GNU ld and ld.lld.

Accepted: ENTRY, OUTPUT_FORMAT and OUTPUT_ARCH (ignored), PHDRS with PT_LOAD and FLAGS, SECTIONS with output sections
(address, NOLOAD, AT, ALIGN, `:phdr`, `=fill`), input patterns with KEEP and SORT, BYTE to QUAD, symbol assignments,
PROVIDE, HIDDEN, ASSERT, `/DISCARD/`, and expressions. The grammar is `script.lark`.
Invariant: every statement knows its position, so that all later problems can show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from compiler.link.expressions import (
    ARGUMENT_COUNTS,
    TAKES_NAME,
    Binary,
    Call,
    Conditional,
    Expression,
    Name,
    Number,
    Position,
    Unary,
)
from compiler.link.problems import LinkError, LinkProblem, SourcePosition

DISCARD = "/DISCARD/"

Node = Tree[Token]


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name = expression`; `provide` defines only what is referenced and not defined, `hidden` keeps it local."""

    name: str
    expression: Expression
    position: Position
    provide: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Assertion:
    """`ASSERT(expression, message)`."""

    expression: Expression
    message: str
    position: Position


@dataclass(frozen=True, slots=True)
class SectionPattern:
    """One glob over section names; `sort` is "", "name" or "alignment"."""

    glob: str
    sort: str


@dataclass(frozen=True, slots=True)
class InputRule:
    """`file(section ...)`: the input sections that go here."""

    file_glob: str
    patterns: tuple[SectionPattern, ...]
    keep: bool
    position: Position


@dataclass(frozen=True, slots=True)
class DataStatement:
    """`QUAD(expression)` and its smaller forms."""

    size_bytes: int
    expression: Expression
    position: Position


Content = InputRule | DataStatement | Assignment | Assertion


@dataclass(frozen=True, slots=True)
class OutputSectionRule:
    """One output section; `/DISCARD/` collects what is dropped."""

    name: str
    address: Expression | None
    no_load: bool
    load_address: Expression | None
    alignment: Expression | None
    contents: tuple[Content, ...]
    program_headers: tuple[str, ...]
    fill: Expression | None
    position: Position


@dataclass(frozen=True, slots=True)
class ProgramHeaderRule:
    """A PT_LOAD of the PHDRS command; `flags` is None where they follow from the sections."""

    name: str
    flags: Expression | None
    position: Position


Command = OutputSectionRule | Assignment | Assertion


@dataclass(frozen=True, slots=True)
class Script:
    """A parsed linker script. `commands` keep their order; `source_lines` serve diagnostics."""

    path: str
    entry: str | None
    entry_position: Position | None
    program_headers: tuple[ProgramHeaderRule, ...]
    commands: tuple[Command, ...]
    source_lines: tuple[str, ...]

    def source_position(self, position: Position) -> SourcePosition:
        """`position` with the path and the text of its line."""
        index = position.line - 1
        text = self.source_lines[index] if index < len(self.source_lines) else ""
        return SourcePosition(self.path, position.line, position.column, text)


def load_script(path: Path) -> Script:
    """Reads and parses the script at `path`; raises `LinkError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = LinkProblem("LNK001", f"the linker script {path} cannot be read", (str(error),), "check the path")
        raise LinkError([problem]) from error
    return parse_script(text, str(path))


def parse_script(text: str, path: str = "<script>") -> Script:
    """Parses `text`; raises `LinkError` with the position of the first token that does not fit."""
    source_lines = tuple(text.splitlines())
    try:
        return _Reader(path, source_lines).script(_parse(text))
    except UnexpectedInput as error:
        raise LinkError([_syntax_problem(error, path, source_lines)]) from None
    except _ScriptMistake as error:
        line = source_lines[error.position.line - 1]
        where = SourcePosition(path, error.position.line, error.position.column, line)
        raise LinkError([LinkProblem("LNK001", error.message, (), error.fix, where)]) from None


@cache
def _parser() -> Lark:
    grammar = Path(__file__).with_name("script.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", propagate_positions=True)


def _parse(text: str) -> Node:
    return _parser().parse(text)  # pyright: ignore[reportUnknownMemberType]


_NOT_SUPPORTED = frozenset(
    {
        "CONSTANT",
        "DATA_SEGMENT_ALIGN",
        "EXCLUDE_FILE",
        "EXTERN",
        "FILL",
        "GROUP",
        "INCLUDE",
        "INPUT",
        "INSERT",
        "MEMORY",
        "NOCROSSREFS",
        "ONLY_IF_RO",
        "ONLY_IF_RW",
        "OUTPUT",
        "OVERLAY",
        "REGION_ALIAS",
        "SEARCH_DIR",
        "SEGMENT_START",
        "SIZEOF_HEADERS",
        "STARTUP",
        "SUBALIGN",
        "VERSION",
    }
)

_READABLE = {
    "SEMICOLON": "';'",
    "LPAR": "'('",
    "RPAR": "')'",
    "LBRACE": "'{'",
    "RBRACE": "'}'",
    "COLON": "':'",
    "COMMA": "','",
    "QMARK": "'?'",
    "ASSIGN": "'='",
    "NAME": "a name",
    "NUMBER": "a number",
    "GLOB": "a file pattern",
    "SECTION_GLOB": "a section pattern",
    "OPERATOR": "an operator",
    "QUOTED": "a quoted string",
    "$END": "the end of the file",
}


def _syntax_problem(error: UnexpectedInput, path: str, source_lines: Sequence[str]) -> LinkProblem:
    found, expected = "the end of the file", set[str]()
    line, column = len(source_lines) or 1, len(source_lines[-1]) + 1 if source_lines else 1
    previous = ""
    if isinstance(error, UnexpectedToken):
        details = cast(Any, error)
        token: Token = details.token
        expected = set(error.accepts or error.expected)
        previous = str(details.token_history[-1]) if details.token_history else ""
        if token.type != "$END":
            found, line, column = f"'{token}'", error.line, error.column
    elif isinstance(error, UnexpectedCharacters):
        expected = set(cast("set[str] | None", error.allowed) or ())
        line, column = error.line, error.column
        found = f"'{source_lines[line - 1][column - 1]}'"
    text = source_lines[line - 1] if line <= len(source_lines) else ""
    where = SourcePosition(path, line, column, text)
    unsupported = next((word for word in (found.strip("'"), previous) if word in _NOT_SUPPORTED), None)
    if unsupported:
        fix = "write it with the statements that compiler/link/script.py lists"
        return LinkProblem("LNK001", f"{unsupported} is not supported", (), fix, where)
    wanted = sorted({_READABLE[name] for name in expected if name in _READABLE})
    fix = f"write {' or '.join(wanted)} here" if wanted else "remove it"
    return LinkProblem("LNK001", f"unexpected {found} in the linker script", (), fix, where)


class _ScriptMistake(Exception):
    def __init__(self, message: str, fix: str, position: Position) -> None:
        super().__init__(message)
        self.message, self.fix, self.position = message, fix, position


_PRECEDENCE = {
    operator: level
    for level, operators in enumerate(
        ("||", "&&", "|", "^", "&", "== !=", "< > <= >=", "<< >>", "+ -", "* / %"),
    )
    for operator in operators.split()
}
_SORTS = {"SORT": "name", "SORT_BY_NAME": "name", "SORT_BY_ALIGNMENT": "alignment"}
_DATA_SIZES = {"BYTE": 1, "SHORT": 2, "LONG": 4, "QUAD": 8}
_SUFFIXES = {"K": 1 << 10, "M": 1 << 20}


def _position(node: Token | Node) -> Position:
    if isinstance(node, Token):
        return Position(node.line or 1, node.column or 1)
    return Position(node.meta.line, node.meta.column) if not node.meta.empty else Position(1, 1)


def _token(node: Token | Node | None) -> Token:
    assert isinstance(node, Token)
    return node


def _tree(node: Token | Node | None) -> Node:
    assert isinstance(node, Tree)
    return node


class _Reader:
    """Turns the parse tree into the typed form."""

    def __init__(self, path: str, source_lines: tuple[str, ...]) -> None:
        self._path, self._source_lines = path, source_lines
        self._entry: Token | None = None
        self._headers: list[ProgramHeaderRule] = []
        self._commands: list[Command] = []

    def script(self, tree: Node) -> Script:
        for child in tree.children:
            node = _tree(child)
            if node.data == "phdrs":
                self._headers += [self._program_header(_tree(header)) for header in node.children]
            elif node.data == "sections":
                for statement in node.children:
                    self._command(_tree(statement))
            else:
                self._command(node)
        position = _position(self._entry) if self._entry is not None else None
        return Script(
            self._path,
            str(self._entry) if self._entry is not None else None,
            position,
            tuple(self._headers),
            tuple(self._commands),
            self._source_lines,
        )

    def _command(self, node: Node) -> None:
        if node.data == "entry":
            self._entry = _token(node.children[0])
        elif node.data == "output_section":
            self._commands.append(self._output_section(node))
        elif node.data != "output_format":
            statement = self._statement(node)
            self._commands.append(statement)

    def _program_header(self, node: Node) -> ProgramHeaderRule:
        parts = cast("list[Token | Node | None]", node.children)
        name, kind, flags = _token(parts[0]), _token(parts[1]), parts[2]
        if kind != "PT_LOAD":
            fix = "list only PT_LOAD headers; the loaders of these images read no others"
            raise _ScriptMistake(f"the program header type {kind} is not supported", fix, _position(kind))
        return ProgramHeaderRule(str(name), self._expression(flags) if flags is not None else None, _position(name))

    def _output_section(self, node: Node) -> OutputSectionRule:
        name, address, no_load, at, align, *rest = cast("list[Token | Node | None]", node.children)
        contents: list[Content] = []
        headers: list[str] = []
        fill: Expression | None = None
        for child in rest:
            if child is None:
                continue
            part = _tree(child)
            if part.data == "phdr_use":
                headers.append(str(part.children[0]))
            elif part.data == "fill":
                fill = self._expression(part.children[1])
            else:
                contents.append(self._content(part))
        return OutputSectionRule(
            str(name),
            self._expression(address) if address is not None else None,
            no_load is not None,
            self._expression(_tree(at).children[0]) if at is not None else None,
            self._expression(_tree(align).children[0]) if align is not None else None,
            tuple(contents),
            tuple(headers),
            fill,
            _position(_token(name)),
        )

    def _content(self, node: Node) -> Content:
        if node.data == "keep":
            return self._input(_tree(node.children[0]), keep=True)
        if node.data == "input":
            return self._input(node, keep=False)
        if node.data == "data":
            size = _token(node.children[0])
            return DataStatement(_DATA_SIZES[size], self._expression(node.children[1]), _position(size))
        return self._statement(node)

    def _input(self, node: Node, *, keep: bool) -> InputRule:
        file_glob, *patterns = node.children
        found: list[SectionPattern] = []
        for pattern in patterns:
            parts = _tree(pattern).children
            sort = _SORTS[str(parts[0])] if len(parts) == 2 else ""
            found.append(SectionPattern(str(parts[-1]), sort))
        return InputRule(str(file_glob), tuple(found), keep, _position(_token(file_glob)))

    def _statement(self, node: Node) -> Assignment | Assertion:
        if node.data == "assert_":
            expression, message = node.children
            return Assertion(self._expression(expression), str(message)[1:-1], _position(node))
        keyword = str(node.children[0]) if node.data == "provide" else ""
        name, operator, expression = node.children[-3:]
        name, operator = _token(name), _token(operator)
        value, position = self._expression(expression), _position(name)
        if keyword and operator != "=":
            raise _ScriptMistake(f"'{operator}' cannot be used in {keyword}", "write '='", _position(operator))
        if operator != "=":
            value = Binary(str(operator)[:-1], Name(str(name), position), value, position)
        return Assignment(
            str(name), value, position, provide=keyword.startswith("PROVIDE"), hidden=keyword.endswith("HIDDEN")
        )

    def _expression(self, node: Token | Node | None) -> Expression:
        tree = _tree(node)
        match tree.data:
            case "number":
                return Number(_number(_token(tree.children[0])))
            case "name":
                return Name(str(tree.children[0]), _position(tree))
            case "unary":
                operator = _token(tree.children[0])
                if operator not in "-+~!":
                    raise _ScriptMistake(f"unexpected '{operator}'", "write an operand here", _position(operator))
                return Unary(str(operator), self._expression(tree.children[1]))
            case "call":
                return self._call(tree)
            case _:
                *operands, if_true, if_false = cast("list[Token | Node | None]", tree.children)
                value = self._precedence(operands)
                if if_true is None:
                    return value
                return Conditional(value, self._expression(if_true), self._expression(if_false))

    def _precedence(self, parts: list[Token | Node | None]) -> Expression:
        """Operators and operands alternate; splits at the last operator of the lowest level (all group left)."""
        if len(parts) == 1:
            return self._expression(parts[0])
        at = min(range(1, len(parts), 2), key=lambda index: (_PRECEDENCE[str(parts[index])], -index))
        operator = _token(parts[at])
        left, right = self._precedence(parts[:at]), self._precedence(parts[at + 1 :])
        return Binary(str(operator), left, right, _position(operator))

    def _call(self, tree: Node) -> Call:
        function = _token(tree.children[0])
        arguments = tuple(self._expression(argument) for argument in tree.children[1:])
        counts = ARGUMENT_COUNTS[str(function)]
        if len(arguments) not in counts:
            wanted = " or ".join(str(count) for count in counts)
            message = f"{function} takes {wanted} argument(s), {len(arguments)} given"
            raise _ScriptMistake(message, f"pass {wanted}", _position(function))
        if function in TAKES_NAME and not isinstance(arguments[0], Name):
            raise _ScriptMistake(f"{function} takes a name", "pass a section or symbol name", _position(function))
        return Call(str(function), arguments, _position(function))


def _number(token: Token) -> int:
    """A literal; octal is refused because GNU ld reads 010 as eight and ld.lld as ten."""
    text = str(token)
    scale = _SUFFIXES.get(text[-1], 1)
    digits = text[:-1] if scale > 1 else text
    if digits[:2].lower() == "0x":
        return int(digits, 16) * scale
    if len(digits) > 1 and digits.startswith("0"):
        fix = "write it without the leading zero, or as hexadecimal"
        raise _ScriptMistake(f"the number {digits} is octal to GNU ld and decimal to ld.lld", fix, _position(token))
    return int(digits) * scale
