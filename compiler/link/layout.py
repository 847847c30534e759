"""Gives every output section, input section and script symbol its address, as the linker script says.

Passes over the script repeat until nothing moves, because expressions may look ahead (SIZEOF, symbols assigned below)
and the relocation table's size depends on addresses. Invariants: input sections are placed in input order within a
rule; an input section goes to the first rule that takes it; allocated sections that no rule takes are an error.
Semantics where GNU ld and lld differ (`.` inside a section): those of lld.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from compiler.link import elf
from compiler.link.expressions import (
    MASK,
    EvaluationError,
    Expression,
    Position,
    Value,
    align_up,
    evaluate,
)
from compiler.link.problems import LinkProblem, ProblemList
from compiler.link.reader import InputSection, ObjectFile
from compiler.link.resolve import Definitions, matches
from compiler.link.script import (
    DISCARD,
    Assertion,
    Assignment,
    Content,
    DataStatement,
    InputRule,
    OutputSectionRule,
    Script,
)

_PASSES_MAX = 16
_KEPT_FLAGS = elf.SHF_WRITE | elf.SHF_ALLOC | elf.SHF_EXECINSTR


@dataclass(eq=False)
class OutputSection:
    """One section of the image. `data_items` are the script's own bytes: (offset, bytes)."""

    index: int
    name: str
    rule: OutputSectionRule | None
    inputs: list[InputSection] = field(default_factory=list[InputSection])
    data_items: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])
    type: int = elf.SHT_PROGBITS
    flags: int = 0
    alignment: int = 1
    address: int = 0
    load_address: int = 0
    size: int = 0
    fill: int = 0

    @property
    def is_allocated(self) -> bool:
        """Whether the section occupies memory when the image runs."""
        return bool(self.flags & elf.SHF_ALLOC)

    @property
    def end(self) -> int:
        """The first address after the section."""
        return self.address + self.size


@dataclass(slots=True)
class Layout:
    """The result: sections in address order of the script, the script's symbols, and what was dropped.

    `discarded` holds the id() of live sections that the script sent to /DISCARD/.
    """

    sections: list[OutputSection]
    symbols: dict[str, Value]
    hidden: set[str]
    dropped: list[InputSection]
    discarded: set[int]


def input_address(section: InputSection, sections: Sequence[OutputSection]) -> int | None:
    """Where an input section was placed, or None if it was dropped."""
    return None if section.output is None else sections[section.output].address + section.offset


