"""Terms: how the value of an expression relates to the atoms of range analysis.

`linear` recognises atom + constant; `upper_bounds` and `lower_bounds` give atoms that an expression cannot exceed or
fall below. All hold right after the expression was evaluated without a trap; an operand is left out when a later one
contains assignments.
"""

from __future__ import annotations

from compiler.check.intervals import Abstract, Interval, as_interval, type_abstract
from compiler.check.range_state import Atom
from compiler.program import nodes
from compiler.program.nodes import BinaryOp, Conversion, Expression, Overflow
from compiler.program.types import Int, Tuple
from compiler.program.walk import operands

Bound = tuple[Atom, int]
"""An atom plus a constant."""

_EXACT = (Overflow.TRAP, Overflow.PROVEN)
_DEPTH = 6


def atom_of(node: Expression) -> Atom | None:
    """The atom that an expression reads."""
    if isinstance(node, nodes.ReadLocal):
        return (node.local, ())
    if isinstance(node, nodes.TupleElement):
        outer = atom_of(node.operand)
        return None if outer is None else (outer[0], (*outer[1], node.index))
    return None


def linear(node: Expression) -> tuple[Atom | None, int] | None:
    """The expression as atom + constant (atom None: a constant), or None."""
    match node:
        case nodes.Constant(value=value):
            return (None, value)
        case nodes.ReadLocal() | nodes.TupleElement():
            atom = atom_of(node)
            return None if atom is None else (atom, 0)
        case nodes.Convert(kind=Conversion.WIDEN | Conversion.CHECKED, operand=operand):
            return linear(operand)
        case nodes.Sequence(value=value):
            return linear(value)
        case nodes.Binary(op=BinaryOp.ADD | BinaryOp.SUB, overflow=overflow) if overflow in _EXACT:
            return _linear_sum(node)
        case _:
            return None


def _linear_sum(node: nodes.Binary) -> tuple[Atom | None, int] | None:
    left, right = node.left, node.right
    if isinstance(right, nodes.Constant):
        term = linear(left)
        amount = right.value if node.op is BinaryOp.ADD else -right.value
    elif isinstance(left, nodes.Constant) and node.op is BinaryOp.ADD:
        term = linear(right)
        amount = left.value
    else:
        return None
    return None if term is None else (term[0], term[1] + amount)


