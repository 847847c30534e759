"""Instruction forms: the notation of the instruction tables, and matching of operands against it.

A table line is `mnemonics | operands | effects | encoding`; several mnemonics are separated by spaces.

Operands, separated by commas:
  register   bank (R: W or X, the same throughout; X W B H S D Q Z P; V2d and Pb: with that arrangement), then the
             letter of its encoding field. `=` before it: written; `+`: read and written; none: read. `|sp` after
             it: 31 is SP instead of XZR. A capital letter: the register after the one of the small letter.
  #kind      immediate of a kind of `immediates.py`, `:f` names the encoding field
  ?kind      optional shift or extension
  [kind]     memory operand; `:n` names the base register's encoding field, the offset's is always `i`
  @kind      code or data address
  $kind      condition or other word

Effects: `flags:r`, `flags:w`, `flags:rw`; `store` (memory may change); `end` (nothing after it runs), `ret`
(leaves the block), `jump`, `branch`, `call`, `conduit` (SVC, HVC, SMC); `uses NAMES`, `sets NAMES` for registers that
the operands do not show.

An encoding has 32 characters, spaces apart: 0, 1 or a field letter. Lines without one go through keystone.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

from compiler.asm import base_table, extension_table, immediates
from compiler.asm.addressing import ADDRESSING, CONDITIONS, EXTENSIONS, PREFETCH, ModifierRule, memory_fault
from compiler.asm.operands import (
    Address,
    Immediate,
    Memory,
    Modifier,
    Operand,
    PageOffset,
    Value,
    Word,
    describe_operand,
)
from compiler.asm.registers import Register


@dataclass(frozen=True, slots=True)
class OperandSpec:
    """One operand of a form; `sort` is the notation's first character, `r` for registers."""

    sort: str
    kind: str
    letter: str = ""
    access: str = "r"
    stack: bool = False

    def __str__(self) -> str:
        if self.sort == "r":
            name = {"R": "Rn", "V2d": "Vn.2d", "Pb": "Pn.b"}.get(self.kind, f"{self.kind}n")
            return name + ("|SP" if self.stack else "")
        if self.sort == "?":
            return f"{{{EXTENSIONS[self.kind]}}}"
        if self.sort == "[":
            return ADDRESSING[self.kind].text
        if self.sort == "@":
            return ":lo12:symbol" if self.kind == "lo12" else "label"
        return {"#": "#imm", "$": "cond" if self.kind.startswith("cond") else self.kind}[self.sort]


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write an instruction."""

    mnemonic: str
    specs: tuple[OperandSpec, ...]
    effects: frozenset[str]
    uses: frozenset[str]
    sets: frozenset[str]
    encoding: str

    def __str__(self) -> str:
        text = self.mnemonic
        for index, spec in enumerate(self.specs):
            separator = "" if spec.sort == "?" else ", " if index else " "
            text += separator + str(spec)
        return text


@dataclass(slots=True)
class Match:
    """Operands that fit a form, with what they mean for the encoder and the data-flow checks.

    `fields` are encoding fields by letter; `word` is set where the whole encoding is known already.
    """

    form: Form
    operands: tuple[Operand, ...]
    fields: dict[str, int] = field(default_factory=dict[str, int])
    reads: set[str] = field(default_factory=set[str])
    writes: set[str] = field(default_factory=set[str])
    target: Address | PageOffset | None = None
    target_kind: str = ""
    word: int | None = None


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why operands do not fit. `rank` is higher the closer the operands came."""

    rank: int
    code: str
    operand: int
    message: str


UNPREDICTABLE_RANK = 20
"""From this rank on the operands fit a form, but their combination is unpredictable."""


class _Fail(Exception):
    def __init__(self, mismatch: Mismatch) -> None:
        super().__init__(mismatch.message)
        self.mismatch = mismatch


_REGISTER_SPEC = re.compile(r"([=+]?)(V2d|Pb|[RXWBHSDQZP])([a-zA-Z])(\|sp)?")
_COLUMN = re.compile(r"\s+\|(?=\s|$)")
_EFFECT_WORDS = frozenset(
    ["flags:r", "flags:w", "flags:rw", "store", "end", "ret", "jump", "branch", "call", "conduit"]
)
_BANK_BY_KIND = {"V2d": ("v", "2d"), "Pb": ("p", "b")}


def _spec(text: str) -> OperandSpec:
    match = _REGISTER_SPEC.fullmatch(text)
    if match is not None:
        access = {"": "r", "=": "w", "+": "rw"}[match[1]]
        return OperandSpec("r", match[2], match[3], access, bool(match[4]))
    body, _, letter = text[1:].partition(":")
    return OperandSpec(text[0], body.rstrip("]"), letter)


