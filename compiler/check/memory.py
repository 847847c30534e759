"""The language's functions on memory: copies, pointers, slices, untrusted bytes, per-CPU objects, sizes."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

from compiler.check import places
from compiler.check.context import FunctionChecker
from compiler.check.numbers import Rule, arguments
from compiler.check.values import Fresh, Known, Result, Value, is_reference
from compiler.language import structs
from compiler.language.errors import BuildError, static_assert
from compiler.language.structs import ArrayValue
from compiler.language.types import ArrayType, StructField, StructType, Type, field_offset
from compiler.program.nodes import Statement


def copy(fn: FunctionChecker, node: ast.Call, expected: Type | None) -> Result:
    """`copy(x)`: a fresh copy of a struct or array."""
    (tree,) = arguments(fn, node, 1, "copy")
    result = fn.expression(tree, expected)
    if isinstance(result, Fresh) and result.tag is None:
        return result
    value = fn.run_time(result, tree)
    kind = value.type
    if not isinstance(kind, StructType | ArrayType):
        fix = f"`{fn.text(tree)}`" if not is_reference(kind) else None
        fn.fail("E0301", f"copy() is for structs and arrays, `{fn.text(tree)}` is {kind.name}", tree, fix=fix)
    span = fn.span(node)
    align = min(value.align, kind.align)
    return Fresh(kind, lambda address: (places.copy_memory(address, value.node, kind, align, span),))


def zeroed(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`zeroed(T)`: a fresh struct, every byte zero."""
    (tree,) = arguments(fn, node, 1, "zeroed")
    kind = fn.program.type_argument(fn, tree)
    if not isinstance(kind, StructType):
        fn.fail("E0301", f"zeroed() makes structs, not {kind.name}", tree)
    span = fn.span(node)

    def build(address: Any) -> tuple[Statement, ...]:
        return (places.fill_zero(address, kind, kind.align, span),)

    return Fresh(kind, build)


def copy_fields(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`copy_fields(target, source)`: field by field, between two layouts."""
    trees = arguments(fn, node, 2, "copy_fields")
    target, source = (fn.run_time(fn.expression(tree), tree) for tree in trees)
    for value, tree in ((target, trees[0]), (source, trees[1])):
        if not isinstance(value.type, StructType):
            fn.fail("E0301", f"copy_fields() is for structs, `{fn.text(tree)}` is {value.type.name}", tree)
    if target.readonly:
        fn.fail("E0507", f"`{fn.text(trees[0])}` is part of a read-only table", trees[0])
    span = fn.span(node)
    to, of = (replace(value, node=fn.hold(value.node, span)) for value in (target, source))
    with fn.block() as block:
        for own, field in _common_fields(fn, to, of, node):
            into, found = places.field_place(to, field), places.load(fn, places.field_place(of, own))
            if is_reference(field.type):
                fn.emit(places.copy_memory(into.address, found.node, field.type, min(into.align, found.align), span))
            else:
                for statement in places.store(fn, into, found, span):
                    fn.emit(statement)
    for statement in block:
        fn.emit(statement)
    return Known(None)


def _common_fields(
    fn: FunctionChecker, target: Value, source: Value, node: ast.Call
) -> list[tuple[StructField, StructField]]:
    """The source's field and the target's, for each name that both have."""
    assert isinstance(target.type, StructType) and isinstance(source.type, StructType)
    pairs: list[tuple[StructField, StructField]] = []
    for name, field in target.type.fields.items():
        other = source.type.fields.get(name)
        if other is None:
            continue
        if other.type != field.type:
            message = f"`{name}` is {field.type.name} in {target.type.name} and {other.type.name} in {source.type.name}"
            fn.fail("E0301", message, node)
        pairs.append((other, field))
    return pairs


def array(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`array(n)`; its annotation or field says of what."""
    values: list[Any] = []
    for tree in [*node.args, *(keyword.value for keyword in node.keywords)]:
        found = fn.expression(tree)
        if not isinstance(found, Known):
            fn.fail("E0307", f"the length of an array is known at build time, `{fn.text(tree)}` is not", tree)
        values.append(found.object)
    if not 1 <= len(values) <= 2 or not isinstance(values[0], int):
        fn.fail("E0308", "array() takes a length, and `of=array(n)` when nested", node)
    if values[0] < 0:
        fn.fail("E0302", f"the length of an array is not negative, found {values[0]}", node)
    return Known(ArrayValue(values[0], values[1] if len(values) == 2 else None))


def size_of(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`size_of(T)`."""
    (tree,) = arguments(fn, node, 1, "size_of")
    return _measured(fn, tree, "size")


def align_of(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`align_of(T)`."""
    (tree,) = arguments(fn, node, 1, "align_of")
    return _measured(fn, tree, "align")


def _measured(fn: FunctionChecker, tree: ast.expr, what: str) -> Known:
    kind = fn.program.type_argument(fn, tree)
    try:
        return Known(getattr(kind, what))
    except BuildError as error:
        return fn.fail("E0306", str(error), tree)


def offset_of(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`offset_of(T, "field")`."""
    kind_tree, path_tree = arguments(fn, node, 2, "offset_of")
    kind = fn.program.type_argument(fn, kind_tree)
    path = fn.expression(path_tree)
    if not isinstance(kind, StructType) or not isinstance(path, Known) or not isinstance(path.object, str):
        fn.fail("E0308", "offset_of() takes a struct class and a field's name as a literal", node)
    try:
        return Known(field_offset(kind.cls, path.object))
    except (BuildError, ValueError) as error:
        return fn.fail("E0204", str(error), path_tree)


def check_static(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`static_assert(condition, "message")`, evaluated now."""
    test_tree, message_tree = arguments(fn, node, 2, "static_assert")
    test, message = fn.expression(test_tree), fn.expression(message_tree)
    if not isinstance(test, Known):
        fn.fail("E0307", f"`{fn.text(test_tree)}` is not known at build time", test_tree, fix="`assert`")
    if not isinstance(message, Known) or not isinstance(message.object, str):
        fn.fail("E0307", "the message of static_assert() is a literal", message_tree)
    if not test.object:
        fn.fail("E0604", f"static_assert failed: {message.object}", node)
    return Known(None)


RULES: dict[Any, Rule] = {
    structs.copy: copy,
    structs.zeroed: zeroed,
    structs.array: array,
    structs.copy_fields: copy_fields,
    structs.size_of: size_of,
    structs.align_of: align_of,
    structs.offset_of: offset_of,
    static_assert: check_static,
}
