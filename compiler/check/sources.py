"""The source files of a program: each read and parsed once, and functions found in them.

A file's name in spans is relative to the working directory where it lies below that, else as it is.
"""

from __future__ import annotations

import ast
import os
import warnings
from functools import lru_cache
from inspect import CO_COROUTINE
from pathlib import Path
from types import FunctionType

from compiler.syntax.source import SourceFile


class ParsedFile:
    """A source file with its tree. `functions` finds a definition by name and first line (of its first decorator)."""

    def __init__(self, file: SourceFile, tree: ast.Module) -> None:
        self.file = file
        self.tree = tree
        self.functions: dict[tuple[str, int], ast.FunctionDef] = {}
        self.coroutines: dict[tuple[str, int], ast.AsyncFunctionDef] = {}
        self.structures: list[ast.ClassDef] = []
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                self.functions[node.name, _first_line(node)] = node
            elif isinstance(node, ast.AsyncFunctionDef):
                self.coroutines[node.name, _first_line(node)] = node
            elif isinstance(node, ast.ClassDef) and any(_is_struct(mark) for mark in node.decorator_list):
                self.structures.append(node)


def _first_line(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _is_struct(decorator: ast.expr) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return (target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")) == "struct"


@lru_cache(maxsize=512)
def _parse(shown: str, text: str) -> ParsedFile:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ParsedFile(SourceFile(shown, text), ast.parse(text, shown))


def shown_path(path: str) -> str:
    """The name of a file in spans."""
    relative = os.path.relpath(path)
    return (path if relative.startswith("..") else relative).replace(os.sep, "/")


class Sources:
    """The files of one program; `texts` are sources that exist in memory only, by file name."""

    def __init__(self, texts: dict[str, str] | None = None) -> None:
        self._texts = dict(texts or {})
        self._files: dict[str, ParsedFile] = {}

    def load(self, path: str) -> ParsedFile:
        """The file at `path`, parsed. Raises OSError, SyntaxError, ValueError or RecursionError."""
        if path not in self._files:
            if path in self._texts:
                shown, text = path, self._texts[path]
            else:
                shown, text = shown_path(path), Path(path).read_text(encoding="utf-8")
            self._files[path] = _parse(shown, text)
        return self._files[path]

    def definition(self, function: FunctionType) -> tuple[ParsedFile, ast.FunctionDef] | None:
        """File and tree of a Python function, or None when it has no source (a lambda, a generated function)."""
        code = function.__code__
        try:
            parsed = self.load(code.co_filename)
        except (OSError, SyntaxError, ValueError):
            return None
        node = parsed.functions.get((function.__name__, code.co_firstlineno))
        if node is None:
            node = parsed.functions.get((code.co_name, code.co_firstlineno))
        return None if node is None else (parsed, node)

    def coroutine(self, function: FunctionType) -> tuple[ParsedFile, ast.AsyncFunctionDef] | None:
        """File and tree of an `async def`, None for anything else."""
        code = function.__code__
        if not code.co_flags & CO_COROUTINE:
            return None
        try:
            parsed = self.load(code.co_filename)
        except (OSError, SyntaxError, ValueError):
            return None
        node = parsed.coroutines.get((function.__name__, code.co_firstlineno))
        return None if node is None else (parsed, node)

    def files(self) -> list[ParsedFile]:
        """Every file loaded, in that order."""
        return list(self._files.values())

    def texts(self) -> dict[str, str]:
        """File name as spans have it -> text, for every file loaded."""
        return {parsed.file.path: parsed.file.text for parsed in self._files.values()}
