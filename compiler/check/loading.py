"""Importing the modules of a program, and turning what goes wrong there into diagnostics.

Modules are imported by CPython for real. A module whose file, or any file imported with it, has changed since is
imported afresh. An exception of module-level code is reported at the line of the program that raised it.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import linecache
import site
import sys
import sysconfig
import types as python_types
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from traceback import walk_tb
from typing import Any

from compiler.check.sources import shown_path
from compiler.language.errors import BuildError
from compiler.program.nodes import Span
from compiler.syntax.diagnostics import DiagnosticSink
from compiler.syntax.source import SourceFile

_loaded: dict[str, tuple[str, bytes]] = {}
"""Modules of programs imported in this process: file and digest of its text."""


@cache
def _library_roots() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    roots = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    roots.update(site.getsitepackages())
    roots.add(str(Path(__file__).resolve().parent.parent))
    return tuple(f"{root}/" for root in roots)


def is_library_file(path: str) -> bool:
    """Whether a file belongs to Python, an installed package or the compiler, and not to a program."""
    return path.startswith(("<", *_library_roots()))


def load_entries(entries: Sequence[str | Callable[..., Any]], sink: DiagnosticSink) -> list[python_types.FunctionType]:
    """The Python functions that the entries name; modules that fail are reported."""
    _forget_changed()
    functions: list[python_types.FunctionType] = []
    modules: dict[str, python_types.ModuleType | None] = {}
    for entry in entries:
        if isinstance(entry, python_types.FunctionType):
            functions.append(entry)
            continue
        text = str(entry)
        where, separator, name = text.rpartition(":")
        if not separator:
            message = f"entry {text!r} is not of the form module:function"
            sink.error("E0203", message, None, fix="`package.module:function` or `path/file.py:function`")
            continue
        if where not in modules:
            modules[where] = load_module(where, sink)
        found = modules[where]
        if found is not None:
            _add_entry(found, name, functions, sink)
    return functions


def load_source(
    text: str, path: str, module: str, entries: Sequence[str], sink: DiagnosticSink
) -> list[python_types.FunctionType]:
    """The functions of source text that is made a module by itself."""
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    found = python_types.ModuleType(module)
    found.__file__ = path
    sys.modules[module] = found
    ok = False
    with _reporting(sink, path, {path: text}), _remembering():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(text, path, "exec")
        exec(code, found.__dict__)
        ok = True
    functions: list[python_types.FunctionType] = []
    if ok:
        for name in entries:
            _add_entry(found, name, functions, sink)
    return functions


def _add_entry(
    module: python_types.ModuleType, name: str, functions: list[python_types.FunctionType], sink: DiagnosticSink
) -> None:
    target: Any = module
    for part in name.split("."):
        target = getattr(target, part, None)
    if isinstance(target, python_types.FunctionType):
        functions.append(target)
        return
    shown = shown_path(module.__file__) if module.__file__ else module.__name__
    if target is None:
        sink.error("E0203", f"{shown} has no function `{name}`", None)
        return
    fix = "remove its decorator" if hasattr(target, "__wrapped__") else None
    sink.error("E0203", f"`{name}` of {shown} is not a function but {type(target).__name__}", None, fix=fix)


def load_module(where: str, sink: DiagnosticSink) -> python_types.ModuleType | None:
    """The module named "package.module" or by the path of its file; None, and reported, when it cannot be imported."""
    is_path = where.endswith(".py") or "/" in where
    name = _module_name(Path(where)) if is_path else where
    shown = where if is_path else name.replace(".", "/") + ".py"
    found: list[python_types.ModuleType] = []
    with _reporting(sink, shown, {}), _remembering():
        if is_path and not Path(where).is_file():
            raise FileNotFoundError(f"there is no file {where}")
        if is_path and importlib.util.find_spec(name) is None:
            found.append(_import_file(Path(where), name))
        elif is_path and not _same_file(name, Path(where)):
            found.append(_import_file(Path(where), f"{name}_"))
        else:
            found.append(importlib.import_module(name))
    return found[0] if found else None


def _same_file(name: str, path: Path) -> bool:
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == path.resolve()


def _module_name(path: Path) -> str:
    """The dotted name by which a file would be imported from the working directory; else its stem."""
    try:
        relative = path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path.stem
    parts = relative.with_suffix("").parts
    packaged = all((Path(*parts[: i + 1]) / "__init__.py").is_file() for i in range(len(parts) - 1))
    return ".".join(parts) if packaged and all(part.isidentifier() for part in parts) else path.stem


def _import_file(path: Path, name: str) -> python_types.ModuleType:
    if name in sys.modules and name in _loaded and _loaded[name][0] == str(path.resolve()):
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise
    return module


@contextmanager
def _remembering() -> Generator[None]:
    """Import without writing byte code, whose time stamps are too coarse, and remember what was imported."""
    before = set(sys.modules)
    flag, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    importlib.invalidate_caches()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.dont_write_bytecode = flag
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and not is_library_file(file):
                _loaded[name] = (file, _digest(file))


def _digest(path: str) -> bytes:
    try:
        return hashlib.sha256(Path(path).read_bytes()).digest()
    except OSError:
        return b""


def _forget_changed() -> None:
    """Drop every module of programs when the file of any of them has changed, or another would be found by its name."""
    importlib.invalidate_caches()
    if all(_digest(file) == digest and not _is_hidden(name, file) for name, (file, digest) in _loaded.items()):
        return
    for name in _loaded:
        sys.modules.pop(name, None)
    _loaded.clear()
    linecache.checkcache()


def _is_hidden(name: str, file: str) -> bool:
    """Whether the search path leads to another file than the one that a module came from."""
    spec = PathFinder.find_spec(name.partition(".")[0])
    if spec is None:
        return False
    folders = spec.submodule_search_locations
    return file != spec.origin if folders is None else not file.startswith(tuple(f"{folder}/" for folder in folders))


@contextmanager
def _reporting(sink: DiagnosticSink, shown: str, texts: dict[str, str]) -> Generator[None]:
    """Report what module-level code raises."""
    try:
        yield
    except SyntaxError as error:
        sink.error("E0100", error.msg or "not valid Python", _syntax_span(error, shown))
    except RecursionError as error:
        sink.error("E0100", "the code is nested too deeply", _raised_at(error, texts) or Span(shown, 1, 1, 1, 1))
    except (ImportError, FileNotFoundError) as error:
        sink.error("E0202", str(error), _raised_at(error, texts))
    except BuildError as error:
        sink.error("E0601", str(error), _raised_at(error, texts))
    except ValueError as error:
        if "null bytes" in str(error):  # a SyntaxError from Python 3.11.4 on
            sink.error("E0100", str(error), Span(shown, 1, 1, 1, 2))
        else:
            sink.error("E0601", f"module-level code raised ValueError: {error}", _raised_at(error, texts))
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        sink.error("E0601", f"module-level code raised {text}", _raised_at(error, texts))


def _syntax_span(error: SyntaxError, shown: str) -> Span:
    file = shown_path(error.filename) if error.filename and not error.filename.startswith("<") else shown
    line = max(error.lineno or 1, 1)
    column = max(error.offset or 1, 1)
    end_line = max(error.end_lineno or line, line)
    end_column = error.end_offset or column + 1
    if end_line == line:
        end_column = max(end_column, column + 1)
    return Span(file, line, column, end_line, max(end_column, 1))


def _raised_at(error: BaseException, texts: dict[str, str]) -> Span | None:
    """The innermost line of the program in the error's traceback: of the statement, where it can be parsed."""
    place: tuple[str, int] | None = None
    for frame, line in walk_tb(error.__traceback__):
        path = frame.f_code.co_filename
        if path in texts or not is_library_file(path):
            place = (path, line)
    if place is None:
        return None
    path, line = place
    text = texts.get(path)
    shown = path if text is not None else shown_path(path)
    try:
        text = text if text is not None else Path(path).read_text(encoding="utf-8")
        return _statement_span(SourceFile(shown, text), line)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return Span(shown, line, 1, line, 1)


def _statement_span(file: SourceFile, line: int) -> Span:
    best: ast.stmt | None = None
    for node in ast.walk(ast.parse(file.text)):
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno):
            if best is None or node.lineno >= best.lineno:
                best = node
    if best is None:
        return Span(file.path, line, 1, line, 1)
    span = file.span(best)
    if span.line == span.end_line or not isinstance(best, ast.ClassDef | ast.FunctionDef | ast.If | ast.For):
        return span
    return Span(span.file, span.line, span.column, span.line, len(file.lines[span.line - 1]) + 1)
