"""The exported functions of modules and of everything that those import: the roots of an image.

Imports are followed as they stand in the source text, at module level, so that the outcome depends on the sources
alone and not on what else this process has imported. Packages of the compiler and of Python are not entered.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
import types as python_types
from collections.abc import Iterator, Sequence

from compiler.check import loading
from compiler.check.sources import Sources
from compiler.language.functions import function_options
from compiler.syntax.diagnostics import DiagnosticSink


def exported_functions(
    modules: Sequence[str], sources: Sources, sink: DiagnosticSink, *, follow_imports: bool
) -> list[python_types.FunctionType]:
    """The functions marked `@export` in the named modules ("package.module" or "path/file.py"), in source order.

    With `follow_imports` also those of the modules that they import, importers first. Modules that fail are reported.
    """
    waiting = [found for where in modules if (found := loading.load_module(where, sink)) is not None]
    seen: dict[str, python_types.ModuleType] = {}
    while waiting:
        module = waiting.pop(0)
        if module.__name__ in seen:
            continue
        seen[module.__name__] = module
        if follow_imports:
            waiting += _imported(module, sources)
    return [function for module in seen.values() for function in _exports_of(module)]


def _exports_of(module: python_types.ModuleType) -> Iterator[python_types.FunctionType]:
    for found in vars(module).values():
        is_own = isinstance(found, python_types.FunctionType) and found.__module__ == module.__name__
        if is_own and "export" in function_options(found):
            yield found


def _imported(module: python_types.ModuleType, sources: Sources) -> list[python_types.ModuleType]:
    assert module.__file__ is not None
    names: list[str] = []
    for node in sources.load(module.__file__).tree.body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = module.__name__.rpartition(".")[0] if not hasattr(module, "__path__") else module.__name__
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    found = [sys.modules[name] for name in dict.fromkeys(names) if name in sys.modules]
    return [module for module in found if _is_program_module(module)]


def _is_program_module(module: python_types.ModuleType) -> bool:
    file = getattr(module, "__file__", None)  # modules built into the interpreter have none
    return file is not None and not loading.is_library_file(file)
