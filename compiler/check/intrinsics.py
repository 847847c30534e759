"""Which function or method of the language has which rule.

Functions and methods written in the language package are found by their Python function, operations of types that have
no class of their own (pointers, atomics, per-CPU objects) by the type of their receiver and their name.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from compiler.check.constructors import construct
from compiler.check.context import FunctionChecker
from compiler.check.values import Bound, Known, Result, class_of
from compiler.language.types import Type

Rule = Callable[[FunctionChecker, ast.Call, "Type | None"], Result]
MethodRule = Callable[[FunctionChecker, Bound, ast.Call, "Type | None"], Result]


@dataclass(frozen=True)
class Intrinsics:
    """The rules of the language package's functions and methods."""

    functions: Mapping[Any, Rule]
    methods: Mapping[Any, MethodRule]
    operations: Mapping[tuple[type[Any], str], MethodRule]

    def find(self, found: Any) -> Rule | None:
        """The rule of a function of the language."""
        try:
            return self.functions.get(found)
        except TypeError:
            return None

    def construct(self, fn: FunctionChecker, callee: Known, node: ast.Call, expected: Type | None) -> Result | None:
        """The call of a class; None when it is no type of the dialect."""
        return construct(fn, callee, node, expected)

    def method(self, bound: Bound) -> MethodRule | None:
        """The rule of a method of the language or of an operation of a type; None for a method of the program."""
        if bound.function is not None:
            return self.methods.get(bound.function)
        receiver = bound.receiver
        kind = class_of(receiver.object if isinstance(receiver, Known) else receiver.type)
        return self.operations.get((kind, bound.name))
