"""What range analysis makes of conditions and expressions: intervals, facts learned, verdicts about checks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from compiler.check import intervals
from compiler.check.intervals import Abstract, Interval, as_interval, hull_abstract, type_abstract, type_interval
from compiler.check.range_state import Atom, State, join
from compiler.check.range_terms import Terms, atom_of, linear
from compiler.program import nodes
from compiler.program.nodes import (
    BinaryOp,
    CompareOp,
    Conversion,
    Expression,
    Overflow,
    Span,
    Statement,
    TrapKind,
    UnaryOp,
)
from compiler.program.program import Function
from compiler.program.types import Bool, Int, Tuple

_NEGATED = {
    CompareOp.EQ: CompareOp.NE,
    CompareOp.NE: CompareOp.EQ,
    CompareOp.LT: CompareOp.GE,
    CompareOp.GE: CompareOp.LT,
    CompareOp.GT: CompareOp.LE,
    CompareOp.LE: CompareOp.GT,
}
_MIRRORED = {CompareOp.GT: CompareOp.LT, CompareOp.GE: CompareOp.LE}


@dataclass
class Verdicts:
    """What the analysis of a function found, by identity of node."""

    proven: set[int] = field(default_factory=set[int])
    """Checks that never fail."""
    decided: dict[int, bool] = field(default_factory=dict[int, bool])
    """Conditions with only one outcome."""
    failing: dict[int, tuple[TrapKind, Span]] = field(default_factory=dict[int, tuple[TrapKind, Span]])
    """Checks that fail whenever they are reached."""
    result: Abstract | None = None
    """Where the result lies; None when the function never returns."""


class Evaluator(ABC):
    """The abstract run of expressions; `state` None means that the point is not reached."""

    def __init__(self, results: dict[Function, Abstract | None]) -> None:
        self.results = results
        self.verdicts = Verdicts()
        self.terms = Terms()
        self.state: State | None = State({}, {})

    @abstractmethod
    def block(self, statements: tuple[Statement, ...]) -> None:
        """Run statements (of a Sequence)."""

    @property
    def is_dead(self) -> bool:
        """Whether the point is not reached."""
        return self.state is None

    def evaluate_all(self, expressions: tuple[Expression, ...]) -> list[Abstract]:
        """Evaluate in order."""
        return [self.evaluate(expression) for expression in expressions]

    # Conditions

    def branch(self, node: Expression) -> tuple[State | None, State | None]:
        """Evaluate a condition: the states when it is true and when it is false."""
        if self.is_dead:
            return None, None
        match node:
            case nodes.Logical(is_and=is_and, left=left, right=right):
                true, false = self.branch(left)
                self.state = true if is_and else false
                right_true, right_false = self.branch(right)
                outcome = (right_true, join(false, right_false)) if is_and else (join(true, right_true), right_false)
            case nodes.Unary(op=UnaryOp.NOT, operand=operand):
                false, true = self.branch(operand)
                outcome = (true, false)
            case nodes.Compare():
                outcome = self._compare(node)
            case nodes.Sequence(statements=statements, value=value):
                self.block(statements)
                outcome = self.branch(value)
            case _:
                found = as_interval(self.evaluate(node))
                state = self.state
                outcome = (state if found[1] else None, state.copy() if state is not None and not found[0] else None)
        self._note_outcome(node, outcome)
        return outcome

    def _note_outcome(self, node: Expression, outcome: tuple[State | None, State | None]) -> None:
        true, false = outcome
        if (true is None) != (false is None):
            self.verdicts.decided[id(node)] = true is not None
        else:
            self.verdicts.decided.pop(id(node), None)

    def _compare(self, node: nodes.Compare) -> tuple[State | None, State | None]:
        self.evaluate_all((node.left, node.right))
        if self.state is None:
            return None, None
        if not isinstance(node.left.type, Int):
            return self.state, self.state.copy()
        before = self.state.copy()
        self._assume(node.op, node.left, node.right)
        true, self.state = self.state, before
        self._assume(_NEGATED[node.op], node.left, node.right)
        return true, self.state

    def _assume(self, op: CompareOp, left: Expression, right: Expression) -> None:
        """Add that a comparison of two evaluated expressions holds; `state` becomes None when it cannot."""
        if op in _MIRRORED:
            op, left, right = _MIRRORED[op], right, left
        if self.state is None:
            return
        is_left_stale = self.terms.assigns(right) or self.terms.assigns(left)
        one, other = self.terms.value(left), self.terms.value(right)
        least, most = self._difference_bounds(left, right, is_left_stale)
        if op is CompareOp.NE:
            self._assume_different(left, right, least, most, is_left_stale)
            return
        gap = 1 if op is CompareOp.LT else 0
        if least > -gap or (op is CompareOp.EQ and most < 0):
            self.state = None
            return
        if is_left_stale:
            return
        self._order(left, right, gap)
        self.limit(left, (one[0], min(one[1], other[1] - gap)))
        self.limit(right, (max(other[0], one[0] + gap), other[1]))
        if op is CompareOp.EQ:
            self._order(right, left, 0)
            self.limit(left, (max(one[0], other[0]), one[1]))
            self.limit(right, (other[0], min(one[1], other[1])))

    def _assume_different(self, left: Expression, right: Expression, least: int, most: int, is_stale: bool) -> None:
        if least == most == 0:
            self.state = None
        elif is_stale:
            return
        elif most == 0:
            self._assume(CompareOp.LT, left, right)
        elif least == 0:
            self._assume(CompareOp.LT, right, left)

    def _difference_bounds(self, left: Expression, right: Expression, is_stale: bool) -> tuple[int, int]:
        """Least and greatest value of left - right."""
        one, other = self.terms.value(left), self.terms.value(right)
        least, most = one[0] - other[1], one[1] - other[0]
        if is_stale or self.state is None:
            return least, most
        for first, slack in self.terms.upper_bounds(left):
            for second, rest in self.terms.lower_bounds(right):
                most = min(most, self.state.difference(first, second) + slack - rest)
        for first, slack in self.terms.upper_bounds(right):
            for second, rest in self.terms.lower_bounds(left):
                least = max(least, -(self.state.difference(first, second) + slack - rest))
        return least, most

    def _order(self, low: Expression, high: Expression, gap: int) -> None:
        """Add the fact low + gap <= high."""
        assert self.state is not None
        first, second = linear(low), linear(high)
        if first is None or second is None or first[0] is None or second[0] is None:
            return
        self.state.add_fact(first[0], second[0], second[1] - first[1] - gap)

    def limit(self, node: Expression, interval: Interval) -> None:
        """Add that an evaluated expression lies in `interval`, to what it was computed from as well."""
        if self.state is None:
            return
        term = linear(node)
        if term is not None:
            atom, amount = term
            if atom is None:
                reached = interval[0] <= amount <= interval[1]
            else:
                reached = self.state.restrict(atom, (interval[0] - amount, interval[1] - amount))
            if not reached:
                self.state = None
            return
        match node:
            case nodes.Convert(kind=Conversion.WIDEN | Conversion.CHECKED, operand=operand):
                self.limit(operand, interval)
            case nodes.Binary(op=BinaryOp.SHR, left=left, right=nodes.Constant(value=count)) if count < 64:
                self.limit(left, (interval[0] << count, (interval[1] << count) + (1 << count) - 1))
            case nodes.Binary(op=BinaryOp.FLOOR_DIV, left=left, right=nodes.Constant(value=divisor)) if divisor > 0:
                self.limit(left, (interval[0] * divisor, interval[1] * divisor + divisor - 1))
            case _:
                pass

    # Expressions

    def evaluate(self, node: Expression) -> Abstract:
        """Where the expression's value lies; learns from the checks that it passes."""
        if self.state is None:
            return type_abstract(node.type)
        found = self._evaluate(node)
        self.terms.last[id(node)] = found
        return found

    def _evaluate(self, node: Expression) -> Abstract:
        match node:
            case nodes.Constant(value=value):
                return (value, value)
            case nodes.ReadLocal() | nodes.TupleElement():
                return self._read(node)
            case nodes.Binary():
                return self._binary(node)
            case nodes.Unary(op=UnaryOp.NOT) | nodes.Compare() | nodes.Logical():
                true, false = self.branch(node)
                self.state = join(true, false)
                return (int(false is None), int(true is not None))
            case nodes.Unary():
                return self._unary(node)
            case nodes.Convert():
                return self._convert(node)
            case nodes.Conditional():
                return self._conditional(node)
            case nodes.Sequence(statements=statements, value=value):
                self.block(statements)
                return self.evaluate(value)
            case nodes.Element():
                return self._element(node)
            case nodes.Subslice():
                return self._subslice(node)
            case nodes.MakeTuple(elements=elements):
                return self.evaluate_all(elements)
            case nodes.Call():
                return self._call(node)
            case nodes.CheckedBinary(left=left, right=right):
                self.evaluate_all((left, right))
                return type_abstract(node.type)
            case _:
                return self._other(node)

    def _other(self, node: Expression) -> Abstract:
        match node:
            case nodes.Load(address=inner) | nodes.Offset(base=inner):
                self.evaluate(inner)
            case nodes.TableCall(index=index, arguments=arguments):
                self.evaluate_all((index, *arguments))
            case nodes.AtomicUpdate(address=address, value=value):
                self.evaluate_all((address, value))
            case nodes.CompareExchange(address=address, expected=expected, desired=desired):
                self.evaluate_all((address, expected, desired))
            case _:
                pass
        return type_abstract(node.type)

    def _read(self, node: nodes.ReadLocal | nodes.TupleElement) -> Abstract:
        assert self.state is not None
        atom = atom_of(node)
        if atom is None:
            assert isinstance(node, nodes.TupleElement)
            whole = self.evaluate(node.operand)
            assert isinstance(whole, list)
            return whole[node.index]
        if isinstance(node.type, Tuple):
            return self._read_tuple(atom, node.type)
        return self.state.interval(atom)

    def _read_tuple(self, atom: Atom, kind: Tuple) -> Abstract:
        assert self.state is not None
        found: list[Abstract] = []
        for index, element in enumerate(kind.elements):
            part: Atom = (atom[0], (*atom[1], index))
            found.append(self._read_tuple(part, element) if isinstance(element, Tuple) else self.state.interval(part))
        return found

    def _call(self, node: nodes.Call) -> Abstract:
        self.evaluate_all(node.arguments)
        whole = type_abstract(node.type)
        if node.function not in self.results:
            return whole
        result = self.results[node.function]
        if result is None:
            self.state = None
            return whole
        return result if isinstance(node.type, Int | Bool | Tuple) else whole

    def _conditional(self, node: nodes.Conditional) -> Abstract:
        true, false = self.branch(node.condition)
        self.state = true
        one = self.evaluate(node.when_true)
        after = self.state
        self.state = false
        other = self.evaluate(node.when_false)
        if after is None or self.state is None:
            result = other if after is None else one
        else:
            result = hull_abstract(one, other)
        self.state = join(after, self.state)
        return result

    def _verdict(self, node: Expression, holds: bool, kind: TrapKind, span: Span, *, fails: bool) -> None:
        """Note whether a check holds; stop here when it always fails."""
        (self.verdicts.proven.add if holds else self.verdicts.proven.discard)(id(node))
        if fails:
            self.verdicts.failing[id(node)] = (kind, span)
            self.state = None
        else:
            self.verdicts.failing.pop(id(node), None)

    def _binary(self, node: nodes.Binary) -> Abstract:
        left, right = (as_interval(value) for value in self.evaluate_all((node.left, node.right)))
        if self.state is None or not isinstance(node.type, Int):
            return type_interval(node.type)
        limit = type_interval(node.type)
        exact = intervals.binary(node.op, left, right, node.type)
        if exact is not None and node.op is BinaryOp.SUB and node.overflow is not Overflow.WRAP:
            least, most = self._difference_bounds(node.left, node.right, self.terms.assigns(node.right))
            exact = (max(exact[0], least), min(exact[1], most))
        elif exact is not None and node.op is BinaryOp.ADD and node.overflow is Overflow.TRAP:
            limits = [self.state.interval(atom)[1] + most for atom, most in self.terms.upper_bounds(node)]
            exact = (exact[0], min([exact[1], *limits]))
        if node.op in (BinaryOp.FLOOR_DIV, BinaryOp.MOD):
            overflows = right[0] <= -1 <= right[1] and left[0] <= limit[0] < 0
            holds = not right[0] <= 0 <= right[1] and not overflows
            self._verdict(node, holds, TrapKind.DIVIDE, node.span, fails=right == (0, 0))
        elif node.op in (BinaryOp.SHL, BinaryOp.SHR):
            self._shift_verdict(node, right, exact)
        elif node.overflow is Overflow.TRAP and node.op in (BinaryOp.ADD, BinaryOp.SUB, BinaryOp.MUL):
            assert exact is not None
            fits = intervals.within(exact, limit)
            fails = intervals.meet(exact, limit) is None
            self._verdict(node, fits, TrapKind.OVERFLOW, node.span, fails=fails)
            self._learn_from_sum(node, left, right, limit)
        return self._clamp(node.overflow, exact, limit)

    def _shift_verdict(self, node: nodes.Binary, count: Interval, exact: Interval | None) -> None:
        assert isinstance(node.type, Int) and exact is not None
        is_narrow = count[1] < node.type.bits
        keeps_all = node.op is BinaryOp.SHR or intervals.within(exact, type_interval(node.type))
        self._verdict(node, is_narrow and keeps_all, TrapKind.SHIFT, node.span, fails=count[0] >= node.type.bits)

    def _clamp(self, overflow: Overflow, exact: Interval | None, limit: Interval) -> Interval:
        if exact is None:
            return limit
        if overflow is Overflow.SATURATE:
            return (min(max(exact[0], limit[0]), limit[1]), max(min(exact[1], limit[1]), limit[0]))
        if overflow is Overflow.WRAP:
            return exact if intervals.within(exact, limit) else limit
        return intervals.meet(exact, limit) or limit

    def _learn_from_sum(self, node: nodes.Binary, left: Interval, right: Interval, limit: Interval) -> None:
        """A sum that did not overflow bounds its operands."""
        if self.state is None or self.terms.assigns(node.right) or self.terms.assigns(node.left):
            return
        if node.op is BinaryOp.ADD:
            self.limit(node.left, (limit[0] - right[1], limit[1] - right[0]))
            self.limit(node.right, (limit[0] - left[1], limit[1] - left[0]))
        elif node.op is BinaryOp.SUB:
            if limit[0] == 0:
                self._order(node.right, node.left, 0)
            self.limit(node.left, (limit[0] + right[0], limit[1] + right[1]))
            self.limit(node.right, (left[0] - limit[1], left[1] - limit[0]))

    def _unary(self, node: nodes.Unary) -> Abstract:
        operand = as_interval(self.evaluate(node.operand))
        limit = type_interval(node.type)
        if self.state is None or not isinstance(node.type, Int):
            return limit
        exact = intervals.unary(node.op, operand, node.type)
        if exact is None:
            return limit
        if node.op is UnaryOp.NEGATE:
            fails = intervals.meet(exact, limit) is None
            self._verdict(node, intervals.within(exact, limit), TrapKind.OVERFLOW, node.span, fails=fails)
        return intervals.meet(exact, limit) or limit

    def _convert(self, node: nodes.Convert) -> Abstract:
        operand = self.evaluate(node.operand)
        limit = type_interval(node.type)
        if self.state is None:
            return limit
        found = as_interval(operand)
        match node.kind:
            case Conversion.WIDEN | Conversion.BOOL_TO_INT:
                return found
            case Conversion.TRUNCATE:
                return found if intervals.within(found, limit) else limit
            case Conversion.INT_TO_BOOL:
                return (int(not found[0] <= 0 <= found[1]), int(found != (0, 0)))
            case Conversion.CHECKED:
                common = intervals.meet(found, limit)
                holds = intervals.within(found, limit)
                self._verdict(node, holds, TrapKind.CONVERSION, node.span, fails=common is None)
                self.limit(node.operand, limit)
                return common or limit
            case _:
                return limit

    def _element(self, node: nodes.Element) -> Abstract:
        self.evaluate_all((node.base, node.index) if node.count is None else (node.base, node.index, node.count))
        if self.state is None or node.count is None:
            return intervals.ADDRESSES
        is_stale = self.terms.assigns(node.count)
        least, most = self._difference_bounds(node.index, node.count, is_stale)
        self._verdict(node, most < 0, TrapKind.BOUNDS, node.span, fails=least >= 0)
        self._assume(CompareOp.LT, node.index, node.count)
        return intervals.ADDRESSES

    def _subslice(self, node: nodes.Subslice) -> Abstract:
        whole, start, stop = self.evaluate_all((node.slice, node.start, node.stop))
        limit = type_abstract(node.type)
        if self.is_dead:
            return limit
        self._assume(CompareOp.LE, node.start, node.stop)
        if self.is_dead:
            self.verdicts.failing[id(node)] = (TrapKind.SLICE, node.span)
            return limit
        self.verdicts.failing.pop(id(node), None)
        first, last = as_interval(start), as_interval(stop)
        assert isinstance(whole, list)
        highest = min(last[1], as_interval(whole[1])[1])
        return [intervals.ADDRESSES, (max(0, last[0] - first[1]), max(0, highest - first[0]))]
