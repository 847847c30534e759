"""A direct interpreter of the scalar part of typed programs: the reference that range analysis is tested against.

It states the meaning of each node once more, as plainly as possible, and knows nothing of the compiler's passes. A
check marked as proven that would fail raises BrokenProof.
"""

from collections.abc import Sequence
from contextlib import suppress

from compiler.program import nodes
from compiler.program.nodes import (
    BinaryOp,
    CompareOp,
    Conversion,
    Expression,
    Local,
    Overflow,
    Statement,
    TrapKind,
    UnaryOp,
)
from compiler.program.program import Function
from compiler.program.types import Int


class Trapped(Exception):
    """A check failed."""

    def __init__(self, kind: TrapKind) -> None:
        super().__init__(kind.text)
        self.kind = kind


class BrokenProof(Exception):
    """A check that was proven would have failed."""


class OutOfSteps(Exception):
    """The run is longer than the test wants."""


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _Return(Exception):
    pass


Value = int | tuple[int, ...]


class Machine:
    """Runs one call."""

    def __init__(self, steps: int = 4000) -> None:
        self.steps = steps
        self.locals: dict[Local, Value] = {}
        self.result: Value = 0

    def call(self, function: Function, arguments: Sequence[int]) -> Value:
        """The result of a function."""
        outer = self.locals
        self.locals = dict(zip(function.parameters, arguments, strict=True))
        self.result = 0
        with suppress(_Return):
            self.block(function.body)
        self.locals = outer
        return self.result

    def block(self, statements: Sequence[Statement]) -> None:
        for statement in statements:
            self.steps -= 1
            if self.steps < 0:
                raise OutOfSteps
            self.statement(statement)

    def statement(self, node: Statement) -> None:
        match node:
            case nodes.Assign():
                self.locals[node.local] = self.value(node.value)
            case nodes.If():
                self.block(node.then if self.number(node.condition) else node.otherwise)
            case nodes.Loop():
                self.loop(node)
            case nodes.Switch():
                subject = self.number(node.subject)
                chosen = next((case.body for case in node.cases if subject in case.values), node.default)
                self.block(chosen)
            case nodes.Break():
                raise _Break
            case nodes.Continue():
                raise _Continue
            case nodes.Return():
                if node.value is not None:
                    self.result = self.value(node.value)
                raise _Return
            case nodes.Trap():
                raise Trapped(node.kind)
            case nodes.Evaluate():
                self.value(node.expression)
            case _:
                raise NotImplementedError(node)

    def loop(self, node: nodes.Loop) -> None:
        while node.condition is None or self.number(node.condition):
            self.steps -= 1
            if self.steps < 0:
                raise OutOfSteps
            try:
                self.block(node.body)
            except _Break:
                return
            except _Continue:
                pass
            self.block(node.step)

    def number(self, node: Expression) -> int:
        found = self.value(node)
        assert isinstance(found, int)
        return found

    def value(self, node: Expression) -> Value:
        match node:
            case nodes.Constant():
                return node.value
            case nodes.ReadLocal():
                return self.locals[node.local]
            case nodes.Binary():
                return self.binary(node, self.number(node.left), self.number(node.right))
            case nodes.Unary():
                return self.unary(node, self.number(node.operand))
            case nodes.Compare():
                return int(_compare(node.op, self.number(node.left), self.number(node.right)))
            case nodes.Logical():
                left = self.number(node.left)
                return left and self.number(node.right) if node.is_and else left or self.number(node.right)
            case nodes.Conditional():
                return self.value(node.when_true if self.number(node.condition) else node.when_false)
            case nodes.Convert():
                return self.convert(node, self.number(node.operand))
            case nodes.MakeTuple():
                return tuple(self.number(element) for element in node.elements)
            case nodes.TupleElement():
                whole = self.value(node.operand)
                assert isinstance(whole, tuple)
                return whole[node.index]
            case nodes.Sequence():
                self.block(node.statements)
                return self.value(node.value)
            case nodes.Element():
                return self.element(node)
            case nodes.Call():
                arguments = [self.number(argument) for argument in node.arguments]
                return Machine.call(self, node.function, arguments)
            case _:
                raise NotImplementedError(node)

    def element(self, node: nodes.Element) -> int:
        index = self.number(node.index)
        if node.count is not None and index >= self.number(node.count):
            raise Trapped(TrapKind.BOUNDS)
        return index

    def convert(self, node: nodes.Convert, value: int) -> int:
        target = node.type
        assert isinstance(target, Int)
        fits = target.lowest <= value <= target.highest
        match node.kind:
            case Conversion.CHECKED if not fits:
                raise Trapped(TrapKind.CONVERSION)
            case Conversion.WIDEN if not fits:
                raise BrokenProof(node)
            case Conversion.TRUNCATE:
                return wrap(value, target)
            case _:
                return value

    def unary(self, node: nodes.Unary, value: int) -> int:
        if node.op is UnaryOp.NOT:
            return 1 - value
        kind = node.type
        assert isinstance(kind, Int)
        match node.op:
            case UnaryOp.INVERT:
                return wrap(~value, kind)
            case UnaryOp.WRAPPING_NEGATE:
                return wrap(-value, kind)
            case UnaryOp.NEGATE:
                if wrap(-value, kind) != -value:
                    raise Trapped(TrapKind.OVERFLOW)
                return -value
            case UnaryOp.COUNT_ONES:
                return (value & ((1 << kind.bits) - 1)).bit_count()
            case UnaryOp.LEADING_ZEROS:
                return kind.bits - (value & ((1 << kind.bits) - 1)).bit_length()
            case _:
                raise NotImplementedError(node.op)

    def binary(self, node: nodes.Binary, left: int, right: int) -> int:
        kind = node.type
        assert isinstance(kind, Int)
        failure = BrokenProof(node) if node.overflow is Overflow.PROVEN else None
        if node.op in (BinaryOp.FLOOR_DIV, BinaryOp.MOD) and right == 0:
            raise failure or Trapped(TrapKind.DIVIDE)
        if node.op in (BinaryOp.SHL, BinaryOp.SHR) and right >= kind.bits:
            raise failure or Trapped(TrapKind.SHIFT)
        exact = _exact(node.op, left, right)
        if wrap(exact, kind) == exact:
            return exact
        if node.overflow is Overflow.SATURATE:
            return min(max(exact, kind.lowest), kind.highest)
        if node.overflow is Overflow.WRAP:
            return wrap(exact, kind)
        raise failure or Trapped(TrapKind.OVERFLOW)


