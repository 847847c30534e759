"""The header of a block: what it reads, writes, changes and calls, and where it is placed (grammar: header.lark).

The header ends at the line `begin`; all lines after it are the body.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from lark import Token, Tree, UnexpectedInput

from compiler.asm.diagnostics import BlockSource, Place, Reporter
from compiler.asm.grammar import Parser, tree_parser, unexpected
from compiler.asm.registers import CALLER_SAVED, RESOURCE_ORDER, find_resource


@dataclass(frozen=True, slots=True)
class Declared:
    """A register of an `in` or `out` line; `name` is the parameter or result that it carries, or empty."""

    resource: str
    name: str


@dataclass(frozen=True, slots=True)
class Item:
    """What one item of a header line declares: a register, a range of them, or a symbol."""

    text: str
    resources: frozenset[str]
    place: Place


_NOWHERE = Place(0)


@dataclass(slots=True)
class BlockHeader:
    """A parsed header. `stack` is the number or `{binding}` of its line, still text; empty without the line."""

    inputs: list[Declared] = field(default_factory=list[Declared])
    outputs: list[Declared] = field(default_factory=list[Declared])
    clobbers: set[str] = field(default_factory=set[str])
    calls: dict[str, Place] = field(default_factory=dict[str, Place])
    exports: dict[str, Place] = field(default_factory=dict[str, Place])
    section: str = ""
    alignment: int = 4
    naked: bool = False
    inline: bool = False
    stack: str = ""
    stack_place: Place = _NOWHERE
    declared: dict[str, list[Item]] = field(default_factory=dict[str, list[Item]])
    body_start: int = 0

    @property
    def input_resources(self) -> frozenset[str]:
        return frozenset(declared.resource for declared in self.inputs)

    @property
    def output_resources(self) -> frozenset[str]:
        return frozenset(declared.resource for declared in self.outputs)


@cache
def _parser() -> Parser[Tree[Token]]:
    return tree_parser("header.lark")


def _number(token: Token) -> int:
    """The value of a NUMBER token; 0 for a binding."""
    if token.startswith("{"):
        return 0
    return int(token, 16) if token.startswith("0x") else int(token)


_FLAGS = frozenset(["naked", "inline", "begin"])
_LISTS = frozenset(["in", "out", "clobber", "call", "global"])
_KEYWORDS = ("in", "out", "clobber", "call", "global", "section", "align", "stack", "naked", "inline", "begin")
_LONGEST_LINE = 400


class _HeaderReader:
    """Reads header lines into a BlockHeader and reports every fault."""

    def __init__(self, reporter: Reporter) -> None:
        self.header = BlockHeader()
        self._reporter = reporter
        self._seen: set[str] = set()

    def read_line(self, text: str, line: int) -> bool:
        """Read one line; true when it was `begin`."""
        if len(text) > _LONGEST_LINE:
            self._reporter.error("A001", Place(line, 1), f"the line has {len(text)} characters, more than 400")
            return False
        try:
            tree = _parser().parse(text)
        except UnexpectedInput as fault:
            self._report_unexpected(text, line, fault)
            return False
        keyword = tree.children[0] if tree.children else None
        if not isinstance(keyword, Token):
            return False
        argument = tree.children[1] if len(tree.children) > 1 else None
        self._read_keyword(keyword, argument if isinstance(argument, Tree) else None, line)
        return str(keyword) == "begin"

    def _report_unexpected(self, text: str, line: int, fault: UnexpectedInput) -> None:
        column, message = unexpected(text, fault)
        fix = ""
        if not text[: column - 1].strip():
            fix = f"a header line starts with one of {', '.join(_KEYWORDS)}"
        self._reporter.error("A002", Place(line, column), f"{message} in the header", fix=fix)

    def _read_keyword(self, keyword: Token, argument: Tree[Token] | None, line: int) -> None:
        word, place = str(keyword), Place(line, keyword.column or 1)
        kind = argument.data if argument is not None else "nothing"
        wanted = (
            "nothing" if word in _FLAGS else "items" if word in _LISTS else "quoted" if word == "section" else "size"
        )
        if kind != wanted:
            expected = {
                "nothing": "nothing",
                "items": "a list of names",
                "quoted": 'a section name in quotes, such as section ".text.vectors" align 2048',
                "size": "a number of bytes",
            }[wanted]
            self._reporter.error("A002", place, f"{word} is followed by {expected}")
            return
        if word in self._seen and word not in _LISTS:
            self._reporter.error("A002", place, f"{word} comes twice in the header")
            return
        self._seen.add(word)
        if argument is None:
            self.header.naked |= word == "naked"
            self.header.inline |= word == "inline"
        elif kind == "items":
            for item in argument.children:
                assert isinstance(item, Tree)
                self._read_item(word, item, line)
        else:
            self._read_placement(word, argument, place)

    def _read_placement(self, word: str, argument: Tree[Token], place: Place) -> None:
        tokens = [child for child in argument.children if isinstance(child, Token)]
        if word == "section":
            self.header.section = str(tokens[0])[1:-1]
            if not self.header.section:
                self._reporter.error("A002", place, "the section name is empty")
            if len(tokens) > 1:
                self._set_alignment(tokens[1], place)
        elif word == "align":
            self._set_alignment(tokens[0], place)
        else:
            self.header.stack, self.header.stack_place = str(tokens[0]), place

    def _set_alignment(self, token: Token, place: Place) -> None:
        value = _number(token)
        if value < 4 or value & (value - 1) or value > 0x10000:
            self._reporter.error("A002", place, f"alignment {token} is not a power of two between 4 and 0x10000 bytes")
            return
        self.header.alignment = max(self.header.alignment, value)

    def _read_item(self, word: str, item: Tree[Token], line: int) -> None:
        tokens: list[Token | None] = [c if isinstance(c, Token) else None for c in item.children]
        first, last, value = tokens
        assert first is not None
        place = Place(line, first.column or 1)
        if word in ("call", "global"):
            self._read_symbol(word, str(first), place, plain=last is None and value is None)
            return
        names = self._resources(word, first, last, place)
        if value is not None and (word == "clobber" or last is not None):
            self._reporter.error("A002", place, f"only a single register of in or out carries a name, not {first}")
        text = f"{first}..{last}" if last is not None else str(first)
        self._declare(word, names, text, str(value or ""), place)

    def _read_symbol(self, word: str, name: str, place: Place, *, plain: bool) -> None:
        table = self.header.calls if word == "call" else self.header.exports
        if not plain:
            self._reporter.error("A002", place, f"{word} lists symbols separated by commas")
        elif name in table:
            self._reporter.error("A002", place, f"{name} is listed twice after {word}")
        else:
            table[name] = place

    def _resources(self, word: str, first: Token, last: Token | None, place: Place) -> list[str]:
        """The resources that an item names, reported and empty where it names none."""
        if word == "clobber" and last is None and first in ("memory", "caller_saved"):
            return ["memory"] if first == "memory" else sorted(CALLER_SAVED, key=lambda name: RESOURCE_ORDER[name])
        found = find_resource(str(first))
        if found is None:
            self._reporter.error(
                "A102",
                place,
                f"{first} is not a register",
                fix="name x0..x30, sp, nzcv, v0..v31, p0..p15 or ffr"
                + (", memory or caller_saved" if word == "clobber" else ""),
            )
            return []
        if last is None:
            return [found]
        end = find_resource(str(last))
        if end is None or end[0] != found[0] or RESOURCE_ORDER[end] < RESOURCE_ORDER[found]:
            self._reporter.error("A002", place, f"{first}..{last} is not a range of registers")
            return []
        names = list(RESOURCE_ORDER)
        return names[RESOURCE_ORDER[found] : RESOURCE_ORDER[end] + 1]

    def _declare(self, word: str, names: Iterable[str], text: str, value: str, place: Place) -> None:
        names = list(names)
        target = {"in": self.header.inputs, "out": self.header.outputs}.get(word)
        present = self.header.clobbers if target is None else {declared.resource for declared in target}
        twice = [name for name in names if name in present]
        if twice:
            self._reporter.error("A002", place, f"{', '.join(twice)} is listed twice after {word}")
        if target is None:
            self.header.clobbers.update(names)
        else:
            target.extend(Declared(name, value) for name in names if name not in present)
        self.header.declared.setdefault(word, []).append(Item(text, frozenset(names), place))

    def check_whole(self, line: int) -> None:
        """Rules that need all lines."""
        for item in self.header.declared.get("clobber", []):
            both = self.header.output_resources & item.resources
            if both and item.text != "caller_saved":
                message = f"{', '.join(sorted(both))} is an output and a clobber"
                self._reporter.error("A002", item.place, message, fix="an output needs no clobber")
        if self.header.naked and self.header.inline:
            self._reporter.error("A002", Place(line), "a block is naked or inline, not both")


def read_header(source: BlockSource, reporter: Reporter) -> BlockHeader:
    """The header of a block; `body_start` is the index of the first line after `begin`."""
    reader = _HeaderReader(reporter)
    lines = source.text.split("\n")
    for index, text in enumerate(lines):
        if reader.read_line(text, source.first_line + index):
            reader.header.body_start = index + 1
            reader.check_whole(source.first_line + index)
            return reader.header
    reporter.error(
        "A003", Place(source.first_line, 1), f"block {source.name} has no line `begin`", fix="end the header with begin"
    )
    reader.header.body_start = len(lines)
    return reader.header


def parse_header(source: BlockSource) -> BlockHeader:
    """The header alone, for callers that bind its inputs to a signature. Raises AsmErrors."""
    reporter = Reporter(source.file)
    header = read_header(source, reporter)
    reporter.raise_if_any()
    return header