class Terms:
    """Bounds of expressions of one function; `last` holds the value that each node had when it was last evaluated."""

    def __init__(self) -> None:
        self.last: dict[int, Abstract] = {}
        self._assigning: dict[int, bool] = {}

    def assigns(self, node: Expression) -> bool:
        """Whether evaluating the expression may assign locals."""
        known = self._assigning.get(id(node))
        if known is None:
            known = isinstance(node, nodes.Sequence) or any(self.assigns(operand) for operand in operands(node))
            self._assigning[id(node)] = known
        return known

    def value(self, node: Expression) -> Interval:
        """Interval of a scalar when it was last evaluated."""
        return as_interval(self.last.get(id(node), type_abstract(node.type)))

    def upper_bounds(self, node: Expression, depth: int = _DEPTH) -> list[Bound]:
        """(atom, k) such that the value is at most atom + k."""
        if isinstance(node.type, Tuple) or depth == 0:
            return []
        term = linear(node)
        if term is not None:
            return [] if term[0] is None else [(term[0], term[1])]
        match node:
            case nodes.Convert(kind=Conversion.WIDEN | Conversion.CHECKED, operand=operand):
                return self.upper_bounds(operand, depth - 1)
            case nodes.Convert(kind=Conversion.TRUNCATE, operand=operand, type=Int(_, False)):
                return self.upper_bounds(operand, depth - 1) if self.value(operand)[0] >= 0 else []
            case nodes.Sequence(value=value):
                return self.upper_bounds(value, depth - 1)
            case nodes.Binary(left=left, right=right):
                of_left = [] if self.assigns(right) else self.upper_bounds(left, depth - 1)
                return self._binary_upper(node, of_left, depth - 1)
            case _:
                return []

    def _binary_upper(self, node: nodes.Binary, of_left: list[Bound], depth: int) -> list[Bound]:
        left, right = self.value(node.left), self.value(node.right)
        match node.op:
            case BinaryOp.ADD if node.overflow in _EXACT:
                of_right = self.upper_bounds(node.right, depth)
                return (
                    self._midpoint(node)
                    + [(atom, most + right[1]) for atom, most in of_left]
                    + [(atom, most + left[1]) for atom, most in of_right]
                )
            case BinaryOp.SUB if node.overflow in _EXACT:
                return [(atom, most - right[0]) for atom, most in of_left]
            case BinaryOp.FLOOR_DIV | BinaryOp.SHR if left[0] >= 0 and right[0] >= 0:
                is_less = left[0] >= 1 and right[0] >= (2 if node.op is BinaryOp.FLOOR_DIV else 1)
                return [(atom, most - is_less) for atom, most in of_left]
            case BinaryOp.MOD if right[0] >= 0:
                below = [(atom, most - 1) for atom, most in self.upper_bounds(node.right, depth)]
                return below + (of_left if left[0] >= 0 else [])
            case BinaryOp.AND if left[0] >= 0 and right[0] >= 0:
                return of_left + self.upper_bounds(node.right, depth)
            case BinaryOp.MIN:
                return of_left + self.upper_bounds(node.right, depth)
            case _:
                return []

    def _midpoint(self, node: nodes.Binary) -> list[Bound]:
        """low + (high - low) // n is at most high, and below it when high - low is positive and n at least 2."""
        half = node.right
        if not (isinstance(half, nodes.Binary) and half.op in (BinaryOp.FLOOR_DIV, BinaryOp.SHR)):
            return []
        span = half.left
        if not (isinstance(span, nodes.Binary) and span.op is BinaryOp.SUB and span.overflow in _EXACT):
            return []
        low, high = linear(node.left), linear(span.left)
        if low is None or high is None or high[0] is None or linear(span.right) != low or self.assigns(node):
            return []
        extent, divisor = self.value(span), self.value(half.right)
        if extent[0] < 0 or divisor[0] < 0:
            return []
        is_less = extent[0] >= 1 and divisor[0] >= (2 if half.op is BinaryOp.FLOOR_DIV else 1)
        return [(high[0], high[1] - is_less)]

    def lower_bounds(self, node: Expression, depth: int = _DEPTH) -> list[Bound]:
        """(atom, k) such that the value is at least atom + k."""
        if isinstance(node.type, Tuple) or depth == 0:
            return []
        term = linear(node)
        if term is not None:
            return [] if term[0] is None else [(term[0], term[1])]
        match node:
            case nodes.Sequence(value=value):
                return self.lower_bounds(value, depth - 1)
            case nodes.Convert(kind=Conversion.WIDEN | Conversion.CHECKED, operand=operand):
                return self.lower_bounds(operand, depth - 1)
            case nodes.Binary(op=BinaryOp.ADD | BinaryOp.MAX | BinaryOp.SUB as op, left=left, right=right):
                if op is not BinaryOp.MAX and node.overflow not in _EXACT:
                    return []
                of_left = [] if self.assigns(right) else self.lower_bounds(left, depth - 1)
                if op is BinaryOp.MAX:
                    return of_left + self.lower_bounds(right, depth - 1)
                limits = self.value(right)
                if op is BinaryOp.SUB:
                    return [(atom, least - limits[1]) for atom, least in of_left]
                of_right = self.lower_bounds(right, depth - 1)
                lowest = self.value(left)[0]
                return [(atom, least + limits[0]) for atom, least in of_left] + [
                    (atom, least + lowest) for atom, least in of_right
                ]
            case _:
                return []
