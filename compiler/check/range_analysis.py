"""Range analysis of one function: an abstract run that finds checks which cannot fail, and ones that always do.

Sound for every input: loops are run until their head no longer changes (with widening), a node's verdict is the one of
its last visit, which is made with the final states. Memory is not followed: what was loaded once may differ when it
is loaded again. The work is the size of the function times a small number per level of loops.
"""

from __future__ import annotations

from collections.abc import Iterable

from compiler.check.intervals import BOTH, Abstract, as_interval, hull_abstract
from compiler.check.range_state import Atom, State, join, join_all, widen
from compiler.check.range_terms import atom_of, linear
from compiler.check.range_values import Evaluator, Verdicts
from compiler.program import nodes
from compiler.program.nodes import (
    BinaryOp,
    Expression,
    Local,
    Statement,
)
from compiler.program.program import Function
from compiler.program.types import Int, Tuple
from compiler.program.walk import Node


def analyse(function: Function, results: dict[Function, Abstract | None], found: Iterable[Node]) -> Verdicts:
    """Run the analysis; `results` holds the results of functions analysed before, `found` all nodes of this one."""
    run = _Run(_thresholds(found), results)
    run.block(function.body)
    run.finish()
    return run.verdicts


def _thresholds(nodes_found: Iterable[Node]) -> list[int]:
    """Numbers around the constants that the function compares with, masks with or counts to."""
    found: set[int] = set()
    for node in nodes_found:
        match node:
            case nodes.Compare(left=left, right=right):
                limits: tuple[nodes.Expression, ...] = (left, right)
            case nodes.Binary(op=BinaryOp.MOD | BinaryOp.AND, right=right):
                limits = (right,)
            case nodes.Element(count=count) if count is not None:
                limits = (count,)
            case _:
                continue
        for limit in limits:
            if isinstance(limit, nodes.Constant):
                found |= {limit.value - 1, limit.value, limit.value + 1}
    return sorted(found)


