"""Expressions other than operators, conditions and calls: literals, indexing, slicing, choice, `:=`, tuples."""

from __future__ import annotations

import ast
from math import gcd

from compiler.check import places
from compiler.check.arithmetic import unary
from compiler.check.coercion import array_as_slice, widen
from compiler.check.conditions import condition, truth
from compiler.check.constants import adapt, describe, is_plain_int, own_type, u64_constant
from compiler.check.context import FunctionChecker
from compiler.check.flow import join
from compiler.check.names import known_object, length, pointer_place
from compiler.check.places import Place
from compiler.check.values import Bound, Fresh, Known, Result, Value, is_reference, value_type
from compiler.language.memory import FunctionTable
from compiler.language.types import (
    U64,
    ArrayType,
    IntType,
    NeverType,
    OptionalType,
    PtrType,
    ResultType,
    SliceType,
    StrType,
    TupleType,
    Type,
)
from compiler.program import types as value_types
from compiler.program.nodes import (
    Conditional,
    Constant,
    Conversion,
    Convert,
    Element,
    Expression,
    MakeTuple,
    Subslice,
    TupleElement,
)


def literal(fn: FunctionChecker, node: ast.Constant, _expected: Type | None) -> Result:
    """A number, a bool, a str, None."""
    if node.value is None or isinstance(node.value, bool | int | str):
        return Known(node.value)
    code = "E0123" if isinstance(node.value, bytes) else "E0130" if node.value is ... else "E0122"
    return fn.fail(code, f"{type(node.value).__name__} literals are not part of the dialect", node)


def unary_or_not(fn: FunctionChecker, node: ast.UnaryOp, expected: Type | None) -> Result:
    """`-x`, `~x`, `not x`."""
    return truth(fn, node, expected) if isinstance(node.op, ast.Not) else unary(fn, node, expected)


def choice(fn: FunctionChecker, node: ast.IfExp, expected: Type | None) -> Result:
    """`a if condition else b`."""
    test = condition(fn, node.test)
    if isinstance(test.test, bool):
        fn.flow = test.when_true if test.test else test.when_false
        return fn.expression(node.body if test.test else node.orelse, expected)
    fn.flow = test.when_true
    first = fn.expression(node.body, expected)
    after_first = fn.flow
    fn.flow = test.when_false
    hint = expected or (first.type if isinstance(first, Value) else None)
    second = fn.expression(node.orelse, hint)
    fn.flow = join(after_first, fn.flow)
    kind = _chosen_type(fn, first, second, expected, node)
    if kind is None:
        fn.fail(
            "E0301",
            f"the two outcomes are of different types: {describe(first)} and {describe(second)}",
            node,
        )
    one = fn.program.rules.coerce(fn, first, kind, node.body)
    other = fn.program.rules.coerce(fn, second, kind, node.orelse)
    chosen = Conditional(test.test, one.node, other.node, value_type(kind))
    return Value(kind, chosen, min(one.align, other.align), one.local or other.local, one.readonly or other.readonly)


def _chosen_type(
    fn: FunctionChecker, first: Result, second: Result, expected: Type | None, node: ast.IfExp
) -> Type | None:
    types = [_own(first), _own(second)]
    if isinstance(expected, OptionalType | ResultType | StrType | SliceType):
        return expected
    if is_plain_int(first) and is_plain_int(second):
        return expected if isinstance(expected, IntType) else U64
    if types[0] is None or types[1] is None:
        return types[0] or types[1]
    left, right = types
    if left == right or isinstance(right, NeverType):
        return left
    if isinstance(left, NeverType):
        return right
    if isinstance(left, IntType) and isinstance(right, IntType):
        from compiler.check.arithmetic import common_type

        return common_type(left, right)
    return None


def _own(result: Result) -> Type | None:
    if isinstance(result, Known):
        return own_type(result)
    return None if isinstance(result, Bound) else result.type


