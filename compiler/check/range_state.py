"""What range analysis knows at a point of a function: intervals of locals and differences between them.

An atom is an integer that a local holds, or an element of a tuple that it holds. `values` gives an atom's interval (its
type's when missing), `facts[a][b] == k` states a - b <= k. Everything stated holds on every path to the point.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from compiler.check.intervals import Interval, hull, meet, type_interval, within
from compiler.program.nodes import Local
from compiler.program.types import Tuple, ValueType

Atom = tuple[Local, tuple[int, ...]]
"""A local, and the indexes that lead to an element of the tuple it holds."""

_SMALL = 1 << 12
"""Differences that intervals imply are written down at joins when they are below this: larger ones prove nothing."""
_PATIENCE = 2
"""Rounds of a loop in which an unstable bound moves to the next constant of the function before it is given up."""


def atom_type(atom: Atom) -> ValueType:
    """Type of the integer."""
    kind = atom[0].type
    for index in atom[1]:
        assert isinstance(kind, Tuple)
        kind = kind.elements[index]
    return kind


class State:
    """Knowledge at one point."""

    __slots__ = ("facts", "values")

    def __init__(self, values: dict[Atom, Interval], facts: dict[Atom, dict[Atom, int]]) -> None:
        self.values = values
        self.facts = facts

    def copy(self) -> State:
        """A state that can be changed on its own."""
        return State(dict(self.values), {atom: dict(row) for atom, row in self.facts.items()})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self.values == other.values and self.facts == other.facts

    __hash__ = None  # type: ignore[assignment]

    def interval(self, atom: Atom) -> Interval:
        """Where the atom's value lies."""
        found = self.values.get(atom)
        return type_interval(atom_type(atom)) if found is None else found

    def restrict(self, atom: Atom, interval: Interval) -> bool:
        """Add that the atom lies in `interval` too; False when nothing is left, so that the point is not reached."""
        common = meet(self.interval(atom), interval)
        if common is None:
            return False
        self.values[atom] = common
        return True

    def add_fact(self, first: Atom, second: Atom, most: int) -> None:
        """Add first - second <= most, and what follows from it together with the facts that are there."""
        if first == second:
            return
        before = [(first, 0)] + [(atom, row[first]) for atom, row in self.facts.items() if first in row]
        after = [(second, 0), *self.facts.get(second, {}).items()]
        for start, lead in before:
            row = self.facts.setdefault(start, {})
            for end, rest in after:
                total = lead + most + rest
                if start != end and (end not in row or total < row[end]):
                    row[end] = total
                    self._tighten(start, end, total)

    def _tighten(self, first: Atom, second: Atom, most: int) -> None:
        """Carry a new fact over to the intervals."""
        one, other = self.interval(first), self.interval(second)
        self.restrict(first, (one[0], other[1] + most))
        self.restrict(second, (one[0] - most, other[1]))

    def difference(self, first: Atom, second: Atom) -> int:
        """A bound on first - second: from facts, from two facts in a row, or from the intervals."""
        if first == second:
            return 0
        best = self.interval(first)[1] - self.interval(second)[0]
        row = self.facts.get(first)
        if row:
            best = min(best, row.get(second, best))
            for middle, most in row.items():
                onward = self.facts.get(middle)
                if onward is not None and second in onward:
                    best = min(best, most + onward[second])
        return best

    def forget(self, local: Local) -> None:
        """Drop everything about a local, keeping what its facts imply between the others."""
        for atom in [atom for atom in self.values if atom[0] is local]:
            del self.values[atom]
        gone = {atom for atom in self.facts if atom[0] is local}
        gone |= {second for row in self.facts.values() for second in row if second[0] is local}
        for atom in gone:
            onward = self.facts.pop(atom, {})
            for first, row in self.facts.items():
                most = row.pop(atom, None)
                if most is None:
                    continue
                for second, rest in onward.items():
                    if second != first and second not in gone:
                        row[second] = min(most + rest, row.get(second, most + rest))

    def shift(self, atom: Atom, amount: int) -> None:
        """Change facts for an atom that grows by `amount`."""
        for first, row in self.facts.items():
            if first == atom:
                for second in row:
                    row[second] += amount
            elif atom in row:
                row[atom] -= amount


def join(first: State | None, second: State | None) -> State | None:
    """What holds at a point reached from both; None is a point that is not reached."""
    if first is None or second is None:
        return second if first is None else first
    values = {
        atom: hull(interval, second.values[atom]) for atom, interval in first.values.items() if atom in second.values
    }
    facts: dict[Atom, dict[Atom, int]] = {}
    for one, other in ((first, second), (second, first)):
        for left, row in one.facts.items():
            for right, most in row.items():
                if right in facts.get(left, {}):
                    continue
                both = max(most, other.difference(left, right))
                if both <= _SMALL:
                    facts.setdefault(left, {})[right] = both
    return State(values, facts)


def join_all(states: Iterable[State | None]) -> State | None:
    """The join of any number of states."""
    result: State | None = None
    for state in states:
        result = join(result, state)
    return result


def widen(head: State, again: State | None, rounds: int, thresholds: Sequence[int]) -> State:
    """The next state to try for the head of a loop; equal to `head` when `again` adds nothing to it.

    A bound that moved goes to the next threshold at first, later to the type's own; facts that changed are dropped.
    """
    if again is None:
        return head
    if rounds == 0:
        joined = join(head, again)
        assert joined is not None
        facts = joined.facts
    else:
        facts = {}
        for left, row in head.facts.items():
            kept = {right: most for right, most in row.items() if again.difference(left, right) <= most}
            if kept:
                facts[left] = kept
    values: dict[Atom, Interval] = {}
    for atom, interval in head.values.items():
        seen = again.values.get(atom)
        if seen is None:
            continue
        limit = type_interval(atom_type(atom))
        values[atom] = interval if within(seen, interval) else _relax(interval, seen, limit, rounds, thresholds)
    return State(values, {left: row for left, row in facts.items() if row})


def _relax(old: Interval, new: Interval, limit: Interval, rounds: int, thresholds: Sequence[int]) -> Interval:
    lowest, highest = old
    if new[0] < lowest:
        at = bisect_right(thresholds, new[0]) - 1
        lowest = max(limit[0], thresholds[at]) if rounds < _PATIENCE and at >= 0 else limit[0]
    if new[1] > highest:
        at = bisect_left(thresholds, new[1])
        highest = min(limit[1], thresholds[at]) if rounds < _PATIENCE and at < len(thresholds) else limit[1]
    return (lowest, highest)