class LayoutEngine:
    """Lays out one link. `run` may be called once."""

    def __init__(
        self, script: Script, objects: Sequence[ObjectFile], definitions: Definitions, problems: ProblemList
    ) -> None:
        self._script, self._objects, self._definitions = script, objects, definitions
        self._problems = problems
        self._sections: list[OutputSection] = []
        self._placed: dict[int, list[InputSection]] = {}
        self._dropped: list[InputSection] = []
        self._discarded: set[int] = set()
        self._by_name: dict[str, OutputSection] = {}
        self._symbols: dict[str, Value] = {}
        self._defined_so_far: set[str] = set()
        self._dot = 0
        self._current = 0
        # Sections without AT are loaded as far from where they run as the one before them.
        self._load_distance = 0
        self._first_pass = True
        self._pass_problems = ProblemList()

    def run(self, update: Callable[[Layout], bool]) -> Layout:
        """Repeats passes until addresses, and what `update` computes from them, stay the same.

        `update` may change the size of synthetic input sections; it returns whether it did.
        """
        self._match()
        layout = Layout(self._sections, self._symbols, self._hidden_names(), self._dropped, self._discarded)
        before: object = None
        for _ in range(_PASSES_MAX):
            self._pass()
            changed = update(layout)
            state = (dict(self._symbols), [(s.address, s.load_address, s.size) for s in self._sections])
            if state == before and not changed:
                break
            before, self._first_pass = state, False
        else:
            self._problems.add(
                "LNK019",
                f"the layout of {self._script.path} still moves after {_PASSES_MAX} passes",
                fix="look for a symbol or section size that depends on its own value",
            )
        self._problems.problems += self._pass_problems.problems
        self._check_sections()
        return layout

    # Which input section goes where.

    def _match(self) -> None:
        unplaced = [s for obj in self._objects for s in obj.sections if s.live]
        self._dropped += [s for obj in self._objects for s in obj.sections if not s.live]
        for command in self._script.commands:
            if isinstance(command, OutputSectionRule):
                unplaced = self._match_rule(command, unplaced)
        self._place_orphans(unplaced)

    def _match_rule(self, rule: OutputSectionRule, unplaced: list[InputSection]) -> list[InputSection]:
        inputs: list[InputSection] = []
        for content in rule.contents:
            if isinstance(content, InputRule):
                taken = _select(content, unplaced)
                self._placed[id(content)] = taken
                inputs += taken
                chosen = {id(section) for section in taken}
                unplaced = [section for section in unplaced if id(section) not in chosen]
        if rule.name == DISCARD:
            self._dropped += inputs
            self._discarded.update(id(section) for section in inputs)
        elif inputs or any(self._is_lasting(content) for content in rule.contents):
            self._add_section(rule.name, rule, inputs)
        return unplaced

    def _is_lasting(self, content: Content) -> bool:
        """Whether `content` makes an output section exist although it has no input."""
        if isinstance(content, Assignment) and content.provide:
            return content.name in self._definitions.provided
        return not isinstance(content, InputRule)

    def _add_section(self, name: str, rule: OutputSectionRule | None, inputs: list[InputSection]) -> None:
        section = OutputSection(len(self._sections), name, rule, inputs)
        for item in inputs:
            item.output = section.index
            section.flags |= item.flags & _KEPT_FLAGS
            section.alignment = max(section.alignment, item.alignment)
        if not inputs:
            # Symbols and gaps alone: the section continues the one before it, as in lld.
            section.flags = elf.SHF_ALLOC | (self._sections[-1].flags if self._sections else 0)
        has_data = rule is not None and any(isinstance(content, DataStatement) for content in rule.contents)
        empty_of_bytes = inputs and all(item.type == elf.SHT_NOBITS for item in inputs) and not has_data
        if empty_of_bytes or (rule is not None and rule.no_load):
            section.type = elf.SHT_NOBITS
        elif inputs and all(item.type == elf.SHT_RELR for item in inputs):
            section.type = elf.SHT_RELR
        self._sections.append(section)
        self._by_name.setdefault(name, section)

    def _place_orphans(self, unplaced: list[InputSection]) -> None:
        """Debug sections go together by name; other non-allocated ones are dropped; allocated ones are an error."""
        debug: dict[str, list[InputSection]] = {}
        for section in unplaced:
            if section.is_allocated:
                if section.size:
                    self._problems.add(
                        "LNK005",
                        f"section {section.label} ({section.size} bytes) is placed by no rule",
                        fix=f"add *({section.name}) to a section of {self._script.path}, or to /DISCARD/",
                    )
                self._dropped.append(section)
            elif section.name.startswith(".debug_"):
                debug.setdefault(section.name, []).append(section)
            else:
                self._dropped.append(section)
        for name, inputs in debug.items():
            self._add_section(name, None, inputs)

    def _hidden_names(self) -> set[str]:
        names: set[str] = set()
        for command in self._script.commands:
            parts = command.contents if isinstance(command, OutputSectionRule) else (command,)
            names |= {part.name for part in parts if isinstance(part, Assignment) and part.hidden}
        return names

    # One pass over the script.

    def _pass(self) -> None:
        self._pass_problems = ProblemList()
        self._defined_so_far = set()
        self._dot, self._current, self._load_distance = 0, 0, 0
        by_rule = {id(section.rule): section for section in self._sections if section.rule is not None}
        for command in self._script.commands:
            if isinstance(command, Assignment):
                self._assign(command, None)
            elif isinstance(command, Assertion):
                self._assert(command)
            elif id(command) in by_rule:
                self._lay_out(by_rule[id(command)], command)
        for section in self._sections:
            if section.rule is None:
                self._place_inputs(section, section.inputs, 0)

    def _lay_out(self, section: OutputSection, rule: OutputSectionRule) -> None:
        outside = self._dot
        alignment = max(self._value(rule.alignment, 1), 1)
        if alignment & (alignment - 1):
            self._report("LNK001", f"ALIGN({alignment:#x}) is not a power of two", "use 1, 2, 4, 8", rule.position)
            alignment = 1
        section.alignment = max([alignment, *(item.alignment for item in section.inputs)])
        if not section.is_allocated:
            self._dot = 0
        self._dot = self._value(rule.address, align_up(self._dot, section.alignment))
        if self._dot % section.alignment:
            self._report(
                "LNK007",
                f"section {section.name} starts at {self._dot:#x}, its contents need {section.alignment:#x}",
                f"write {section.name} ALIGN({section.alignment:#x}) : {{ ... }}",
                rule.position,
            )
        section.address, self._current = self._dot, section.index
        if rule.load_address is not None:
            self._load_distance = self._value(rule.load_address, section.address) - section.address
        section.load_address = (section.address + (self._load_distance if section.is_allocated else 0)) & MASK
        section.fill = self._value(rule.fill, 0) & 0xFFFFFFFF
        section.data_items = []
        for content in rule.contents:
            self._content(section, content)
        section.size = self._dot - section.address
        if self._dot > MASK:
            self._report("LNK004", f"section {section.name} ends beyond 2**64", "lower its address", rule.position)
        if not section.is_allocated:
            self._dot = outside

    def _content(self, section: OutputSection, content: Content) -> None:
        match content:
            case InputRule():
                self._dot = section.address + self._place_inputs(
                    section, self._placed[id(content)], self._dot - section.address
                )
            case DataStatement(size_bytes, expression):
                value = self._value(expression, 0) & ((1 << 8 * size_bytes) - 1)
                item = (self._dot - section.address, value.to_bytes(size_bytes, "little"))
                section.data_items.append(item)
                self._dot += size_bytes
            case Assignment():
                self._assign(content, section)
            case Assertion():
                self._assert(content)

    @staticmethod
    def _place_inputs(section: OutputSection, inputs: Sequence[InputSection], offset: int) -> int:
        """Places `inputs` one after another from `offset`; returns where they end."""
        for item in inputs:
            # Alignment is of addresses: a section whose own address is misaligned has been reported.
            offset = align_up(offset, item.alignment)
            item.offset = offset
            offset += item.size
        section.size = offset
        return offset

    def _assign(self, statement: Assignment, section: OutputSection | None) -> None:
        if statement.provide and statement.name not in self._definitions.provided:
            return
        value = self._evaluate(statement.expression)
        if value is None:
            return
        if statement.name != ".":
            self._symbols[statement.name] = value
            self._defined_so_far.add(statement.name)
            return
        if section is not None and value.number < self._dot:
            self._report(
                "LNK004",
                f"the location counter moves back from {self._dot:#x} to {value.number:#x} in {section.name}",
                "inside a section write a value that is not below '.', for example . = . + SIZE",
                statement.position,
            )
            return
        self._dot = value.number

    def _assert(self, statement: Assertion) -> None:
        value = self._evaluate(statement.expression)
        if value is not None and value.number == 0:
            self._report("LNK003", statement.message, "see the script for the rule", statement.position)

    def _evaluate(self, expression: Expression) -> Value | None:
        try:
            return evaluate(expression, self)
        except EvaluationError as error:
            self._report(error.code, str(error), error.fix, error.position)
            return None

    def _value(self, expression: Expression | None, default: int) -> int:
        value = self._evaluate(expression) if expression is not None else None
        return default if value is None else value.number

    def _report(self, code: str, message: str, fix: str, position: Position) -> None:
        where = self._script.source_position(position)
        problem = LinkProblem(code, message, (), fix, where)
        if problem not in self._pass_problems.problems:
            self._pass_problems.problems.append(problem)

    # The scope of expressions.

    def symbol(self, name: str, position: Position) -> Value:
        """See `Scope`."""
        if name == ".":
            return Value(self._dot, self._current)
        if name in self._symbols:
            return self._symbols[name]
        definitions = self._definitions
        if name in definitions.outside:
            return Value(definitions.outside[name])
        definition = definitions.objects.get(name)
        if definition is not None:
            if definition.section is None:
                return Value(definition.value)
            address = input_address(definition.section, self._sections)
            if address is not None:
                return Value(address + definition.value, definition.section.output)
        elif self._first_pass and name in definitions:
            return Value(0, self._current)
        fix = f"assign {name} in the script, or pass its value to the linker as a symbol"
        raise EvaluationError("LNK002", f"symbol {name} is not defined", fix, position)

    def is_defined(self, name: str) -> bool:
        """See `Scope`."""
        known = self._definitions
        return name in self._defined_so_far or name in known.outside or name in known.objects

    def section_address(self, name: str, position: Position) -> Value:
        """See `Scope`."""
        section = self._named(name, position)
        return Value(section.address, section.index)

    def section_load_address(self, name: str, position: Position) -> Value:
        """See `Scope`."""
        section = self._named(name, position)
        return Value(section.load_address)

    def section_size(self, name: str, position: Position) -> int:
        """See `Scope`; the size of a section of the script that turned out empty is 0."""
        if name not in self._by_name and any(
            isinstance(command, OutputSectionRule) and command.name == name for command in self._script.commands
        ):
            return 0
        return self._named(name, position).size

    def _named(self, name: str, position: Position) -> OutputSection:
        section = self._by_name.get(name)
        if section is None:
            fix = "name an output section of this script that has contents"
            raise EvaluationError("LNK002", f"there is no output section {name}", fix, position)
        return section

    def header_flags(self) -> dict[str, int]:
        """The FLAGS of the script's program headers that give some."""
        flags: dict[str, int] = {}
        for rule in self._script.program_headers:
            value = self._evaluate(rule.flags) if rule.flags is not None else None
            if value is not None:
                flags[rule.name] = value.number
        return flags

    # Checks on the finished layout.

    def _check_sections(self) -> None:
        used = [s for s in self._sections if s.is_allocated and s.size]
        if not self._check_overlap("address", used, _run_start):
            # A section without bytes in the file is not loaded, its load address is of no account.
            self._check_overlap("load address", [s for s in used if s.type != elf.SHT_NOBITS], _load_start)

    def _check_overlap(
        self, kind: str, sections: list[OutputSection], start_of: Callable[[OutputSection], int]
    ) -> bool:
        """Reports sections that overlap; returns whether any do."""
        found = False
        for low, high in pairwise(sorted(sections, key=start_of)):
            if start_of(low) + low.size > start_of(high):
                found = True
                facts = [f"{s.name}: {kind} [{start_of(s):#x}, {start_of(s) + s.size:#x})" for s in (low, high)]
                fix = "move one of them, or let '.' run on instead of setting it"
                self._problems.add("LNK006", f"sections {low.name} and {high.name} overlap", found=facts, fix=fix)
        return found


def _run_start(section: OutputSection) -> int:
    return section.address


def _load_start(section: OutputSection) -> int:
    return section.load_address


def _select(rule: InputRule, candidates: Sequence[InputSection]) -> list[InputSection]:
    """The sections that `rule` takes, in their order in the image.

    Runs of unsorted patterns keep the order of the input; a sorted pattern orders what it alone selects.
    """
    result: list[InputSection] = []
    chosen: set[int] = set()
    run: list[str] = []

    def take(globs: Sequence[str]) -> list[InputSection]:
        return [
            section
            for section in candidates
            if id(section) not in chosen
            and matches(rule.file_glob, section.object_name)
            and any(matches(glob, section.name) for glob in globs)
        ]

    def add(sections: list[InputSection]) -> None:
        result.extend(sections)
        chosen.update(id(section) for section in sections)

    for pattern in rule.patterns:
        if not pattern.sort:
            run.append(pattern.glob)
            continue
        add(take(run))
        run = []
        found = take([pattern.glob])
        add(
            sorted(found, key=lambda s: s.name) if pattern.sort == "name" else sorted(found, key=lambda s: -s.alignment)
        )
    add(take(run))
    return result
