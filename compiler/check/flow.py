"""Local variables and what is known of them at a point of a function: assigned or not, narrowed to which type.

A Flow belongs to one point; branches copy it and joins keep what holds on every way in. A dead flow (after return) is
the identity of joining.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce

from compiler.check.values import Known
from compiler.language.types import Type
from compiler.program.nodes import Local, Span
from compiler.program.program import StackSlot

ERROR = Type("error")
"""Type of a variable whose assignment was wrong; reading it is silent."""


@dataclass(eq=False, slots=True)
class Variable:
    """A name of a function. A fresh struct or array lives in `slot`; `known` is a compile-time parameter."""

    name: str
    type: Type
    span: Span
    local: Local | None = None
    slot: StackSlot | None = None
    known: Known | None = None
    fixed: str = ""
    """What the variable is when it may not be assigned, such as "loop variable"."""
    may_be_local: bool = False
    readonly: bool = False


@dataclass(slots=True)
class Flow:
    """What holds at a point. `narrowed` gives the type that a test has established for a variable."""

    assigned: set[Variable] = field(default_factory=set[Variable])
    narrowed: dict[Variable, Type] = field(default_factory=dict[Variable, Type])
    dead: bool = False

    def copy(self) -> Flow:
        """An independent copy."""
        return Flow(set(self.assigned), dict(self.narrowed), self.dead)

    def with_narrowed(self, variable: Variable, kind: Type) -> Flow:
        """A copy in which `variable` is narrowed."""
        result = self.copy()
        result.narrowed[variable] = kind
        return result


def join(first: Flow, second: Flow) -> Flow:
    """What holds after either."""
    if first.dead:
        return second.copy()
    if second.dead:
        return first.copy()
    narrowed = {variable: kind for variable, kind in first.narrowed.items() if second.narrowed.get(variable) == kind}
    return Flow(first.assigned & second.assigned, narrowed)


def join_all(flows: Iterable[Flow]) -> Flow:
    """What holds after any of several; of none, a dead flow."""
    return reduce(join, flows, Flow(dead=True))


def assigned_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Every name that the statements assign, nested ones included."""
    found: set[str] = set()
    for root in nodes:
        for node in ast.walk(root):
            if isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Store):
                    found.add(node.id)
            elif isinstance(node, ast.MatchAs) and node.name is not None:
                found.add(node.name)
    return found
