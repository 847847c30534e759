"""Assembly blocks: what the names in their texts stand for.

`{expr}` is evaluated in the namespace of the function's module; a path from a struct class, `Vcpu.regs[3]`, is the
offset of that field. Functions, static objects and linker symbols give their symbols and become part of the
program. The names of `call` lines are symbols.
"""

from __future__ import annotations

import ast
import re
import types as python_types
from collections.abc import Callable, Iterator
from typing import Any

from compiler.check.block_signature import check_block_signature
from compiler.check.constants import describe_object
from compiler.check.context import FunctionChecker
from compiler.check.values import Abandon
from compiler.language.addresses import Distinct
from compiler.language.assembly import ASSEMBLY_TEXT
from compiler.language.bitfields import Bits
from compiler.language.enums import EnumBase
from compiler.language.errors import BuildError
from compiler.language.memory import LinkerSymbol
from compiler.language.memory import StaticObject as StaticRecord
from compiler.language.structs import STRUCT_OPTIONS
from compiler.language.types import field_offset
from compiler.program.nodes import Span
from compiler.program.program import AssemblyText

_BINDING = re.compile(r"\{([^{}\n]*)\}")
_CALL_LINE = re.compile(r"^[ \t]*call[ \t]+([^\n/]*)", re.MULTILINE)
_BEGIN = re.compile(r"^[ \t]*begin\b", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")

Export = Callable[[str], python_types.FunctionType | None]


def bind(fn: FunctionChecker, function: python_types.FunctionType, definition: ast.FunctionDef, export: Export) -> None:
    """Give the function its block, with every name resolved."""
    text: str = getattr(function, ASSEMBLY_TEXT)
    line, column = _start(definition)
    bindings: dict[str, int | str] = {}
    for position, name, is_call in _names(text):
        if name in bindings:
            continue
        span = _span(fn, text, position, len(name), line, column)
        try:
            bindings[name] = _resolve(fn, name, is_call, export, span)
        except Abandon:
            continue
    fn.function.assembly = AssemblyText(text, fn.parsed.file.path, line, bindings)
    check_block_signature(fn, fn.function.assembly)


def _start(definition: ast.FunctionDef) -> tuple[int, int]:
    """Line of the block's text, and column of its first character where it is a literal."""
    for decorator in definition.decorator_list:
        if isinstance(decorator, ast.Call) and decorator.args and "assembly_block" in ast.unparse(decorator.func):
            text = decorator.args[0]
            quotes = 3 if (text.end_lineno or 0) > text.lineno else 1
            return text.lineno, text.col_offset + quotes
    return definition.lineno, 0


def _names(text: str) -> Iterator[tuple[int, str, bool]]:
    """Position and text of each name, and whether it stands in a `call` line."""
    begin = _BEGIN.search(text)
    for line in _CALL_LINE.finditer(text, 0, begin.start() if begin else len(text)):
        for name in _NAME.finditer(line[1]):
            yield line.start(1) + name.start(), name[0], True
    for found in _BINDING.finditer(text):
        yield found.start(1), found[1], False


def _span(fn: FunctionChecker, text: str, position: int, length: int, line: int, column: int) -> Span:
    before = text[:position]
    row = before.count("\n")
    start = position - (before.rfind("\n") + 1) + (column if row == 0 else 0) + 1
    return Span(fn.parsed.file.path, line + row, start, line + row, start + max(length, 1))


def _resolve(fn: FunctionChecker, text: str, is_call: bool, export: Export, span: Span) -> int | str:
    found: Any = None
    if text.isidentifier() and text not in fn.namespace:
        found = export(text)
        if found is None:
            fn.fail("E0608", f"`{text}` is not defined in the module of the block", span, fix="import it")
    else:
        found = _evaluate(fn, text, span)
    if isinstance(found, python_types.FunctionType):
        declared = fn.program.declared(found, None) if fn.program.is_dialect(found) else None
        if declared is None or declared.is_generic:
            what = "is generic" if declared is not None else "is not a function of the program"
            fn.fail("E0608", f"`{text}` {what} and has no symbol", span)
        target = fn.program.request(found, None, {}, {})
        if target is None:
            raise Abandon
        return target.symbol
    if isinstance(found, StaticRecord):
        return fn.program.statics.named(fn, found, span).object.symbol
    if isinstance(found, LinkerSymbol):
        return found.name
    if is_call:
        fn.fail("E0608", f"`{text}` is {describe_object(found)}, which has no symbol", span)
    if isinstance(found, EnumBase):
        return int(found.value)
    if isinstance(found, Distinct | Bits):
        return int(found.raw)
    if isinstance(found, int):
        return int(found)
    return fn.fail("E0608", f"`{{{text}}}` is {describe_object(found)}, neither a number nor a symbol", span)


def _evaluate(fn: FunctionChecker, text: str, span: Span) -> Any:
    try:
        tree = ast.parse(text.strip(), mode="eval")
        tree = ast.fix_missing_locations(_FieldPaths(fn).visit(tree))
        return eval(compile(tree, "<binding>", "eval"), dict(fn.namespace))
    except (BuildError, LookupError, AttributeError, TypeError, ValueError, ArithmeticError, NameError) as error:
        return fn.fail("E0608", f"`{{{text}}}`: {error}", span)
    except (SyntaxError, RecursionError, MemoryError):
        return fn.fail("E0608", f"`{{{text}}}` is not a Python expression", span)


class _FieldPaths(ast.NodeTransformer):
    """Puts offsets in the place of paths from a struct class."""

    def __init__(self, fn: FunctionChecker) -> None:
        self._fn = fn

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """`Struct.field`."""
        return self._path(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """`Struct.field[3]`."""
        return self._path(node)

    def _path(self, node: ast.Attribute | ast.Subscript) -> ast.AST:
        root: ast.expr = node
        while isinstance(root, ast.Attribute | ast.Subscript):
            root = root.value
            cls = self._class(root)
            if cls is not None:
                path = ast.unparse(node)[len(ast.unparse(root)) :].lstrip(".")
                return ast.copy_location(ast.Constant(field_offset(cls, path)), node)
        return self.generic_visit(node)

    def _class(self, root: ast.expr) -> Any:
        """The struct class that a name, perhaps in a module, stands for."""
        if not isinstance(root, ast.Name | ast.Attribute):
            return None
        found: Any = None
        if isinstance(root, ast.Name):
            found = self._fn.namespace.get(root.id)
        elif isinstance(root.value, ast.Name):
            module = self._fn.namespace.get(root.value.id)
            found = getattr(module, root.attr, None) if isinstance(module, python_types.ModuleType) else None
        return found if isinstance(found, type) and hasattr(found, STRUCT_OPTIONS) else None
