"""Evaluation: from operand syntax to operands, with bindings resolved and labels looked up."""

from collections.abc import Callable, Mapping
from typing import cast

from compiler.asm.diagnostics import Place, Reporter, ResolveError
from compiler.asm.operands import (
    Address,
    Immediate,
    Memory,
    Modifier,
    Operand,
    PageOffset,
    SymbolReference,
    Value,
    Word,
)
from compiler.asm.registers import Register, find_register, looks_like_register
from compiler.asm.syntax import (
    Binary,
    Binding,
    ElementSyntax,
    Expression,
    ImmediateSyntax,
    LiteralPoolSyntax,
    LocalReference,
    MemorySyntax,
    ModifierSyntax,
    Name,
    Number,
    OperandSyntax,
    PageOffsetSyntax,
    StringSyntax,
    Unary,
    WordPairSyntax,
)

Resolve = Callable[[str], int | SymbolReference]
"""Evaluates the text of a binding: a number, or a reference to a symbol of the link. Raises ResolveError."""

_RESOLVE_FAULTS = (
    ResolveError,
    ArithmeticError,
    AttributeError,
    LookupError,
    NameError,
    SyntaxError,
    TypeError,
    ValueError,
)

_LIMIT = 1 << 64
SHIFT_WORDS = frozenset(["lsl", "lsr", "asr", "ror", "uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx"])


class Unusable(Exception):
    """An operand could not be evaluated; the error has been reported already."""


class Labels:
    """The labels of a block with their offsets in bytes."""

    def __init__(self) -> None:
        self.named: dict[str, int] = {}
        self.places: dict[str, Place] = {}
        self._numeric: dict[int, list[int]] = {}

    def add_numeric(self, number: int, offset: int) -> None:
        self._numeric.setdefault(number, []).append(offset)

    def local(self, number: int, origin: int, *, forward: bool) -> int | None:
        """The offset of `1f` (after `origin`) or `1b` (at or before it)."""
        offsets = self._numeric.get(number, [])
        found = [offset for offset in offsets if (offset > origin if forward else offset <= origin)]
        return (min(found) if forward else max(found)) if found else None


