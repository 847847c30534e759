"""Words of bit-fields, system registers, system instructions, barriers and hints."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from compiler.check.constants import describe, int_constant, is_plain_int, own_type
from compiler.check.context import FunctionChecker
from compiler.check.expressions import bool_to_int
from compiler.check.numbers import Rule, arguments
from compiler.check.values import Bound, Known, Result, Value, int_value_type, language_method, value_type
from compiler.language import bitfields, functions, registers
from compiler.language.bitfields import FieldMaker
from compiler.language.errors import BuildError
from compiler.language.register_table import (
    INSTRUCTIONS,
    find_instruction,
    find_register,
    similar_names,
)
from compiler.language.types import (
    NEVER,
    U64,
    VOID,
    BitsType,
    BoolType,
    DistinctType,
    EnumType,
    IntType,
    Type,
    type_of,
)
from compiler.program import types as value_types
from compiler.program.nodes import (
    Assign,
    Barrier,
    Binary,
    BinaryOp,
    Compare,
    CompareOp,
    Constant,
    Conversion,
    Convert,
    Expression,
    Hint,
    If,
    Overflow,
    ReadLocal,
    RegisterRead,
    RegisterWrite,
    Sequence,
    Statement,
    SystemOperation,
    Trap,
    TrapKind,
)

MethodRule = Any
_BARRIER_OPTIONS = ("sy", "ish", "ishst", "ishld", "nsh", "nshst", "nshld", "osh", "oshst", "oshld", "st", "ld")
_CPU_INDEX_REGISTER = "TPIDR_EL2"
NOTHING = Constant(value_types.VOID, 0)


def effect(*statements: Statement) -> Value:
    """Statements as the value of a call that gives nothing."""
    return Value(VOID, Sequence(statements, NOTHING))


# Fields of words


def field_value(
    fn: FunctionChecker, result: Result, high: int, low: int, base: IntType, name: str, tree: ast.expr
) -> Expression:
    """A field's value in its place in the word; traps (CONVERSION) when it is too wide."""
    width = high - low + 1
    largest = (1 << width) - 1
    if isinstance(result, Known) and isinstance(result.object, int):
        number = int(result.object)
        if not 0 <= number <= largest:
            fn.fail("E0325", f"{number} does not fit in `{name}`, bits [{high}:{low}] (0 to {largest})", tree)
        return int_constant(base, number << low)
    value = fn.run_time(result, tree)
    if isinstance(value.type, EnumType | DistinctType | BitsType):
        part = "value" if isinstance(value.type, EnumType) else "raw"
        fix = f"`{fn.text(tree)}.{part}`"
        fn.fail("E0325", f"`{name}` takes a number, `{fn.text(tree)}` is {value.type.name}", tree, fix=fix)
    held = int_value_type(base)
    span = fn.span(tree)
    if isinstance(value.type, BoolType):
        node = bool_to_int(fn, value, base, tree).node
    elif isinstance(value.type, IntType):
        fits = not value.type.signed and value.type.highest <= largest
        node = value.node if fits else _limited(fn, value, largest, tree)
        if node.type != held:
            widens = value.type.bits < base.bits and not value.type.signed
            node = Convert(Conversion.WIDEN if widens else Conversion.TRUNCATE, node, held, span)
    else:
        fn.fail("E0325", f"`{name}` takes a number, `{fn.text(tree)}` is {value.type.name}", tree)
    if low:
        node = Binary(BinaryOp.SHL, node, Constant(value_types.U64, low), held, Overflow.PROVEN, span)
    return node


def _limited(fn: FunctionChecker, value: Value, largest: int, tree: ast.expr) -> Expression:
    assert isinstance(value.type, IntType)
    span = fn.span(tree)
    local = fn.temporary(value.node.type)
    read = ReadLocal(local)
    trap = Trap(TrapKind.CONVERSION, span)
    statements: list[Statement] = [Assign(local, value.node, span)]
    if value.type.signed:
        negative = Compare(CompareOp.LT, read, int_constant(value.type, 0))
        statements.append(If(negative, (trap,), (), span))
    if largest < value.type.highest:
        above = Compare(CompareOp.GT, read, int_constant(value.type, largest))
        statements.append(If(above, (trap,), (), span))
    return Sequence(tuple(statements), read)


def call_field(fn: FunctionChecker, maker: FieldMaker, node: ast.Call, expected: Type | None) -> Result:
    """`TCR_EL2.T0SZ(25)`."""
    name = fn.text(node.func)
    (tree,) = arguments(fn, node, 1, name)
    result = fn.expression(tree, expected)
    if isinstance(result, Known):
        try:
            return Known(maker(result.object))
        except (BuildError, TypeError) as error:
            fn.fail("E0325", f"`{name}`: {error}", tree)
    base = type_of(maker.base)
    assert isinstance(base, IntType)
    return Value(base, field_value(fn, result, maker.high, maker.low, base, name, tree))


