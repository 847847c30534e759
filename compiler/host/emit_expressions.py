"""Expressions of the typed program as Python expressions.

Checks are inlined with assignment expressions, `(t if (t := a + b) <= 255 else trap(7))`, so that an operand stays
where it stands and is evaluated once, left to right. Only a Sequence needs statements in front: they are appended to
the current block, and operands already translated are first saved in temporaries.
"""

from __future__ import annotations

import ast
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from compiler.host import python_ast as py
from compiler.program import nodes
from compiler.program.nodes import BinaryOp, CompareOp, Conversion, Expression, Overflow, Span, TrapKind, UnaryOp
from compiler.program.program import Function, StackSlot, StaticObject, Table
from compiler.program.types import Bool, Int, Pointer, ValueType, stored_size

_OPERATORS: dict[BinaryOp, Callable[[], ast.operator]] = {
    BinaryOp.ADD: ast.Add,
    BinaryOp.SUB: ast.Sub,
    BinaryOp.MUL: ast.Mult,
    BinaryOp.FLOOR_DIV: ast.FloorDiv,
    BinaryOp.MOD: ast.Mod,
    BinaryOp.AND: ast.BitAnd,
    BinaryOp.OR: ast.BitOr,
    BinaryOp.XOR: ast.BitXor,
    BinaryOp.SHL: ast.LShift,
    BinaryOp.SHR: ast.RShift,
}
_COMPARISONS: dict[CompareOp, Callable[[], ast.cmpop]] = {
    CompareOp.EQ: ast.Eq,
    CompareOp.NE: ast.NotEq,
    CompareOp.LT: ast.Lt,
    CompareOp.LE: ast.LtE,
    CompareOp.GT: ast.Gt,
    CompareOp.GE: ast.GtE,
}
_MASK_64 = (1 << 64) - 1
TEMPORARY = re.compile(r"__[0-9]+")
"""Names that `temporary` gives, kept free by everybody else."""


class Linkage(ABC):
    """What emitted code needs to know of the whole program and the machine it runs on."""

    @abstractmethod
    def trap(self, kind: TrapKind, span: Span, message: str) -> int:
        """Number that `__trap` is called with."""

    @abstractmethod
    def function(self, function: Function) -> str:
        """Python name of a function."""

    @abstractmethod
    def function_address(self, function: Function) -> int:
        """Simulated address of a function."""

    @abstractmethod
    def table(self, table: Table) -> str:
        """Python name of the list of a table's functions."""

    @abstractmethod
    def static(self, target: StaticObject) -> int:
        """Address of a static object."""

    @abstractmethod
    def linker_symbol(self, symbol: str) -> ast.expr:
        """Address of a linker symbol."""


def accessor(verb: str, kind: ValueType, align: int) -> str:
    """Name of the function that loads or stores a scalar; `_packed` where the address may be misaligned."""
    size = stored_size(kind)
    sign = "i" if isinstance(kind, Int) and kind.signed else "u"
    return f"__{verb}_{sign}{8 * size}{'' if align >= size else '_packed'}"