class _Run(Evaluator):
    """The abstract run of a body."""

    def __init__(self, thresholds: list[int], results: dict[Function, Abstract | None]) -> None:
        super().__init__(results)
        self.thresholds = thresholds
        self.heads: dict[int, State] = {}
        self.breaks: list[list[State | None]] = []
        self.continues: list[list[State | None]] = []

    def finish(self) -> None:
        """Take the end of the body as a return without a value."""
        if self.state is not None and self.verdicts.result is None:
            self.verdicts.result = BOTH

    def block(self, statements: tuple[Statement, ...]) -> None:
        """Run statements until one does not go on."""
        for statement in statements:
            if self.state is None:
                return
            self._statement(statement)

    def _statement(self, node: Statement) -> None:
        match node:
            case nodes.Assign(local=local, value=value):
                self._assign(local, value)
            case nodes.If(condition=condition, then=then, otherwise=otherwise):
                self.state, when_false = self.branch(condition)
                self.block(then)
                after, self.state = self.state, when_false
                self.block(otherwise)
                self.state = join(after, self.state)
            case nodes.Loop():
                self._loop(node)
            case nodes.Switch():
                self._switch(node)
            case nodes.Break():
                self.breaks[-1].append(self.state)
                self.state = None
            case nodes.Continue():
                self.continues[-1].append(self.state)
                self.state = None
            case nodes.Return(value=value):
                self._return(value)
            case nodes.Trap():
                self.state = None
            case nodes.Evaluate(expression=expression):
                self.evaluate(expression)
                if isinstance(expression, nodes.Call) and expression.function.no_return:
                    self.state = None
            case nodes.Store(address=address, value=value):
                self.evaluate(address)
                self.evaluate(value)
            case nodes.CopyMemory(destination=first, source=second, size=third):
                self.evaluate_all((first, second, third))
            case nodes.FillMemory(destination=first, byte=second, size=third):
                self.evaluate_all((first, second, third))
            case nodes.RegisterWrite(value=value):
                self.evaluate(value)
            case nodes.SystemOperation(value=operand) if operand is not None:
                self.evaluate(operand)
            case _:
                pass

    def _return(self, value: Expression | None) -> None:
        found: Abstract = BOTH if value is None else self.evaluate(value)
        if self.state is not None:
            earlier = self.verdicts.result
            self.verdicts.result = found if earlier is None else hull_abstract(earlier, found)
        self.state = None

    def _loop(self, node: nodes.Loop) -> None:
        assert self.state is not None
        head = join(self.state, self.heads.get(id(node)))
        rounds = 0
        while True:
            assert head is not None
            self.state = head.copy()
            self.breaks.append([])
            self.continues.append([])
            exits: list[State | None] = []
            if node.condition is not None:
                self.state, when_false = self.branch(node.condition)
                exits.append(when_false)
            self.block(node.body)
            self.state = join(self.state, join_all(self.continues.pop()))
            self.block(node.step)
            exits += self.breaks.pop()
            wider = widen(head, self.state, rounds, self.thresholds)
            if wider == head:
                break
            head = wider
            rounds += 1
        self.heads[id(node)] = head
        self.state = join_all(exits)

    def _switch(self, node: nodes.Switch) -> None:
        subject = as_interval(self.evaluate(node.subject))
        before = self.state
        after: State | None = None
        for case in node.cases:
            self.state = None
            if before is not None:
                possible = [value for value in case.values if subject[0] <= value <= subject[1]]
                if possible:
                    self.state = before.copy()
                    self.limit(node.subject, (min(possible), max(possible)))
            self.block(case.body)
            after = join(after, self.state)
        self.state = before
        self.block(node.default)
        self.state = join(after, self.state)

    def _assign(self, local: Local, value: Expression) -> None:
        found = self.evaluate(value)
        state = self.state
        if state is None:
            return
        if isinstance(local.type, Tuple):
            relations = self._tuple_relations(value)
            state.forget(local)
            self._set_tuple((local, ()), found, relations)
            return
        atom: Atom = (local, ())
        term = linear(value)
        if term is not None and term[0] == atom:
            state.shift(atom, term[1])
            state.values[atom] = as_interval(found)
            return
        uppers, lowers = self.terms.upper_bounds(value), self.terms.lower_bounds(value)
        uppers += [
            (second, most + slack)
            for own, slack in uppers
            if own == atom
            for second, most in state.facts.get(atom, {}).items()
        ]
        lowers += [
            (first, slack - row[atom])
            for own, slack in lowers
            if own == atom
            for first, row in state.facts.items()
            if atom in row
        ]
        state.forget(local)
        state.values[atom] = as_interval(found)
        for other, most in uppers:
            if other != atom:
                state.add_fact(atom, other, most)
        for other, least in lowers:
            if other != atom:
                state.add_fact(other, atom, -least)

    def _tuple_relations(self, value: Expression) -> dict[int, tuple[Atom, int]]:
        """Elements of a tuple value that equal an atom plus a constant."""
        found: dict[int, tuple[Atom, int]] = {}
        whole = atom_of(value)
        kind = value.type
        assert isinstance(kind, Tuple)
        for index, element in enumerate(kind.elements):
            if not isinstance(element, Int):
                continue
            if whole is not None:
                found[index] = ((whole[0], (*whole[1], index)), 0)
            elif isinstance(value, nodes.MakeTuple) and not self.terms.assigns(value):
                term = linear(value.elements[index])
                if term is not None and term[0] is not None:
                    found[index] = (term[0], term[1])
            elif isinstance(value, nodes.Subslice) and self.terms.value(value.start) == (0, 0):
                term = linear(value.stop)
                if term is not None and term[0] is not None and index == 1:
                    found[index] = (term[0], term[1])
        return found

    def _set_tuple(self, atom: Atom, value: Abstract, relations: dict[int, tuple[Atom, int]]) -> None:
        assert self.state is not None
        if isinstance(value, tuple):
            self.state.values[atom] = value
            return
        for index, element in enumerate(value):
            part: Atom = (atom[0], (*atom[1], index))
            self._set_tuple(part, element, {})
            related = relations.get(index)
            if related is not None and related[0][0] is not atom[0]:
                other, amount = related
                self.state.add_fact(part, other, amount)
                self.state.add_fact(other, part, -amount)