def _parse(line: str) -> Iterator[Form]:
    names, operands, effects, encoding = ([part.strip() for part in _COLUMN.split(line)] + ["", "", ""])[:4]
    specs = tuple(_spec(part.strip()) for part in operands.split(",") if part.strip())
    words = effects.split()
    uses: set[str] = set()
    sets: set[str] = set()
    current: set[str] | None = None
    for word in words:
        if word in ("uses", "sets"):
            current = uses if word == "uses" else sets
        elif word not in _EFFECT_WORDS and current is not None:
            current.add(word)
    plain = frozenset(word for word in words if word in _EFFECT_WORDS)
    for name in names.split():
        for full in [f"b.{condition}" for condition in CONDITIONS] if name == "b." else [name]:
            yield Form(full, specs, plain, frozenset(uses), frozenset(sets), encoding.replace(" ", ""))


@cache
def all_forms() -> dict[str, list[Form]]:
    """Every form, by mnemonic."""
    forms: dict[str, list[Form]] = {}
    table: Iterable[str] = [*base_table.BASE.strip().splitlines(), *extension_table.lines()]
    for line in table:
        for form in _parse(line):
            forms.setdefault(form.mnemonic, []).append(form)
    return forms


class _Matcher:
    """Matches the operands of one statement against one form."""

    def __init__(self, form: Form, operands: tuple[Operand, ...]) -> None:
        self._form = form
        self._operands = operands
        self._width = 0
        self._bank = ""
        self._match = Match(form, operands)

    def run(self) -> Match:
        index = 0
        for spec in self._form.specs:
            operand = self._operands[index] if index < len(self._operands) else None
            if spec.sort == "?":
                index += self._modifier(spec, operand, index)
                continue
            if operand is None:
                raise self._fail(0, index, f"it takes {self._form}")
            self._operand(spec, operand, index)
            index += 1
        if index < len(self._operands):
            raise self._fail(1, index, f"{describe_operand(self._operands[index])} is one operand too many")
        self._check_constraints()
        self._add_effects()
        return self._match

    def _fail(self, rank: int, operand: int, message: str, code: str = "A103") -> _Fail:
        return _Fail(Mismatch(rank, code, operand, message))

    def _operand(self, spec: OperandSpec, operand: Operand, index: int) -> None:
        if spec.sort == "r":
            self._register(spec, operand, index)
        elif spec.sort == "#" and isinstance(operand, Immediate):
            self._immediate(spec, operand, index)
        elif spec.sort == "[" and isinstance(operand, Memory):
            self._memory(spec, operand, index)
        elif spec.sort == "$" and isinstance(operand, Word):
            self._word(spec, operand, index)
        elif spec.sort == "@" and isinstance(operand, PageOffset if spec.kind == "lo12" else (Address, Word)):
            self._target(spec, operand)
        else:
            raise self._fail(index + 1, index, f"{describe_operand(operand)} is not of the form {spec}")

    def _register(self, spec: OperandSpec, operand: Operand, index: int) -> None:
        if not isinstance(operand, Register):
            raise self._fail(index + 1, index, f"{describe_operand(operand)} stands where {spec} is needed")
        bank, arrangement = _BANK_BY_KIND.get(spec.kind, (spec.kind.lower(), ""))
        if spec.kind == "R":
            fits = operand.is_general and self._bank in ("", operand.bank)
        else:
            fits = operand.bank == bank and operand.arrangement == arrangement
        if not fits or (operand.stack and not spec.stack) or (operand.is_zero and spec.stack):
            raise self._fail(index + 1, index, f"{operand.name} stands where {spec} is needed")
        if spec.kind == "R":
            self._bank = operand.bank
        if operand.is_general and (spec.kind == "R" or self._width == 0):
            self._width = 64 if operand.bank == "x" else 32
        if spec.letter.isupper():
            first = self._match.fields[spec.letter.lower()]
            if first % 2 or operand.number != first + 1:
                raise self._fail(UNPREDICTABLE_RANK, index, f"{operand.name} is not the second of an even and odd pair")
        self._match.fields[spec.letter] = operand.number
        resource = operand.resource
        if resource is not None:
            if "r" in spec.access:
                self._match.reads.add(resource)
            if "w" in spec.access:
                self._match.writes.add(resource)

    def _immediate(self, spec: OperandSpec, operand: Immediate, index: int) -> None:
        value = operand.value
        reason = immediates.fault(spec.kind, value, self._width or 64)
        if not reason and spec.kind == "width":
            lsb = self._operands[index - 1]
            if isinstance(lsb, Immediate) and lsb.value + value > self._width:
                reason = f"bits {lsb.value} to {lsb.value + value - 1} do not fit {self._width} bits"
        if reason:
            raise self._fail(30, index, f"{operand} is out of range: {reason}", "A104")
        if spec.kind in ("logical", "mov"):
            self._match.operands = (
                *self._match.operands[:index],
                Immediate(value & ((1 << self._width) - 1)),
                *self._match.operands[index + 1 :],
            )
        if spec.letter:
            self._match.fields[spec.letter] = immediates.bits_of(spec.kind, value)

    def _memory(self, spec: OperandSpec, operand: Memory, index: int) -> None:
        rule = ADDRESSING[spec.kind]
        reason, in_kind = memory_fault(rule, operand)
        if reason:
            raise self._fail(30 if in_kind else index + 1, index, reason, "A104" if in_kind else "A103")
        self._match.fields[spec.letter] = operand.base.number
        if isinstance(operand.offset, Immediate):
            self._match.fields["i"] = operand.offset.value // rule.scale
        else:
            self._match.fields["i"] = 0
        self._match.reads.add(operand.base.resource or "sp")
        if isinstance(operand.offset, Register) and operand.offset.resource is not None:
            self._match.reads.add(operand.offset.resource)
        if isinstance(operand.offset, PageOffset):
            self._match.target, self._match.target_kind = operand.offset, f"lo12_{rule.size}"
        if operand.writes_base:
            self._match.writes.add(operand.base.resource or "sp")

    def _word(self, spec: OperandSpec, operand: Word, index: int) -> None:
        text = operand.text.lower()
        if spec.kind == "prefetch":
            known = text in PREFETCH
        else:
            known = text in CONDITIONS and (spec.kind == "cond" or text not in ("al", "nv"))
        if not known:
            what = "prefetch operation" if spec.kind == "prefetch" else "condition"
            raise self._fail(10, index, f"{operand.text} is not a {what} here")

    def _target(self, spec: OperandSpec, operand: Operand) -> None:
        if isinstance(operand, Word):
            operand = Address(Value(0, operand.text))
        assert isinstance(operand, Address | PageOffset)
        self._match.target, self._match.target_kind = operand, spec.kind

    def _modifier(self, spec: OperandSpec, operand: Operand | None, index: int) -> int:
        """How many operands the optional modifier takes."""
        if isinstance(operand, Word) and operand.text.lower() in EXTENSIONS_WITHOUT_AMOUNT:
            operand = Modifier(operand.text.lower(), None)
        if not isinstance(operand, Modifier):
            if spec.kind.startswith("extend"):
                self._require_extension(spec, index)
            return 0
        rule = ModifierRule(spec.kind, self._width)
        reason, in_kind = rule.fault(operand)
        if reason:
            raise self._fail(30 if in_kind else index + 1, index, reason, "A104" if in_kind else "A103")
        if spec.kind == "lsl12":
            immediate = self._operands[index - 1]
            if isinstance(immediate, Immediate) and operand.amount and immediate.value > 0xFFF:
                raise self._fail(
                    30, index - 1, f"{immediate} is out of range: shifted by 12 it holds 0 to 0xfff", "A104"
                )
        if spec.kind == "shift" and operand.amount is None:
            raise self._fail(index + 1, index, f"{operand.word} needs an amount")
        self._match.operands = (*self._match.operands[:index], operand, *self._match.operands[index + 1 :])
        return 1

    def _require_extension(self, spec: OperandSpec, index: int) -> None:
        """Without an extension the form is the plain one, except where SP or a W register needs the extended one."""
        registers = [operand for operand in self._operands if isinstance(operand, Register)]
        if spec.kind == "extendw" or not any(register.stack for register in registers):
            raise self._fail(index, index, f"it takes {self._form}")

    def _check_constraints(self) -> None:
        """Combinations that the architecture calls unpredictable."""
        loaded = [
            operand
            for spec, operand in zip(self._form.specs, self._operands, strict=False)
            if spec.sort == "r" and isinstance(operand, Register)
        ]
        memory = next((operand for operand in self._operands if isinstance(operand, Memory)), None)
        if memory is None:
            return
        general = [register for register in loaded if register.is_general and not register.is_zero]
        if memory.writes_base and any(r.number == memory.base.number and not memory.base.stack for r in general):
            raise self._fail(
                UNPREDICTABLE_RANK, 0, f"{memory.base.name} is transferred and written back: unpredictable"
            )
        first = self._form.specs[0]
        if self._form.mnemonic.startswith(("ldp", "ldxp", "ldaxp", "ldnp")) and loaded[0] == loaded[1]:
            raise self._fail(UNPREDICTABLE_RANK, 1, f"{loaded[0].name} is loaded twice: unpredictable")
        if first.letter == "s" and first.access == "w":
            if any(other.number == loaded[0].number for other in loaded[1:]) or (
                memory.base.number == loaded[0].number and not memory.base.stack
            ):
                raise self._fail(
                    25, 0, f"the status register {loaded[0].name} is also stored or the base: unpredictable"
                )

    def _add_effects(self) -> None:
        effects = self._form.effects
        if effects & {"flags:r", "flags:rw"}:
            self._match.reads.add("nzcv")
        if effects & {"flags:w", "flags:rw"}:
            self._match.writes.add("nzcv")
        self._match.reads |= self._form.uses
        self._match.writes |= self._form.sets


EXTENSIONS_WITHOUT_AMOUNT = frozenset(["uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx"])


def match_forms(mnemonic: str, operands: tuple[Operand, ...]) -> Match | list[Mismatch]:
    """The first form that the operands fit, or why each form does not."""
    mismatches: list[Mismatch] = []
    for form in all_forms().get(mnemonic, []):
        try:
            return _Matcher(form, operands).run()
        except _Fail as failure:
            mismatches.append(failure.mismatch)
    return mismatches