class ExpressionEmitter(ABC):
    """Translates the expressions of one function."""

    def __init__(self, linkage: Linkage) -> None:
        self.linkage = linkage
        self.block: list[ast.stmt] = []
        self._temporary_count = 0

    @abstractmethod
    def statements(self, statements: Sequence[nodes.Statement]) -> None:
        """Append the translation of statements to the current block."""

    @abstractmethod
    def local(self, local: nodes.Local) -> str:
        """Python name of a local."""

    @abstractmethod
    def slot(self, slot: StackSlot) -> ast.expr:
        """Address of a stack slot."""

    def temporary(self) -> str:
        """A fresh variable, assigned once."""
        self._temporary_count += 1
        return f"__{self._temporary_count}"

    def captured(self, expression: Expression) -> tuple[list[ast.stmt], ast.expr]:
        """The translation of an expression and, apart, the statements that it needs in front."""
        outer, self.block = self.block, []
        value = self.expression(expression)
        before, self.block = self.block, outer
        return before, value

    def operands(self, *expressions: Expression) -> list[ast.expr]:
        """Translations of operands that are evaluated in this order."""
        values: list[ast.expr] = []
        for expression in expressions:
            before, value = self.captured(expression)
            if before:
                values = [self._saved(earlier) for earlier in values]
                self.block += before
            values.append(value)
        return values

    def _saved(self, value: ast.expr) -> ast.expr:
        if isinstance(value, ast.Constant):
            return value
        temporary = self.temporary()
        self.block.append(py.assign(temporary, value))
        return py.name(temporary)

    def trap(self, kind: TrapKind, span: Span, message: str = "") -> ast.expr:
        """The call that raises TrapError."""
        return py.call("__trap", py.constant(self.linkage.trap(kind, span, message)))

    def expression(self, expression: Expression) -> ast.expr:
        """The translation of an expression; what it needs in front goes to the current block."""
        match expression:
            case nodes.Constant(kind, value):
                return py.constant(bool(value) if isinstance(kind, Bool) else value)
            case nodes.ReadLocal(local):
                return py.name(self.local(local))
            case nodes.Binary() | nodes.CheckedBinary() | nodes.Unary() | nodes.Convert():
                return py.located(self._arithmetic(expression), expression.span)
            case nodes.Compare() | nodes.Logical() | nodes.Conditional():
                return self._condition(expression)
            case nodes.Call(function, arguments, _, span):
                return py.located(py.call(self.linkage.function(function), *self.operands(*arguments)), span)
            case nodes.TableCall(span=span):
                return py.located(self._table_call(expression), span)
            case nodes.MakeTuple(elements):
                return py.tuple_of(self.operands(*elements))
            case nodes.TupleElement(operand, index):
                return py.subscript(self.expression(operand), py.constant(index))
            case nodes.Sequence(statements, value):
                self.statements(statements)
                return self.expression(value)
            case nodes.RegisterRead(name):
                return py.call("__read_register", ast.Constant(name))
            case _:
                return self._memory(expression)

    def _arithmetic(self, expression: nodes.Binary | nodes.CheckedBinary | nodes.Unary | nodes.Convert) -> ast.expr:
        match expression:
            case nodes.Binary():
                return self._binary(expression)
            case nodes.CheckedBinary(op, left, right):
                kind = expression.type.elements[0]
                assert isinstance(kind, Int)
                name = self.temporary()
                first, second = self.operands(left, right)
                value = py.walrus(name, py.binary(first, _OPERATORS[op](), second))
                return py.tuple_of([_wrapped(value, kind), py.between(kind.lowest, py.name(name), kind.highest)])
            case nodes.Unary():
                return self._unary(expression)
            case nodes.Convert():
                return self._convert(expression)

    def _checked(self, value: ast.expr, kind: ValueType, trap: ast.expr) -> ast.expr:
        """`value`, or the trap when it is out of the type's range."""
        assert isinstance(kind, Int)
        name = self.temporary()
        fits = py.between(kind.lowest, py.walrus(name, value), kind.highest)
        return py.choose(fits, py.name(name), trap)

    def _binary(self, expression: nodes.Binary) -> ast.expr:
        kind, op, overflow = expression.type, expression.op, expression.overflow
        left, right = self.operands(expression.left, expression.right)
        if op in (BinaryOp.MIN, BinaryOp.MAX):
            return py.call(op.value, left, right)
        if op in (BinaryOp.AND, BinaryOp.OR, BinaryOp.XOR):
            return py.binary(left, _OPERATORS[op](), right)
        assert isinstance(kind, Int)
        if op is BinaryOp.MULTIPLY_HIGH:
            return py.binary(py.binary(left, ast.Mult(), right), ast.RShift(), py.constant(kind.bits))
        if op in (BinaryOp.ROTATE_LEFT, BinaryOp.ROTATE_RIGHT):
            return py.call(f"__{op.value}", left, right, py.constant(kind.bits), py.constant(kind.signed))
        if overflow is not Overflow.PROVEN:
            right = self._checked_right(expression, kind, right)
        value = py.binary(left, _OPERATORS[op](), right)
        if op in (BinaryOp.SHR, BinaryOp.MOD) or overflow is Overflow.PROVEN:
            return value
        if op is BinaryOp.FLOOR_DIV and not kind.signed:
            return value
        return self._fitted(expression, kind, value)

    def _checked_right(self, expression: nodes.Binary, kind: Int, right: ast.expr) -> ast.expr:
        """The right operand with the check that it alone decides: of a divisor or a shift count."""
        if expression.op in (BinaryOp.FLOOR_DIV, BinaryOp.MOD):
            if isinstance(right, ast.Constant) and right.value:
                return right
            name = self.temporary()
            return py.choose(py.walrus(name, right), py.name(name), self.trap(TrapKind.DIVIDE, expression.span))
        if expression.op in (BinaryOp.SHL, BinaryOp.SHR):
            if isinstance(right, ast.Constant) and isinstance(right.value, int) and right.value < kind.bits:
                return right
            name = self.temporary()
            fits = py.compare(py.walrus(name, right), ast.Lt(), py.constant(kind.bits))
            return py.choose(fits, py.name(name), self.trap(TrapKind.SHIFT, expression.span))
        return right

    def _fitted(self, expression: nodes.Binary, kind: Int, value: ast.expr) -> ast.expr:
        """A result as its overflow behaviour wants it."""
        match expression.overflow:
            case Overflow.WRAP:
                return _wrapped(value, kind)
            case Overflow.SATURATE:
                return py.call("min", py.call("max", value, py.constant(kind.lowest)), py.constant(kind.highest))
            case _:
                trap = self.trap(TrapKind.OVERFLOW, expression.span)
        name = self.temporary()
        assigned = py.walrus(name, value)
        if kind.signed:
            fits = py.between(kind.lowest, assigned, kind.highest)
        elif expression.op is BinaryOp.SUB:
            fits = py.compare(assigned, ast.GtE(), py.constant(0))
        else:
            fits = py.compare(assigned, ast.LtE(), py.constant(kind.highest))
        return py.choose(fits, py.name(name), trap)

    def _unary(self, expression: nodes.Unary) -> ast.expr:
        kind = expression.type
        operand = self.expression(expression.operand)
        match expression.op:
            case UnaryOp.NOT:
                return py.negated(operand)
            case UnaryOp.NEGATE:
                value = ast.UnaryOp(ast.USub(), operand)
                return self._checked(value, kind, self.trap(TrapKind.OVERFLOW, expression.span))
            case UnaryOp.WRAPPING_NEGATE:
                return _wrapped(ast.UnaryOp(ast.USub(), operand), kind)
            case UnaryOp.INVERT:
                return _wrapped(ast.UnaryOp(ast.Invert(), operand), kind)
            case _:
                assert isinstance(kind, Int)
                helper = f"__{expression.op.value}"
                return py.call(helper, operand, py.constant(kind.bits), py.constant(kind.signed))

    def _convert(self, expression: nodes.Convert) -> ast.expr:
        operand = self.expression(expression.operand)
        match expression.kind:
            case Conversion.TRUNCATE:
                return _wrapped(operand, expression.type)
            case Conversion.CHECKED:
                return self._checked(operand, expression.type, self.trap(TrapKind.CONVERSION, expression.span))
            case Conversion.BOOL_TO_INT:
                return ast.UnaryOp(ast.UAdd(), operand)
            case Conversion.INT_TO_BOOL:
                return py.compare(operand, ast.NotEq(), py.constant(0))
            case Conversion.WIDEN | Conversion.POINTER_TO_INT | Conversion.INT_TO_POINTER:
                return operand

    def _condition(self, expression: nodes.Compare | nodes.Logical | nodes.Conditional) -> ast.expr:
        match expression:
            case nodes.Compare(op, left, right):
                first, second = self.operands(left, right)
                return py.compare(first, _COMPARISONS[op](), second)
            case nodes.Logical(is_and, left, right):
                first = self.expression(left)
                before, second = self.captured(right)
                if not before:
                    return ast.BoolOp(ast.And() if is_and else ast.Or(), [first, second])
                name = self.temporary()
                self.block.append(py.assign(name, first))
                condition = py.name(name) if is_and else py.negated(py.name(name))
                self.block.append(ast.If(condition, [*before, py.assign(name, second)], []))
                return py.name(name)
            case nodes.Conditional(condition, when_true, when_false):
                test = self.expression(condition)
                before_true, first = self.captured(when_true)
                before_false, second = self.captured(when_false)
                if not before_true and not before_false:
                    return py.choose(test, first, second)
                name = self.temporary()
                then = [*before_true, py.assign(name, first)]
                self.block.append(ast.If(test, then, [*before_false, py.assign(name, second)]))
                return py.name(name)

    def _table_call(self, expression: nodes.TableCall) -> ast.expr:
        index, *arguments = self.operands(expression.index, *expression.arguments)
        checked = self._in_range(index, py.constant(len(expression.table.functions)), expression.span)
        callee = py.subscript(py.name(self.linkage.table(expression.table)), checked)
        return ast.Call(callee, arguments, [])

    def _in_range(self, index: ast.expr, count: ast.expr, span: Span) -> ast.expr:
        """`index`, or the BOUNDS trap unless it is below `count`."""
        name = self.temporary()
        fits = py.compare(py.walrus(name, index), ast.Lt(), count)
        return py.choose(fits, py.name(name), self.trap(TrapKind.BOUNDS, span))

    def _memory(self, expression: Expression) -> ast.expr:
        match expression:
            case nodes.Load(address, kind, align):
                value = py.call(accessor("load", kind, align), self.expression(address))
                if isinstance(kind, Bool):
                    value = py.compare(value, ast.NotEq(), py.constant(0))
                return py.located(value, expression.span)
            case nodes.Offset(base, count):
                return py.binary(self.expression(base), ast.Add(), py.constant(count))
            case nodes.Element():
                return self._element(expression)
            case nodes.Subslice(run, start, stop, stride, span):
                trap = self.linkage.trap(TrapKind.SLICE, span, "")
                arguments = self.operands(run, start, stop)
                return py.located(py.call("__subslice", *arguments, py.constant(stride), py.constant(trap)), span)
            case nodes.AtomicUpdate(op, address, value, kind):
                where, operand = self.operands(address, value)
                return py.call("__atomic_update", ast.Constant(op), where, operand, *_shape(kind))
            case nodes.CompareExchange(address, expected, desired):
                return py.call("__compare_exchange", *self.operands(address, expected, desired), *_shape(expected.type))
            case _:
                return self._address(expression)

    def _element(self, expression: nodes.Element) -> ast.expr:
        if expression.count is None:
            base, index = self.operands(expression.base, expression.index)
            moved = py.binary(base, ast.Add(), py.binary(index, ast.Mult(), py.constant(expression.stride)))
            return py.binary(moved, ast.BitAnd(), py.constant(_MASK_64))
        base, index, count = self.operands(expression.base, expression.index, expression.count)
        checked = self._in_range(index, count, expression.span)
        moved = py.binary(base, ast.Add(), py.binary(checked, ast.Mult(), py.constant(expression.stride)))
        return py.located(moved, expression.span)

    def _address(self, expression: Expression) -> ast.expr:
        match expression:
            case nodes.StaticAddress(target, offset):
                return py.constant(self.linkage.static(target) + offset)
            case nodes.SlotAddress(slot):
                return self.slot(slot)
            case nodes.FunctionAddress(function):
                return py.constant(self.linkage.function_address(function))
            case nodes.LinkerAddress(symbol):
                return self.linkage.linker_symbol(symbol)
            case _:
                raise TypeError(f"{type(expression).__name__} is not an expression of the typed program")


def _wrapped(value: ast.expr, kind: ValueType) -> ast.expr:
    """`value` modulo 2**width, in the range of the type."""
    assert isinstance(kind, Int)
    pattern = py.binary(value, ast.BitAnd(), py.constant((1 << kind.bits) - 1))
    if not kind.signed:
        return pattern
    sign = 1 << (kind.bits - 1)
    return py.binary(py.binary(pattern, ast.BitXor(), py.constant(sign)), ast.Sub(), py.constant(sign))


def _shape(kind: ValueType) -> tuple[ast.expr, ast.expr]:
    """Width in bytes and signedness of a scalar, as arguments."""
    assert isinstance(kind, Int | Bool | Pointer)
    return py.constant(stored_size(kind)), py.constant(isinstance(kind, Int) and kind.signed)
