"""Takes out of a typed program the run-time checks that range analysis proves, and reports checks that always fail.

Overflow.TRAP becomes PROVEN, a checked conversion an unchecked one, an element's count goes, conditions with one
outcome become constants and the branch that is never taken goes. The program means the same as before. Functions are
analysed callees first, so that what a function returns is known where it is called.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from compiler.check.intervals import Abstract
from compiler.check.range_analysis import analyse
from compiler.check.range_values import Verdicts
from compiler.program import nodes
from compiler.program.nodes import BinaryOp, Conversion, Expression, Overflow, Statement, TrapKind, UnaryOp
from compiler.program.program import Function, Program
from compiler.program.types import BOOL, Int
from compiler.program.walk import Node, operands, walk
from compiler.syntax.diagnostics import Diagnostic, Severity


@dataclass
class RangeReport:
    """Checks by kind: how many the program had, and how many of them were proved away."""

    total: Counter[TrapKind] = field(default_factory=Counter[TrapKind])
    removed: Counter[TrapKind] = field(default_factory=Counter[TrapKind])
    warnings: list[Diagnostic] = field(default_factory=list[Diagnostic])
    """One for each check that fails whenever it is reached."""


def remove_proven_checks(program: Program) -> RangeReport:
    """Replace the bodies of the program's functions by ones without the checks that are proved."""
    report = RangeReport()
    results: dict[Function, Abstract | None] = {}
    for function in _callees_first(program):
        found = list(walk(function.body))
        before = _count(found)
        verdicts = analyse(function, results, found)
        if function.assembly is None and not function.extern:
            results[function] = verdicts.result
        report.warnings += [_always_fails(kind, span) for kind, span in verdicts.failing.values()]
        if verdicts.proven or verdicts.decided:
            function.body = _Rewriter(found, verdicts).block(function.body)
        report.total += before
        report.removed += before - count_checks(function)
    return report


def count_checks(function: Function) -> Counter[TrapKind]:
    """Run-time checks of a function by the kind of their trap."""
    return _count(walk(function.body))


def _count(found: Iterable[Node]) -> Counter[TrapKind]:
    return Counter(kind for kind in map(check_kind, found) if kind is not None)


def check_kind(node: Node) -> TrapKind | None:
    """The trap of a node's check, None when the node checks nothing."""
    match node:
        case nodes.Binary(op=BinaryOp.FLOOR_DIV | BinaryOp.MOD, overflow=overflow):
            return None if overflow is Overflow.PROVEN else TrapKind.DIVIDE
        case nodes.Binary(op=BinaryOp.SHL | BinaryOp.SHR, overflow=overflow):
            return None if overflow is Overflow.PROVEN else TrapKind.SHIFT
        case nodes.Binary(op=BinaryOp.ADD | BinaryOp.SUB | BinaryOp.MUL, overflow=Overflow.TRAP):
            return TrapKind.OVERFLOW
        case nodes.Unary(op=UnaryOp.NEGATE):
            return TrapKind.OVERFLOW
        case nodes.Convert(kind=Conversion.CHECKED):
            return TrapKind.CONVERSION
        case nodes.Element(count=count):
            return None if count is None else TrapKind.BOUNDS
        case nodes.TableCall():
            return TrapKind.BOUNDS
        case nodes.Subslice():
            return TrapKind.SLICE
        case nodes.Trap(kind=kind):
            return kind
        case _:
            return None


def _always_fails(kind: TrapKind, span: nodes.Span) -> Diagnostic:
    return Diagnostic(
        "W0701",
        f"this always stops the program: {kind.text}",
        span,
        fix="correct it, or write `panic(...)` if it is meant",
        severity=Severity.WARNING,
    )


def _callees_first(program: Program) -> list[Function]:
    ordered: dict[Function, None] = {}
    visiting: set[Function] = set()
    pending = list(reversed(program.functions))
    while pending:
        function = pending[-1]
        callees = (
            []
            if function in visiting
            else [node.function for node in walk(function.body) if isinstance(node, nodes.Call)]
        )
        visiting.add(function)
        missing = [callee for callee in callees if callee not in ordered and callee not in visiting]
        if missing:
            pending += missing
            continue
        pending.pop()
        ordered.setdefault(function)
    return list(ordered)


def is_pure(node: Expression) -> bool:
    """Whether leaving out the evaluation changes nothing: no trap, no effect, no assignment."""
    match node:
        case nodes.Constant() | nodes.ReadLocal() | nodes.StaticAddress() | nodes.SlotAddress():
            return True
        case nodes.LinkerAddress() | nodes.FunctionAddress():
            return True
        case nodes.Load(access=nodes.Access.PLAIN, ordering=None):
            pass
        case nodes.Compare() | nodes.Logical() | nodes.TupleElement() | nodes.MakeTuple() | nodes.Offset():
            pass
        case nodes.Conditional():
            pass
        case nodes.Binary() | nodes.Unary() | nodes.Convert() | nodes.Element():
            if check_kind(node) is not None:
                return False
        case _:
            return False
    return all(is_pure(operand) for operand in operands(node))


