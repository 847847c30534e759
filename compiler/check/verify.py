"""Verifies that a typed program keeps the invariants that its nodes promise (compiler.program.nodes).

Run after each stage in tests and under a debug option. What it finds is a mistake of the compiler, never of the
program that is compiled, so it raises InternalError and asks for a report.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from compiler.check.verify_nodes import ExpressionVerifier
from compiler.program import nodes
from compiler.program.nodes import Local, Statement
from compiler.program.program import Function, Program, StaticObject, Table
from compiler.program.types import U8, U64, VOID, Int
from compiler.program.walk import ends

_BARRIERS = ("isb", "dsb", "dmb")
_HINTS = ("wfi", "wfe", "sev", "yield")
_SYSTEM = ("tlbi", "at", "dc", "ic")
_SHOWN = 20


class InternalError(Exception):
    """The compiler broke its own rules."""


def verify(program: Program, stage: str) -> None:
    """Raise InternalError when the program breaks an invariant; `stage` names what produced it."""
    problems = find_problems(program)
    if problems:
        shown = "\n".join(f"  {problem}" for problem in problems[:_SHOWN])
        raise InternalError(
            f"internal error: the typed program is inconsistent after {stage}:\n{shown}\n"
            "This is a bug of the compiler, not of the program. Please report it together with the source."
        )


def find_problems(program: Program) -> list[str]:
    """Every broken invariant, as `function (file:line): what`."""
    problems: list[str] = []
    _unique((function.symbol for function in program.functions), problems)
    _unique((static.symbol for static in program.statics), problems)
    known = set(program.functions)
    for entry in program.entries:
        if entry not in known:
            problems.append(f"{entry.symbol}: an entry that is not among the functions")
    for static in program.statics:
        problems += _static(static)
    for table in program.tables:
        problems += _table(table, known)
    for function in program.functions:
        problems += FunctionVerifier(function, program).verify()
    return problems


def _unique(symbols: Iterable[str], problems: list[str]) -> None:
    seen: set[str] = set()
    for symbol in symbols:
        if symbol in seen:
            problems.append(f"{symbol}: two entities have this symbol")
        seen.add(symbol)


def _static(static: StaticObject) -> list[str]:
    problems: list[str] = []
    if len(static.data) != static.size:
        problems.append(f"{static.symbol}: {len(static.data)} bytes of data for a size of {static.size}")
    if static.align < 1 or static.align & (static.align - 1):
        problems.append(f"{static.symbol}: align {static.align} is not a power of two")
    for relocation in static.relocations:
        if not 0 <= relocation.offset <= static.size - 8:
            problems.append(f"{static.symbol}: relocation at {relocation.offset} is outside its {static.size} bytes")
    return problems


def _table(table: Table, known: set[Function]) -> list[str]:
    problems: list[str] = []
    for function in table.functions:
        if function not in known:
            problems.append(f"{table.symbol}: {function.symbol} is not among the functions")
        if _interface(function) != _interface(table.functions[0]):
            problems.append(f"{table.symbol}: {function.symbol} does not take and give the types of the first function")
    return problems


def _interface(function: Function) -> tuple[object, ...]:
    return (function.result, function.result_pointer, *(parameter.type for parameter in function.parameters))


class FunctionVerifier(ExpressionVerifier):
    """Verifies one function: types, definite assignment, structure."""

    def __init__(self, function: Function, program: Program) -> None:
        super().__init__(function, set(program.functions), set(program.statics), set(program.tables))
        self.loop_depth = 0

    def verify(self) -> list[str]:
        """The problems of the function."""
        self.declared = {*self.function.parameters, *self.function.locals}
        self.assigned: set[Local] = set(self.function.parameters)
        if len({id(local) for local in self.declared}) != len(self.function.parameters) + len(self.function.locals):
            self.problem("a local is declared twice")
        if self.function.extern:
            if self.function.body:
                self.problem("an extern function has a body")
            return self.problems
        self.block(self.function.body)
        if self.function.no_return and self.function.assembly is None and not ends(self.function.body):
            self.problem("the end of a function that does not return can be reached")
        if self.function.result != VOID and not ends(self.function.body):
            self.problem(f"the end is reached without a result of type {self.function.result}")
        return self.problems

    def block(self, statements: Sequence[Statement]) -> None:
        """Verify statements; after one that ends control flow every local counts as assigned."""
        for statement in statements:
            self.span = getattr(statement, "span", self.span)
            self.statement(statement)
            if ends((statement,)):
                self.assigned = set(self.declared)

    def statement(self, node: Statement) -> None:
        """Verify a statement."""
        match node:
            case nodes.Assign(local=local, value=value):
                self.expect(value, local.type, f"value assigned to {local.name}")
                if local not in self.declared:
                    self.problem(f"{local.name} is not a local of this function")
                self.assigned.add(local)
            case nodes.If(condition=condition, then=then, otherwise=otherwise):
                when_true, when_false = self.condition(condition)
                self.branches([(when_true, then), (when_false, otherwise)])
            case nodes.Switch():
                self._switch(node)
            case nodes.Loop():
                self._loop(node)
            case nodes.Break() | nodes.Continue():
                if not self.loop_depth:
                    self.problem(f"{type(node).__name__} outside a loop")
                elif isinstance(node, nodes.Break):
                    self.break_states[-1].append(set(self.assigned))
                else:
                    self.continue_states[-1].append(set(self.assigned))
            case nodes.Return(value=value):
                if self.function.no_return:
                    self.problem("return from a function that does not return")
                if value is None:
                    if self.function.result != VOID:
                        self.problem("return without a value")
                else:
                    self.expect(value, self.function.result, "result")
            case _:
                self._simple(node)

    def branches(self, alternatives: Iterable[tuple[set[Local], Sequence[Statement]]]) -> None:
        """Verify alternatives, each from its state; afterwards what all of them assign is assigned."""
        after = set(self.declared)
        for before, statements in alternatives:
            self.assigned = set(before)
            self.block(statements)
            after &= self.assigned
        self.assigned = after

    def _switch(self, node: nodes.Switch) -> None:
        kind = self.expression(node.subject)
        if not isinstance(kind, Int):
            self.problem(f"switch over {kind}")
            return
        values = [value for case in node.cases for value in case.values]
        if len(set(values)) != len(values):
            self.problem("a value stands in two cases")
        if any(not kind.lowest <= value <= kind.highest for value in values):
            self.problem(f"a case is not a value of {kind}")
        self.branches([(self.assigned, body) for body in (*(case.body for case in node.cases), node.default)])

    def _loop(self, node: nodes.Loop) -> None:
        left: set[Local] = set(self.declared)
        if node.condition is not None:
            self.assigned, left = self.condition(node.condition)
        self.loop_depth += 1
        self.break_states.append([])
        self.continue_states.append([])
        self.block(node.body)
        for state in self.continue_states.pop():
            self.assigned &= state
        self.loop_depth -= 1
        self.block(node.step)
        self.assigned = left
        for state in self.break_states.pop():
            self.assigned &= state

    def _simple(self, node: Statement) -> None:
        match node:
            case nodes.Store(address=address, value=value, align=align):
                self.pointer(address)
                self.scalar(self.expression(value), align)
            case nodes.CopyMemory(destination=destination, source=source, size=size):
                self.pointer(destination)
                self.pointer(source)
                self.expect(size, U64, "size")
            case nodes.FillMemory(destination=destination, byte=byte, size=size):
                self.pointer(destination)
                self.expect(byte, U8, "byte")
                self.expect(size, U64, "size")
            case nodes.Evaluate(expression=expression):
                self.expression(expression)
            case nodes.RegisterWrite(value=value):
                self.expect(value, U64, "register value")
            case nodes.SystemOperation(instruction=instruction, value=value):
                if instruction not in _SYSTEM:
                    self.problem(f"{instruction} is not a system instruction")
                if value is not None:
                    self.expect(value, U64, "operand")
            case nodes.Barrier(instruction=instruction):
                if instruction not in _BARRIERS:
                    self.problem(f"{instruction} is not a barrier")
            case nodes.Hint(name=name):
                if name not in _HINTS:
                    self.problem(f"{name} is not a hint")
            case _:
                pass