def _fields(
    fn: FunctionChecker, kind: BitsType, keywords: list[ast.keyword], node: ast.Call
) -> tuple[Expression | None, int, int]:
    """The run-time part of the named fields, their known part, and the mask of all of them."""
    if node.args:
        fix = f"`{fn.text(node.func)}(FIELD=value)`"
        fn.fail("E0308", f"fields of {kind.name} are given by name", node.args[0], fix=fix)
    variable: Expression | None = None
    known = mask = 0
    for keyword in keywords:
        name = keyword.arg or ""
        if name not in kind.fields:
            fn.fail("E0204", f"{kind.name} has no field `{name}`", keyword)
        high, low = kind.fields[name]
        mask |= ((1 << (high - low + 1)) - 1) << low
        part = field_value(fn, fn.expression(keyword.value), high, low, kind.base, name, keyword.value)
        if isinstance(part, Constant):
            known |= part.value
        else:
            variable = part if variable is None else _or(fn, kind, variable, part, node)
    return variable, known, mask


def _or(fn: FunctionChecker, kind: BitsType, left: Expression, right: Expression, node: ast.AST) -> Expression:
    return Binary(BinaryOp.OR, left, right, value_type(kind.base), Overflow.PROVEN, fn.span(node))


def make(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`Word.make(FIELD=value)`."""
    kind = _bits_class(fn, bound, node)
    variable, known, _ = _fields(fn, kind, node.keywords, node)
    return Value(kind, _with_known(fn, kind, variable, known, node))


def _with_known(
    fn: FunctionChecker, kind: BitsType, variable: Expression | None, known: int, node: ast.AST
) -> Expression:
    constant = int_constant(kind.base, known)
    if variable is None:
        return constant
    return _or(fn, kind, variable, constant, node) if known else variable


def replace(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`word.replace(FIELD=value)`."""
    value = fn.run_time(bound.receiver, node.func)
    assert isinstance(value.type, BitsType)
    return Value(value.type, _replaced(fn, value.type, value.node, node))


def _replaced(fn: FunctionChecker, kind: BitsType, word: Expression, node: ast.Call) -> Expression:
    variable, known, mask = _fields(fn, kind, node.keywords, node)
    keep = int_constant(kind.base, kind.base.highest & ~mask)
    kept = Binary(BinaryOp.AND, word, keep, value_type(kind.base), Overflow.PROVEN, fn.span(node))
    if variable is None and known == 0:
        return kept
    return _or(fn, kind, kept, _with_known(fn, kind, variable, known, node), node)


def _bits_class(fn: FunctionChecker, bound: Bound, node: ast.AST) -> BitsType:
    assert isinstance(bound.receiver, Known)
    try:
        kind = type_of(bound.receiver.object)
    except BuildError as error:
        fn.fail("E0306", str(error), node)
    assert isinstance(kind, BitsType)
    return kind


# System registers


def _register(fn: FunctionChecker, kind: BitsType, node: ast.AST, *, write: bool, read: bool) -> str:
    name = str(kind.cls.register)
    found = find_register(name)
    if found is None:
        near = similar_names(name)
        fix = f"did you mean {' or '.join(near)}?" if near else None
        fn.fail("E0606", f"the register table has no register {name}", node, fix=fix)
    if write and not found.writable:
        fn.fail("E0512", f"{found.name} is read-only", node)
    if read and not found.readable:
        fn.fail("E0512", f"{found.name} is write-only", node)
    if kind.base != U64:
        fn.fail("E0606", f"system registers are 64 bits wide, {kind.name} has base {kind.base.name}", node)
    return found.name


def read(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`HCR_EL2.read()`."""
    kind = _bits_class(fn, bound, node)
    arguments(fn, node, 0, f"{kind.name}.read")
    return Value(kind, RegisterRead(_register(fn, kind, node.func, write=False, read=True)))


def write(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`HCR_EL2.write(number or word)`."""
    kind = _bits_class(fn, bound, node)
    name = _register(fn, kind, node.func, write=True, read=False)
    (tree,) = arguments(fn, node, 1, f"{kind.name}.write")
    return effect(RegisterWrite(name, word_or_number(fn, kind, tree), fn.span(node)))


def word_or_number(fn: FunctionChecker, kind: BitsType, tree: ast.expr) -> Expression:
    """What is written to a register: its own words, or a number."""
    result = fn.expression(tree, kind.base)
    if (isinstance(result, Value) and result.type == kind) or (isinstance(result, Known) and own_type(result) == kind):
        return fn.run_time(result, tree).node
    return fn.program.rules.coerce(fn, result, kind.base, tree).node


def modify(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`HCR_EL2.modify(TGE=1)`: read, replace, write."""
    kind = _bits_class(fn, bound, node)
    name = _register(fn, kind, node.func, write=True, read=True)
    return effect(RegisterWrite(name, _replaced(fn, kind, RegisterRead(name), node), fn.span(node)))


def cpu_index(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`cpu_index()`: the per-CPU register."""
    arguments(fn, node, 0, "cpu_index")
    return Value(U64, RegisterRead(_CPU_INDEX_REGISTER))


# Instructions


def _literal(fn: FunctionChecker, tree: ast.expr, what: str) -> str:
    found = fn.expression(tree)
    if not isinstance(found, Known) or not isinstance(found.object, str):
        fn.fail("E0307", f"{what} is a literal", tree)
    return found.object.lower()


def _barrier(name: str) -> Rule:
    def rule(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
        (tree,) = arguments(fn, node, 1, name)
        option = _literal(fn, tree, f"the option of {name}()")
        if option not in _BARRIER_OPTIONS:
            fn.fail("E0607", f'{name}() has no option "{option}"', tree, fix=", ".join(_BARRIER_OPTIONS))
        return effect(Barrier(name, option, fn.span(node)))

    return rule


def isb(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`isb()`."""
    arguments(fn, node, 0, "isb")
    return effect(Barrier("isb", "sy", fn.span(node)))


def _system(group: str) -> Rule:
    def rule(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
        if not 1 <= len(node.args) <= 2 or node.keywords:
            fn.fail("E0308", f"{group}() takes an operation and, for most, a value", node)
        operation = _literal(fn, node.args[0], f"the operation of {group}()")
        found = find_instruction(group, operation)
        if found is None:
            _unknown_instruction(fn, group, operation, node.args[0])
        value: Expression | None = None
        if len(node.args) == 2:
            value = _operand(fn, node.args[1])
        if found is not None and found.takes_register and value is None:
            fn.fail("E0607", f'{group}("{operation}") takes a value', node)
        if found is not None and not found.takes_register and value is not None:
            fn.fail("E0607", f'{group}("{operation}") takes no value', node.args[1])
        return effect(SystemOperation(group, operation, value, fn.span(node)))

    return rule


def _unknown_instruction(fn: FunctionChecker, group: str, operation: str, tree: ast.expr) -> None:
    prefix = f"{group.upper()} "
    near = [name for name in similar_names(f"{group} {operation}") if name.startswith(prefix)]
    if not near:
        known = [name for name in INSTRUCTIONS if name.startswith(prefix)]
        near = known[:3]
    fix = " or ".join(f'"{name[len(prefix) :].lower()}"' for name in near)
    fn.fail("E0607", f'there is no instruction {group} "{operation}"', tree, fix=f"did you mean {fix}?")


def _operand(fn: FunctionChecker, tree: ast.expr) -> Expression:
    result = fn.expression(tree, U64)
    kind = result.type if isinstance(result, Value) else own_type(result) if isinstance(result, Known) else None
    if isinstance(kind, DistinctType | BitsType) and kind.base == U64:
        return fn.run_time(result, tree).node
    if kind is None and not is_plain_int(result):
        fn.fail("E0301", f"expected u64 or an address, found {describe(result)}", tree)
    return fn.program.rules.coerce(fn, result, U64, tree).node


def _hint(name: str, function: str) -> Rule:
    def rule(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
        arguments(fn, node, 0, function)
        return effect(Hint(name, fn.span(node)))

    return rule


def panic(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`panic("literal")`."""
    (tree,) = arguments(fn, node, 1, "panic")
    found = fn.expression(tree)
    if not isinstance(found, Known) or not isinstance(found.object, str):
        fn.fail("E0307", "the message of panic() is a literal, which stays outside the image", tree)
    return Value(NEVER, Sequence((Trap(TrapKind.PANIC, fn.span(node), found.object),), NOTHING))


def unreachable(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`unreachable()`."""
    arguments(fn, node, 0, "unreachable")
    return Value(NEVER, Sequence((Trap(TrapKind.UNREACHABLE, fn.span(node)),), NOTHING))


RULES: Mapping[Any, Rule] = {
    functions.cpu_index: cpu_index,
    functions.panic: panic,
    functions.unreachable: unreachable,
    registers.isb: isb,
    registers.dsb: _barrier("dsb"),
    registers.dmb: _barrier("dmb"),
    registers.tlbi: _system("tlbi"),
    registers.at: _system("at"),
    registers.dc: _system("dc"),
    registers.ic: _system("ic"),
    registers.wfi: _hint("wfi", "wfi"),
    registers.wfe: _hint("wfe", "wfe"),
    registers.sev: _hint("sev", "sev"),
    registers.spin_hint: _hint("yield", "spin_hint"),
}
METHODS: Mapping[Any, MethodRule] = {
    language_method(bitfields.Bits, "make"): make,
    bitfields.Bits.replace: replace,
    language_method(registers.SystemRegister, "read"): read,
    language_method(registers.SystemRegister, "write"): write,
    language_method(registers.SystemRegister, "modify"): modify,
}
