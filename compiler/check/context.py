"""The state of checking one function, and the services that every rule uses.

Rules are functions that take the FunctionChecker first; which rule handles which kind of tree node is in
`compiler.check.dispatch`. An expression is checked without emitting statements: what it needs is part of its node, so
order of evaluation is the tree's. Statements are emitted to the open block.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from compiler.check.flow import Flow, Variable
from compiler.check.sources import ParsedFile
from compiler.check.values import Abandon, Bound, Fresh, Known, Result, Value, is_simple, value_type
from compiler.language.types import ArrayType, StructType, Type
from compiler.program import types as value_types
from compiler.program.nodes import (
    Assign,
    Expression,
    Local,
    ReadLocal,
    SlotAddress,
    Span,
    Statement,
)
from compiler.program.nodes import Sequence as SequenceNode
from compiler.program.program import Function, StackSlot
from compiler.syntax.diagnostics import Note

if TYPE_CHECKING:
    from compiler.check.program import ProgramChecker

ExpressionRule = Callable[["FunctionChecker", Any, "Type | None"], Result]
StatementRule = Callable[["FunctionChecker", Any], None]


@dataclass
class LoopContext:
    """An open loop: flows at its breaks, and how many cleanups were open where it began."""

    cleanup_count: int
    breaks: list[Flow] = field(default_factory=list[Flow])


@dataclass(frozen=True)
class Rules:
    """The rules by class of tree node, and what rules low in the order of imports need of higher ones."""

    expressions: Mapping[type[ast.expr], ExpressionRule]
    statements: Mapping[type[ast.stmt], StatementRule]
    coerce: Callable[[FunctionChecker, Result, Type, ast.expr], Value]
    default_constant: Callable[[FunctionChecker, Known, ast.expr], Value]
    call_bound: Callable[[FunctionChecker, Bound, list[ast.expr], ast.expr], Result]


class FunctionChecker:
    """One function (or one specialisation of it) being checked."""

    def __init__(
        self,
        program: ProgramChecker,
        function: Function,
        parsed: ParsedFile,
        namespace: Mapping[str, Any],
        bindings: Mapping[Any, Type],
        result: Type,
    ) -> None:
        self.program = program
        self.function = function
        self.parsed = parsed
        self.namespace = namespace
        self.bindings = bindings
        self.result = result
        self.variables: dict[str, Variable] = {}
        self.local_names: set[str] = set()
        self.poisoned: set[str] = set()
        self.ended_loops: set[str] = set()
        self.rejected: set[ast.AST] = set()
        self.flow_unknown = False
        self.specialisation = ""
        self.flow = Flow()
        self.statements: list[Statement] = []
        self.loops: list[LoopContext] = []
        self.cleanups: list[Callable[[], None]] = []
        self.result_address: Local | None = None
        self.kept_references: list[tuple[Variable, ast.expr]] = []
        self._temporary_count = 0
        self._slot_count = 0

    # Reporting

    def span(self, node: ast.AST, end: ast.AST | None = None) -> Span:
        """Where a tree node stands."""
        return self.parsed.file.span(node, end)

    def error(
        self, code: str, message: str, node: ast.AST | Span, *, fix: str | None = None, notes: Sequence[Note] = ()
    ) -> None:
        """Report an error and go on."""
        span = node if isinstance(node, Span) else self.span(node)
        if self.specialisation:
            notes = [*notes, Note(f"in `{self.function.source_name}` for {self.specialisation}")]
        self.program.sink.error(code, message, span, notes=notes, fix=fix)

    def fail(
        self, code: str, message: str, node: ast.AST | Span, *, fix: str | None = None, notes: Sequence[Note] = ()
    ) -> NoReturn:
        """Report an error and give up the construct in hand."""
        self.error(code, message, node, fix=fix, notes=notes)
        raise Abandon

    # Emitting

    def emit(self, statement: Statement) -> None:
        """Add a statement to the open block, unless it cannot be reached."""
        if not self.flow.dead:
            self.statements.append(statement)

    @contextmanager
    def block(self) -> Generator[list[Statement]]:
        """Collect what is emitted inside as a block of its own."""
        outer = self.statements
        self.statements = []
        try:
            yield self.statements
        finally:
            self.statements = outer

    def temporary(self, kind: value_types.ValueType) -> Local:
        """A new local without a name in the source."""
        self._temporary_count += 1
        local = Local(f"t{self._temporary_count}", kind)
        self.function.locals.append(local)
        return local

    def new_local(self, name: str, kind: Type) -> Local:
        """The local of a source variable."""
        local = Local(name, value_type(kind), name, kind.name)
        self.function.locals.append(local)
        return local

    def new_slot(self, kind: Type, name: str | None = None) -> StackSlot:
        """Stack memory for a struct or array."""
        self._slot_count += 1
        slot = StackSlot(name or f"s{self._slot_count}", kind.size, kind.align, name, kind)
        self.function.slots.append(slot)
        return slot

    def once(self, node: Expression, use: Callable[[Expression], Expression]) -> Expression:
        """`use(node)` where node stands for one evaluation however often `use` puts it in."""
        if is_simple(node):
            return use(node)
        local = self.temporary(node.type)
        assign = Assign(local, node, self.function.span)
        return SequenceNode((assign,), use(ReadLocal(local)))

    def hold(self, node: Expression, span: Span) -> Expression:
        """Evaluate `node` here, for uses in statements that follow."""
        if is_simple(node):
            return node
        local = self.temporary(node.type)
        self.emit(Assign(local, node, span))
        return ReadLocal(local)

    def hold_always(self, node: Expression, span: Span) -> Expression:
        """Evaluate `node` here, for uses after other locals have changed."""
        local = self.temporary(node.type)
        self.emit(Assign(local, node, span))
        return ReadLocal(local)

    # Checking

    def expression(self, node: ast.expr, expected: Type | None = None) -> Result:
        """Check an expression. `expected` is the type its user wants, where known; the result may be of another."""
        rule = self.program.rules.expressions.get(type(node))
        if rule is None:
            self.fail("E0122", f"{type(node).__name__} is not an expression of the dialect", node)
        return rule(self, node, expected)

    def value(self, node: ast.expr, expected: Type | None = None) -> Value:
        """Check an expression that must give a run-time value; converts to `expected` where that is given."""
        result = self.expression(node, expected)
        if expected is not None:
            return self.program.rules.coerce(self, result, expected, node)
        return self.run_time(result, node)

    def run_time(self, result: Result, node: ast.expr) -> Value:
        """A run-time value from any result: constants take their default type, fresh structs a stack slot."""
        if isinstance(result, Value):
            return result
        if isinstance(result, Fresh):
            return self.materialise(result, node)
        if isinstance(result, Bound):
            self.fail("E0309", f"`{ast.unparse(node)}` is a method and must be called", node, fix="add `(...)`")
        return self.program.rules.default_constant(self, result, node)

    def materialise(self, fresh: Fresh, node: ast.expr) -> Value:
        """Build a fresh struct or array in a stack slot of its own."""
        if fresh.tag is not None:
            self.fail(
                "E0501",
                f"{fresh.type.name} must be bound to a local and tested before use",
                node,
                fix=f"`result = {ast.unparse(node)}` and test `result`",
            )
        assert isinstance(fresh.type, StructType | ArrayType)
        slot = self.new_slot(fresh.type)
        address = SlotAddress(slot)
        node_with_build = SequenceNode(fresh.build(address), address)
        return Value(fresh.type, node_with_build, fresh.type.align, local=True)

    def text(self, node: ast.AST) -> str:
        """Source text of a node, for messages; of one that spans lines, its text on one line."""
        line, end_line = getattr(node, "lineno", 0), getattr(node, "end_lineno", None)
        lines = self.parsed.file.lines
        if line != end_line or not 1 <= line <= len(lines):
            return ast.unparse(node)
        start, end = getattr(node, "col_offset", 0), getattr(node, "end_col_offset", 0)
        return lines[line - 1].encode()[start:end].decode(errors="replace") or ast.unparse(node)
