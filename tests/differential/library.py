"""Which functions of the repository's dialect code can be called with made-up arguments, with no machine around them.

A function is left out when it, or anything that it calls, goes beyond values and its arguments' memory: addresses as
numbers, devices, linker symbols, changes of system registers, assembly blocks (tests/emulated compares those with their
twins), waiting.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from random import Random
from types import FunctionType, ModuleType

import hypervisor
import runtime
from compiler.check import check_program
from compiler.language import types as t
from compiler.language.functions import function_options
from compiler.program import nodes
from compiler.program.program import Function, Program
from compiler.program.walk import walk
from compiler.syntax.diagnostics import CompileErrors
from tests.bench import kernels
from tests.differential.arguments import NotGenerated, value

_LIBRARIES: tuple[ModuleType, ...] = (runtime, hypervisor, kernels)


@cache
def library_program() -> Program:
    """One program whose entries are all such functions."""
    names = [
        info.name for library in _LIBRARIES for info in pkgutil.walk_packages(library.__path__, f"{library.__name__}.")
    ]
    candidates = [function for name in names for function in _functions_of(name)]
    chosen = [function for function in candidates if _can_be_called(function)]
    # Images choose one of the modules that export a name; here it is the first.
    by_symbol = {function_options(function).get("export", function): function for function in reversed(chosen)}
    return check_program(list(reversed(by_symbol.values())), name="library")


def _functions_of(module_name: str) -> Iterator[FunctionType]:
    module = importlib.import_module(module_name)
    for found in vars(module).values():
        if isinstance(found, FunctionType) and found.__module__ == module_name:
            if "extern" not in function_options(found):
                yield found


def _can_be_called(function: FunctionType) -> bool:
    try:
        program = check_program([function], name=function.__name__)
    except CompileErrors:
        return False  # a helper of module-level code, written in plain Python
    entry = program.entries[0]
    return _has_arguments(entry) and not any(_needs_a_machine(reached) for reached in program.functions)


def _has_arguments(function: Function) -> bool:
    try:
        for _, kind in function.signature.parameters:
            if not isinstance(kind, t.ConstType):
                value(Random(0), kind)
    except NotGenerated:
        return False
    return True


def _needs_a_machine(function: Function) -> bool:
    if function.extern or function.assembly is not None or function.no_return:
        return True
    return any(_is_of_a_machine(node) for node in walk(function.body))


def _is_of_a_machine(node: nodes.Expression | nodes.Statement) -> bool:
    match node:
        case nodes.Convert(nodes.Conversion.INT_TO_POINTER | nodes.Conversion.POINTER_TO_INT):
            return True
        case nodes.Load(access=nodes.Access.DEVICE) | nodes.Store(access=nodes.Access.DEVICE):
            return True
        case nodes.LinkerAddress() | nodes.FunctionAddress() | nodes.Hint():
            return True
        case nodes.RegisterWrite():
            return True  # the next call would see it
        case _:
            return False
