"""Which function or method of the language has which rule.

Functions are found by the object that a name stands for, methods by the type of their receiver and their name.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from compiler.check.constructors import construct
from compiler.check.context import FunctionChecker
from compiler.check.values import Bound, Known, Result
from compiler.language.types import Type

Rule = Callable[[FunctionChecker, ast.Call, "Type | None"], Result]
MethodRule = Callable[[FunctionChecker, Bound, ast.Call, "Type | None"], Result]


@dataclass(frozen=True)
class Intrinsics:
    """The rules of the language package's functions and methods."""

    functions: Mapping[Any, Rule]
    methods: Mapping[tuple[type[Any], str], MethodRule]

    def find(self, found: Any) -> Rule | None:
        """The rule of a function of the language."""
        try:
            return self.functions.get(found)
        except TypeError:
            return None

    def construct(self, fn: FunctionChecker, callee: Known, node: ast.Call, expected: Type | None) -> Result | None:
        """The call of a class."""
        return construct(fn, callee, node, expected)

    def method(self, bound: Bound) -> MethodRule | None:
        """The rule of an operation of a type."""
        receiver = bound.receiver
        key: Any = type(receiver.object) if isinstance(receiver, Known) else type(receiver.type)
        for cls in key.__mro__:
            rule = self.methods.get((cls, bound.name))
            if rule is not None:
                return rule
        return None

    def call_method(self, fn: FunctionChecker, bound: Bound, node: ast.Call, expected: Type | None) -> Result:
        """The call of an operation of a type."""
        rule = self.method(bound)
        if rule is None:
            fn.fail("E0310", f"`{fn.text(node.func)}` cannot be called", node.func)
        return rule(fn, bound, node, expected)