def tuple_display(fn: FunctionChecker, node: ast.Tuple, expected: Type | None) -> Result:
    """`a, b`: several results together."""
    wanted = expected.elements if isinstance(expected, TupleType) and len(expected.elements) == len(node.elts) else None
    results = [fn.expression(item, wanted[i] if wanted else None) for i, item in enumerate(node.elts)]
    if wanted is None and all(isinstance(result, Known) for result in results):
        return Known(tuple(result.object for result in results if isinstance(result, Known)))
    values: list[Value] = []
    for index, (result, item) in enumerate(zip(results, node.elts, strict=True)):
        if wanted is not None:
            values.append(fn.program.rules.coerce(fn, result, wanted[index], item))
        else:
            values.append(fn.run_time(result, item))
    kinds = tuple(value.type for value in values)
    kind = TupleType(f"tuple[{', '.join(kind.name for kind in kinds)}]", kinds)
    held = value_types.Tuple(tuple(value.node.type for value in values))
    local = any(value.local for value in values)
    return Value(kind, MakeTuple(tuple(value.node for value in values), held), local=local)


def subscript(fn: FunctionChecker, node: ast.Subscript, _expected: Type | None) -> Result:
    """`base[index]` or `base[start:stop]` that is read."""
    base = fn.expression(node.value)
    if isinstance(base, Known):
        return _known_subscript(fn, base, node)
    if isinstance(base, Bound) and base.register is not None and base.index is None:
        index = index_value(fn, node.slice)
        return Bound(base.receiver, base.name, register=base.register, index=index, index_tree=node)
    if isinstance(base, Bound):
        fn.fail("E0323", f"{describe(base)} cannot be indexed", node, fix="call it first: `(...)`")
    value = fn.materialise(base, node.value) if isinstance(base, Fresh) else base
    if isinstance(node.slice, ast.Slice):
        return _slicing(fn, value, node, node.slice)
    if isinstance(value.type, TupleType):
        return _tuple_item(fn, value, value.type, node)
    return places.load(fn, element_place(fn, value, node))


def _known_subscript(fn: FunctionChecker, base: Known, node: ast.Subscript) -> Result:
    if isinstance(base.object, FunctionTable):
        return Bound(base, "[]", index=index_value(fn, node.slice))
    if isinstance(node.slice, ast.Slice):
        fn.fail("E0323", f"{describe(base)} cannot be sliced in a function", node, fix="slice it at module level")
    index = fn.expression(node.slice)
    if not isinstance(index, Known):
        fix = "make it a table in the image: `NAME: Array[T] = constant([...])`"
        fn.fail("E0307", f"{describe(base)} is indexed by what is known at run time only", node, fix=fix)
    try:
        found = base.object[index.object]
    except Exception as error:
        fn.fail("E0316", f"`{ast.unparse(node)}` fails: {type(error).__name__}: {error}", node)
    return known_object(fn, found, node)


def _tuple_item(fn: FunctionChecker, value: Value, kind: TupleType, node: ast.Subscript) -> Value:
    index = fn.expression(node.slice)
    if not isinstance(index, Known) or not isinstance(index.object, int):
        fn.fail("E0307", f"an index of {kind.name} must be a constant", node.slice)
    if not 0 <= index.object < len(kind.elements):
        fn.fail("E0324", f"index {index.object} is out of range for {kind.name}", node.slice)
    element = kind.elements[index.object]
    item = TupleElement(value.node, index.object, value_type(element))
    return Value(element, item, element.align if is_reference(element) else 0, value.local)


def index_value(fn: FunctionChecker, node: ast.expr) -> Expression:
    """An index as U64."""
    result = fn.expression(node, U64)
    if is_plain_int(result):
        assert isinstance(result, Known)
        if int(result.object) < 0:
            fn.fail("E0324", "a negative index does not count from the end here", node, fix="`a[len(a) - n]`")
        return u64_constant(adapt(fn, result, U64, node))
    value = fn.run_time(result, node)
    if not isinstance(value.type, IntType):
        found = fn.text(node)
        fn.fail("E0323", f"an index is an unsigned integer, `{found}` is {value.type.name}", node)
    if value.type.signed:
        fix = f"`u64({fn.text(node)})`"
        fn.fail("E0323", f"an index is unsigned, `{fn.text(node)}` is {value.type.name}", node, fix=fix)
    return widen(fn, value.node, U64, node)