class Evaluator:
    """Evaluates the operands of one block; `symbols` maps names of the `call` and `global` lines to symbols."""

    def __init__(self, resolve: Resolve, reporter: Reporter, labels: Labels, symbols: Mapping[str, str]) -> None:
        self._resolve = resolve
        self._reporter = reporter
        self._labels = labels
        self._symbols = symbols
        self._resolved: dict[str, Value | str] = {}
        self.used_symbols: set[str] = set()

    def value(self, expression: Expression, line: int, offset: int, variables: Mapping[str, int]) -> Value:
        """The value of an expression in the statement at `offset`. Raises Unusable after reporting."""
        if isinstance(expression, Number):
            return Value(expression.value)
        place = Place(line, expression.column)
        if isinstance(expression, Binding):
            if expression.text in variables:
                return Value(variables[expression.text])
            return self._binding(expression.text, place)
        if isinstance(expression, Name):
            return self._name(expression.text, place, offset, variables)
        if isinstance(expression, LocalReference):
            return self._local(expression, place, offset)
        if isinstance(expression, Unary):
            operand = self.value(expression.operand, line, offset, variables)
            if not operand.is_number:
                raise self._unusable("A103", place, f"{expression.operator} takes a number, not an address")
            return self._limited(-operand.number if expression.operator == "-" else ~operand.number, place)
        left = self.value(expression.left, line, offset, variables)
        right = self.value(expression.right, line, offset, variables)
        return self._binary(expression, left, right, place)

    def number(self, expression: Expression, line: int, offset: int, variables: Mapping[str, int]) -> int:
        value = self.value(expression, line, offset, variables)
        if not value.is_number:
            raise self._unusable("A103", Place(line, expression.column), "a number is needed here, not an address")
        return value.number

    def operands(
        self, syntax: tuple[OperandSyntax, ...], line: int, offset: int, variables: Mapping[str, int]
    ) -> tuple[Operand, ...]:
        """The operands of an instruction; a memory operand and the immediate after it join to post-index form."""
        result: list[Operand] = []
        for item in syntax:
            operand = self._operand(item, line, offset, variables)
            previous = result[-1] if result else None
            if (
                isinstance(previous, Memory)
                and isinstance(operand, Immediate)
                and previous.mode == "offset"
                and previous.offset is None
            ):
                result[-1] = Memory(previous.base, operand, None, "post")
            else:
                result.append(operand)
        return tuple(result)

    def _unusable(self, code: str, place: Place, message: str, *, note: str = "", fix: str = "") -> Unusable:
        self._reporter.error(code, place, message, note=note, fix=fix)
        return Unusable()

    def _limited(self, number: int, place: Place) -> Value:
        if not -_LIMIT < number < _LIMIT:
            raise self._unusable("A104", place, "the value of this expression does not fit 64 bits")
        return Value(number)

    def _binding(self, text: str, place: Place) -> Value:
        found = self._resolved.get(text)
        if found is None:
            found = self._resolved[text] = self._resolve_binding(text)
        if isinstance(found, str):
            raise self._unusable("A105", place, f"{{{text}}} cannot be evaluated: {found}")
        if found.symbol:
            self._use_symbol(found.symbol, text, place)
        return found

    def _resolve_binding(self, text: str) -> Value | str:
        try:
            result = cast(object, self._resolve(text))
        except _RESOLVE_FAULTS as fault:
            return str(fault) or type(fault).__name__
        if isinstance(result, SymbolReference):
            return Value(result.addend, result.symbol)
        if isinstance(result, int):
            number = int(result)
            return Value(number) if -_LIMIT < number < _LIMIT else "the value does not fit 64 bits"
        return f"it is neither a number nor a symbol but {type(result).__name__}"

    def _use_symbol(self, symbol: str, text: str, place: Place) -> None:
        if symbol not in self._symbols.values():
            self._reporter.error(
                "A305", place, f"{text} is used but not declared", fix=f"add it to the header: call {text}"
            )
        self.used_symbols.add(symbol)

    def _name(self, text: str, place: Place, offset: int, variables: Mapping[str, int]) -> Value:
        if text in variables:
            return Value(variables[text])
        if text == ".":
            return Value(offset, origins=1)
        if text in self._labels.named:
            return Value(self._labels.named[text], origins=1)
        if text in self._symbols:
            self.used_symbols.add(self._symbols[text])
            return Value(0, self._symbols[text])
        if find_register(text) is not None:
            raise self._unusable("A103", place, f"{text} is a register, where a number or an address is needed")
        raise self._unusable(
            "A201",
            place,
            f"{text} is neither a label of the block nor declared by a call line",
            fix=f"define the label, write {{{text}}} for a value of the program, or declare it: call {text}",
        )

    def _local(self, reference: LocalReference, place: Place, offset: int) -> Value:
        found = self._labels.local(reference.number, offset, forward=reference.forward)
        if found is None:
            where = "after" if reference.forward else "before"
            raise self._unusable("A201", place, f"no label {reference.number}: stands {where} this line")
        return Value(found, origins=1)

    def _binary(self, expression: Binary, left: Value, right: Value, place: Place) -> Value:
        operator = expression.operator
        if operator in "+-":
            sign = 1 if operator == "+" else -1
            if right.symbol and (sign < 0 or left.symbol):
                raise self._unusable("A103", place, "addresses of two symbols cannot be combined before the link")
            symbol, origins = left.symbol or right.symbol, left.origins + sign * right.origins
            return Value(self._limited(left.number + sign * right.number, place).number, symbol, origins)
        if not left.is_number or not right.is_number:
            raise self._unusable("A103", place, f"{operator} takes numbers, not addresses")
        a, b = left.number, right.number
        if operator in ("<<", ">>") and not 0 <= b < 64:
            raise self._unusable("A104", place, f"a shift by {b} is not between 0 and 63")
        result = {"*": a * b, "&": a & b, "|": a | b}.get(operator)
        if result is None:
            result = a << b if operator == "<<" else a >> b
        return self._limited(result, place)

    def _operand(self, syntax: OperandSyntax, line: int, offset: int, variables: Mapping[str, int]) -> Operand:
        place = Place(line, syntax.column)
        if isinstance(syntax, Name):
            return self._word(syntax.text, place, variables)
        if isinstance(syntax, ImmediateSyntax):
            return Immediate(self.number(syntax.expression, line, offset, variables))
        if isinstance(syntax, ModifierSyntax):
            if syntax.word not in SHIFT_WORDS:
                raise self._unusable("A103", place, f"{syntax.word} is no shift or extension")
            return Modifier(syntax.word, self.number(syntax.amount, line, offset, variables))
        if isinstance(syntax, PageOffsetSyntax):
            if syntax.operator != "lo12":
                raise self._unusable("A108", place, f":{syntax.operator}: is not supported", fix="use adrp and :lo12:")
            value = self.value(syntax.expression, line, offset, variables)
            if value.is_number:
                raise self._unusable("A103", place, ":lo12: takes a symbol or a label, not a number")
            return PageOffset(value)
        if isinstance(syntax, MemorySyntax):
            return self._memory(syntax, line, offset, variables)
        if isinstance(syntax, WordPairSyntax):
            if (syntax.first, syntax.second) != ("mul", "vl"):
                raise self._unusable("A001", place, f"unexpected {syntax.second!r} after {syntax.first!r}")
            return Modifier("mul vl", None)
        if isinstance(syntax, LiteralPoolSyntax):
            raise self._unusable(
                "A108",
                place,
                "a block has no literal pool",
                fix="load a constant with mov and movk, an address with adrp and add :lo12:",
            )
        if isinstance(syntax, ElementSyntax):
            raise self._unusable("A108", place, f"vector elements such as {syntax.register}[...] are not supported")
        if isinstance(syntax, StringSyntax):
            raise self._unusable("A103", place, "a string stands where an operand is needed")
        value = self.value(syntax, line, offset, variables)
        return Immediate(value.number) if value.is_number else Address(value)

    def _word(self, text: str, place: Place, variables: Mapping[str, int]) -> Operand:
        if text in variables:
            return Immediate(variables[text])
        register = find_register(text)
        if register is not None:
            return register
        if looks_like_register(text) and text not in self._labels.named and text not in self._symbols:
            raise self._unusable("A102", place, f"{text} is not a register")
        return Word(text)

    def _memory(self, syntax: MemorySyntax, line: int, offset: int, variables: Mapping[str, int]) -> Memory:
        place = Place(line, syntax.column)
        parts = [self._operand(part, line, offset, variables) for part in syntax.parts]
        base = parts[0]
        if not isinstance(base, Register) or base.bank != "x" or base.is_zero:
            raise self._unusable("A103", place, "the base of a memory operand is x0..x30 or sp")
        rest = parts[1:]
        modifier: Modifier | None = None
        if len(rest) == 2:
            last = rest.pop()
            if isinstance(last, Word) and str(last) in SHIFT_WORDS:
                last = Modifier(str(last), None)
            if not isinstance(last, Modifier):
                raise self._unusable("A103", place, "the third part of a memory operand is a shift or an extension")
            modifier = last
        offset_operand = rest[0] if rest else None
        if len(rest) > 1 or not isinstance(offset_operand, Register | Immediate | PageOffset | None):
            raise self._unusable("A103", place, "a memory operand is [base], [base, #offset] or [base, index, shift]")
        if isinstance(offset_operand, Register) and (not offset_operand.is_general or offset_operand.stack):
            raise self._unusable("A103", place, f"{offset_operand.name} cannot be an index")
        if modifier is not None and modifier.word != "mul vl" and not isinstance(offset_operand, Register):
            raise self._unusable("A103", place, f"{modifier.word} needs an index register before it")
        if modifier is not None and modifier.word == "mul vl" and not isinstance(offset_operand, Immediate):
            raise self._unusable("A103", place, "mul vl needs an immediate before it")
        return Memory(base, offset_operand, modifier, "pre" if syntax.writeback else "offset")

    def address(self, word: Word, line: int, column: int, offset: int, variables: Mapping[str, int]) -> Value:
        """The address that a plain name in the place of a branch target means."""
        return self._name(word.text, Place(line, column), offset, variables)

    def datum(self, syntax: OperandSyntax, line: int, offset: int, variables: Mapping[str, int]) -> Value:
        """The value of a data directive's operand, with or without `#`. Raises Unusable after reporting."""
        if isinstance(syntax, ImmediateSyntax):
            syntax = syntax.expression
        if isinstance(syntax, Number | Binding | Name | LocalReference | Unary | Binary):
            return self.value(syntax, line, offset, variables)
        raise self._unusable("A106", Place(line, syntax.column), "a number or an address is needed here")

    def symbol(self, name: str, place: Place) -> str | None:
        """The link symbol of a name on a `call` line; None after a report."""
        found = self._resolve_binding(name)
        if isinstance(found, str) or not found.symbol or found.number:
            reason = found if isinstance(found, str) else "it is a number, not a symbol"
            self._reporter.error("A105", place, f"call {name} cannot be resolved: {reason}")
            return None
        return found.symbol