class _Rewriter:
    """Rebuilds a body; a node that stands in the tree more than once is left as it is."""

    def __init__(self, found: Iterable[Node], verdicts: Verdicts) -> None:
        seen = Counter(map(id, found))
        self.proven = {key for key in verdicts.proven if seen[key] == 1}
        self.decided = {key: value for key, value in verdicts.decided.items() if seen[key] == 1}

    def block(self, statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
        """Statements without what is proved."""
        result: list[Statement] = []
        for statement in statements:
            result += self._statement(statement)
        return tuple(result)

    def _statement(self, node: Statement) -> tuple[Statement, ...]:
        match node:
            case nodes.If():
                condition = self.expression(node.condition)
                if isinstance(condition, nodes.Constant):
                    return self.block(node.then if condition.value else node.otherwise)
                return (
                    replace(
                        node, condition=condition, then=self.block(node.then), otherwise=self.block(node.otherwise)
                    ),
                )
            case nodes.Loop():
                tested = None if node.condition is None else self.expression(node.condition)
                return (replace(node, condition=tested, body=self.block(node.body), step=self.block(node.step)),)
            case nodes.Switch():
                cases = tuple(replace(case, body=self.block(case.body)) for case in node.cases)
                subject = self.expression(node.subject)
                return (replace(node, subject=subject, cases=cases, default=self.block(node.default)),)
            case nodes.Assign() | nodes.RegisterWrite():
                return (replace(node, value=self.expression(node.value)),)
            case nodes.Return() | nodes.SystemOperation() if node.value is not None:
                return (replace(node, value=self.expression(node.value)),)
            case nodes.Evaluate():
                return (replace(node, expression=self.expression(node.expression)),)
            case nodes.Store():
                return (replace(node, address=self.expression(node.address), value=self.expression(node.value)),)
            case nodes.CopyMemory():
                destination, source, size = self._all((node.destination, node.source, node.size))
                return (replace(node, destination=destination, source=source, size=size),)
            case nodes.FillMemory():
                destination, byte, size = self._all((node.destination, node.byte, node.size))
                return (replace(node, destination=destination, byte=byte, size=size),)
            case _:
                return (node,)

    def _all(self, expressions: tuple[Expression, ...]) -> tuple[Expression, ...]:
        return tuple(self.expression(expression) for expression in expressions)

    def expression(self, node: Expression) -> Expression:
        """The expression without what is proved."""
        rebuilt = self._operands(node)
        outcome = self.decided.get(id(node))
        if outcome is not None and node.type == BOOL and is_pure(rebuilt):
            return nodes.Constant(BOOL, int(outcome))
        if id(node) not in self.proven:
            return rebuilt
        match rebuilt:
            case nodes.Binary():
                return replace(rebuilt, overflow=Overflow.PROVEN)
            case nodes.Unary(op=UnaryOp.NEGATE):
                return replace(rebuilt, op=UnaryOp.WRAPPING_NEGATE)
            case nodes.Convert(type=Int() as target, operand=operand) if isinstance(operand.type, Int):
                widens = target.bits > operand.type.bits
                return replace(rebuilt, kind=Conversion.WIDEN if widens else Conversion.TRUNCATE)
            case nodes.Element(count=count) if count is not None and is_pure(count):
                return replace(rebuilt, count=None)
            case _:
                return rebuilt

    def _operands(self, node: Expression) -> Expression:
        match node:
            case nodes.Binary() | nodes.CheckedBinary() | nodes.Compare() | nodes.Logical():
                return replace(node, left=self.expression(node.left), right=self.expression(node.right))
            case nodes.Unary() | nodes.Convert() | nodes.TupleElement():
                return replace(node, operand=self.expression(node.operand))
            case nodes.Load():
                return replace(node, address=self.expression(node.address))
            case nodes.Offset():
                return replace(node, base=self.expression(node.base))
            case nodes.Element():
                count = None if node.count is None else self.expression(node.count)
                return replace(node, base=self.expression(node.base), index=self.expression(node.index), count=count)
            case nodes.Subslice():
                whole, start, stop = self._all((node.slice, node.start, node.stop))
                return replace(node, slice=whole, start=start, stop=stop)
            case nodes.MakeTuple():
                return replace(node, elements=self._all(node.elements))
            case nodes.Call():
                return replace(node, arguments=self._all(node.arguments))
            case nodes.Conditional():
                condition, true, false = self._all((node.condition, node.when_true, node.when_false))
                if isinstance(condition, nodes.Constant):
                    return true if condition.value else false
                return replace(node, condition=condition, when_true=true, when_false=false)
            case nodes.Sequence():
                return replace(node, statements=self.block(node.statements), value=self.expression(node.value))
            case _:
                return self._rare_operands(node)

    def _rare_operands(self, node: Expression) -> Expression:
        match node:
            case nodes.TableCall():
                return replace(node, index=self.expression(node.index), arguments=self._all(node.arguments))
            case nodes.AtomicUpdate():
                return replace(node, address=self.expression(node.address), value=self.expression(node.value))
            case nodes.CompareExchange():
                address, expected, desired = self._all((node.address, node.expected, node.desired))
                return replace(node, address=address, expected=expected, desired=desired)
            case _:
                return node