def element_place(fn: FunctionChecker, value: Value, node: ast.Subscript) -> Place:
    """The place of `value[index]`."""
    kind = value.type
    if isinstance(kind, PtrType):
        target = pointer_place(value)
        element: Expression = Element(value.node, index_value(fn, node.slice), None, target.type.size, fn.span(node))
        return Place(target.type, element, target.align, value.local)
    if isinstance(kind, ArrayType):
        return _array_element(fn, value, kind, node)
    if isinstance(kind, SliceType):
        index = index_value(fn, node.slice)
        span = fn.span(node)
        stride = kind.element.size

        def locate(slice_node: Expression) -> Expression:
            base = TupleElement(slice_node, 0, value_types.POINTER)
            return Element(base, index, TupleElement(slice_node, 1, value_types.U64), stride, span)

        address = fn.once(value.node, locate)
        return Place(kind.element, address, kind.element.align, value.local, value.readonly)
    return _not_indexable(fn, value, node)


def _not_indexable(fn: FunctionChecker, value: Value, node: ast.Subscript) -> Place:
    kind, text = value.type, fn.text(node.value)
    fix = None
    if isinstance(kind, StrType):
        fix = f"`utf8({text})` gives its bytes"
    elif isinstance(kind, OptionalType):
        fix = f"test `{text} is not None` first"
    elif isinstance(kind, ResultType):
        fix = f"test `isinstance({text}, {kind.error.name})` first"
    elif kind.name == "UntrustedBytes":
        fix = f"copy the bytes in with `{text}.copy_in(offset, destination)` and read the copy"
    return fn.fail("E0323", f"`{text}` is {kind.name}, which cannot be indexed", node, fix=fix)


def _array_element(fn: FunctionChecker, value: Value, kind: ArrayType, node: ast.Subscript) -> Place:
    index = index_value(fn, node.slice)
    stride = kind.element.size
    align = gcd(value.align, stride)
    if isinstance(index, Constant):
        if index.value >= kind.count:
            message = f"index {index.value} is out of range, `{fn.text(node.value)}` has {kind.count} elements"
            fn.fail("E0324", message, node.slice)
        address = places.offset(value.node, index.value * stride)
        align = gcd(value.align, index.value * stride)
    else:
        address = Element(value.node, index, u64_constant(kind.count), stride, fn.span(node))
    return Place(kind.element, address, align, value.local, value.readonly)


def _slicing(fn: FunctionChecker, value: Value, node: ast.Subscript, bounds: ast.Slice) -> Value:
    if bounds.step is not None:
        fn.fail("E0124", "a slice has no step", bounds.step, fix="index in a loop over `range(start, stop, step)`")
    if isinstance(value.type, ArrayType):
        value = array_as_slice(value)
    if not isinstance(value.type, SliceType):
        fn.fail("E0323", f"`{fn.text(node.value)}` is {value.type.name}, which cannot be sliced", node)
    start = u64_constant(0) if bounds.lower is None else index_value(fn, bounds.lower)
    stop = None if bounds.upper is None else index_value(fn, bounds.upper)
    stride = value.type.element.size
    span = fn.span(node)
    if bounds.lower is None and bounds.upper is None:
        return value

    def cut(run: Expression) -> Expression:
        end = stop if stop is not None else TupleElement(run, 1, value_types.U64)
        return Subslice(run, start, end, stride, span)

    whole = value.node
    cut_node = cut(whole) if stop is not None else fn.once(whole, cut)
    return Value(value.type, cut_node, value.align, value.local, value.readonly)


def bool_to_int(fn: FunctionChecker, value: Value, kind: IntType, node: ast.AST) -> Value:
    """1 or 0."""
    return Value(kind, Convert(Conversion.BOOL_TO_INT, value.node, value_type(kind), fn.span(node)))


__all__ = ["choice", "length", "literal", "subscript", "tuple_display", "unary_or_not"]