def wrap(value: int, kind: Int) -> int:
    """The low bits of a number as a value of the type."""
    low = value & ((1 << kind.bits) - 1)
    return low - (1 << kind.bits) if kind.signed and low >> (kind.bits - 1) else low


def _exact(op: BinaryOp, left: int, right: int) -> int:
    match op:
        case BinaryOp.ADD:
            return left + right
        case BinaryOp.SUB:
            return left - right
        case BinaryOp.MUL:
            return left * right
        case BinaryOp.FLOOR_DIV:
            return left // right
        case BinaryOp.MOD:
            return left % right
        case BinaryOp.AND:
            return left & right
        case BinaryOp.OR:
            return left | right
        case BinaryOp.XOR:
            return left ^ right
        case BinaryOp.SHL:
            return left << right
        case BinaryOp.SHR:
            return left >> right
        case BinaryOp.MIN:
            return min(left, right)
        case BinaryOp.MAX:
            return max(left, right)
        case _:
            raise NotImplementedError(op)


def _compare(op: CompareOp, left: int, right: int) -> bool:
    match op:
        case CompareOp.EQ:
            return left == right
        case CompareOp.NE:
            return left != right
        case CompareOp.LT:
            return left < right
        case CompareOp.LE:
            return left <= right
        case CompareOp.GT:
            return left > right
        case CompareOp.GE:
            return left >= right
