"""Function tables: read-only arrays of functions of one signature, and calls through them."""

from __future__ import annotations

import ast
import types as python_types
from collections.abc import Mapping
from typing import Any

from compiler.check.calls import Argument, bind_values
from compiler.check.context import FunctionChecker
from compiler.check.values import Abandon, Bound, Known, Result, Value, by_value_struct
from compiler.language.memory import FunctionTable
from compiler.language.types import Type
from compiler.program.nodes import Sequence, TableCall
from compiler.program.program import Function, Table
from compiler.syntax.diagnostics import Note


def call_entry(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`TABLE[i](arguments)`."""
    assert isinstance(bound.receiver, Known)
    record: FunctionTable[Any] = bound.receiver.object
    table = _table(fn, record, node.func)
    first = record.functions[0]
    declared = fn.program.declared(first, None)
    if declared is None:
        raise Abandon
    values, prelude = bind_values(fn, first, declared, [Argument(tree) for tree in node.args], node, {}, {})
    kind = declared.result
    arguments = tuple(value.node for value in values)
    assert bound.index is not None
    made = TableCall(table, bound.index, arguments, table.functions[0].result, fn.span(node))
    return Value(kind, Sequence(prelude, made) if prelude else made)


def _table(fn: FunctionChecker, record: FunctionTable[Any], node: ast.AST) -> Table:
    statics = fn.program.statics
    found = statics.table(record)
    if found is not None:
        return found
    name, span = statics.table_name(record)
    if not record.functions:
        fn.fail("E0603", "the function table is empty", node)
    functions: list[Function] = []
    for function in record.functions:
        functions.append(_table_function(fn, function, node))
    first = functions[0]
    for function in functions:
        if _shape(function) != _shape(first):
            message = (
                f"the functions of a table take and give the same types: `{function.source_name}` differs from"
                f" `{first.source_name}`"
            )
            shown = [Note(f"`{one.source_name}` is {signature_text(one)}", one.span) for one in (first, function)]
            fn.fail("E0703", message, span or node, notes=shown)
    table = Table(fn.program.unique_symbol(name), functions, span or fn.span(node))
    statics.add_table(record, table)
    return table


def _shape(function: Function) -> tuple[tuple[str, ...], str]:
    return tuple(kind.name for _, kind in function.signature.parameters), function.signature.result.name


def _table_function(fn: FunctionChecker, function: Any, node: ast.AST) -> Function:
    if not isinstance(function, python_types.FunctionType) or not fn.program.is_dialect(function):
        fn.fail("E0603", f"{function!r} in a function table is not a function of the program", node)
    declared = fn.program.declared(function, None)
    if declared is None:
        raise Abandon
    if declared.is_generic or by_value_struct(declared.result) is not None:
        message = f"`{function.__name__}` is generic or returns a struct by value, which table entries cannot"
        fn.fail("E0603", message, node)
    made = fn.program.request(function, None, {}, {})
    if made is None:
        raise Abandon
    return made


OPERATIONS: Mapping[tuple[Any, str], Any] = {(FunctionTable, "[]"): call_entry}


def signature_text(function: Function) -> str:
    """A function's types as they are written."""
    parameters = ", ".join(kind.name for _, kind in function.signature.parameters)
    return f"({parameters}) -> {function.signature.result.name}"
