"""Symbol resolution and garbage collection.

Invariants: a strong definition beats a weak one, two strong ones are LNK012; what the entry, KEEP, `keep` and the
script's own expressions do not reach is dropped, so an undefined symbol matters only where live code uses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cache
from re import Pattern
from re import compile as compile_regex

from compiler.link import elf
from compiler.link.expressions import Binary, Call, Conditional, Expression, Name, Unary
from compiler.link.problems import ProblemList
from compiler.link.reader import InputSection, InputSymbol, ObjectFile
from compiler.link.script import Assignment, InputRule, OutputSectionRule, Script


@dataclass(frozen=True, slots=True)
class Definitions:
    """Who defines each global name: an object, the caller (`outside`), or the script (`assigned`, `provided`)."""

    objects: Mapping[str, InputSymbol]
    outside: Mapping[str, int]
    assigned: frozenset[str]
    provided: frozenset[str]

    def __contains__(self, name: str) -> bool:
        return name in self.objects or name in self.outside or name in self.assigned or name in self.provided


def resolve(
    objects: Sequence[ObjectFile], script: Script, outside: Mapping[str, int], problems: ProblemList
) -> Definitions:
    """Picks the definition of every global name; duplicates are recorded in `problems` as LNK012."""
    by_name: dict[str, InputSymbol] = {}
    undefined: set[str] = set()
    for obj in objects:
        for symbol in obj.symbols:
            if symbol.is_undefined:
                undefined.add(symbol.name)
            elif not symbol.is_local:
                _define(by_name, symbol, problems)
    assignments = list(_assignments(script))
    assigned = {statement.name for statement in assignments if not statement.provide} - {"."}
    wanted = undefined | script_references(script)
    provided = {statement.name for statement in assignments if statement.provide and statement.name in wanted}
    provided -= assigned | by_name.keys() | outside.keys()
    for name in sorted((assigned | outside.keys()) & by_name.keys()):
        where = by_name[name].section
        place = where.label if where is not None else by_name[name].object_name
        by = f"the linker script {script.path}" if name in assigned else "the symbols passed to the linker"
        problems.add(
            "LNK012", f"symbol {name} is defined twice", found=(place, by), fix="rename one of the definitions"
        )
    return Definitions(by_name, outside, frozenset(assigned), frozenset(provided))


def _define(by_name: dict[str, InputSymbol], symbol: InputSymbol, problems: ProblemList) -> None:
    earlier = by_name.get(symbol.name)
    if earlier is None or (earlier.binding == elf.STB_WEAK and symbol.binding != elf.STB_WEAK):
        by_name[symbol.name] = symbol
    elif symbol.binding != elf.STB_WEAK:
        found = [s.section.label if s.section is not None else s.object_name for s in (earlier, symbol)]
        fix = "rename one, make it local (internal, static), or link one of the objects only"
        problems.add("LNK012", f"symbol {symbol.name} is defined twice", found=found, fix=fix)


def _assignments(script: Script) -> Iterator[Assignment]:
    for command in script.commands:
        if isinstance(command, Assignment):
            yield command
        elif isinstance(command, OutputSectionRule):
            yield from (content for content in command.contents if isinstance(content, Assignment))


def script_references(script: Script) -> set[str]:
    """The names of all symbols that the script's expressions use."""
    result: set[str] = set()
    for command in script.commands:
        if isinstance(command, OutputSectionRule):
            expressions = [command.address, command.load_address, command.alignment, command.fill]
            for content in command.contents:
                if not isinstance(content, InputRule):
                    expressions.append(content.expression)
        else:
            expressions = [command.expression]
        for expression in expressions:
            if expression is not None:
                _collect_names(expression, result)
    return result - {"."}


def _collect_names(expression: Expression, names: set[str]) -> None:
    match expression:
        case Name(name):
            names.add(name)
        case Unary(_, operand):
            _collect_names(operand, names)
        case Binary(_, left, right):
            _collect_names(left, names)
            _collect_names(right, names)
        case Conditional(condition, if_true, if_false):
            for part in (condition, if_true, if_false):
                _collect_names(part, names)
        case Call(function, arguments) if function not in ("ADDR", "LOADADDR", "SIZEOF", "DEFINED"):
            for argument in arguments:
                _collect_names(argument, names)
        case _:
            pass


@cache
def _glob(pattern: str) -> Pattern[str]:
    # GNU ld negates a class with ^ or !, fnmatch with ! alone.
    return compile_regex(translate(pattern.replace("[^", "[!")))


def matches(pattern: str, name: str) -> bool:
    """Whether `name` matches the glob `pattern` of a linker script."""
    if pattern == "*":
        return True
    return _glob(pattern).match(name) is not None


def rule_takes(rule: InputRule, section: InputSection) -> bool:
    """Whether `rule` selects `section`."""
    if rule.file_glob != "*" and not matches(rule.file_glob, section.object_name):
        return False
    return any(matches(pattern.glob, section.name) for pattern in rule.patterns)


def collect_garbage(
    objects: Sequence[ObjectFile], script: Script, definitions: Definitions, roots: Iterable[str]
) -> None:
    """Sets `live` on every section that `roots`, KEEP rules or the script reach; non-allocated ones always live."""
    keeps = [
        content
        for command in script.commands
        if isinstance(command, OutputSectionRule)
        for content in command.contents
        if isinstance(content, InputRule) and content.keep
    ]
    work: list[InputSection] = []
    owner: dict[int, ObjectFile] = {}

    def mark(section: InputSection | None) -> None:
        if section is not None and not section.live:
            section.live = True
            if section.is_allocated:
                work.append(section)

    for obj in objects:
        for section in obj.sections:
            section.live = False
            owner[id(section)] = obj
    for obj in objects:
        for section in obj.sections:
            retained = section.flags & elf.SHF_GNU_RETAIN or not section.is_allocated
            if retained or any(rule_takes(rule, section) for rule in keeps):
                mark(section)
    for name in (*roots, *script_references(script)):
        if name in definitions.objects:
            mark(definitions.objects[name].section)
    while work:
        section = work.pop()
        symbols = owner[id(section)].symbols
        for _, index, _, _ in section.relocations:
            mark(target_of(symbols[index], definitions))


def target_of(symbol: InputSymbol, definitions: Definitions) -> InputSection | None:
    """The section that a use of `symbol` leads to, or None."""
    if symbol.is_local:
        return symbol.section
    definition = definitions.objects.get(symbol.name)
    return definition.section if definition is not None else None
