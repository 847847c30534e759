"""`for` loops: over ranges, over arrays and slices, with enumerate() and reversed().

The bounds of a range are evaluated once, and the loop variable is the counter: it cannot be assigned, and it ends with
the loop. Iterating over a slice needs no bounds check.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import gcd

from compiler.check import places
from compiler.check.arithmetic import common_type, mixed_signs
from compiler.check.coercion import widen
from compiler.check.constants import adapt, describe, int_constant, is_plain_int, own_type, u64_constant
from compiler.check.context import FunctionChecker
from compiler.check.flow import Variable, join_all
from compiler.check.statements import forget_assigned, loop_body, new_loop_variable
from compiler.check.values import Abandon, Known, Result, Value, is_reference, value_type
from compiler.language.types import U64, ArrayType, IntType, OptionalType, ResultType, SliceType, Type
from compiler.program import types as value_types
from compiler.program.nodes import (
    Assign,
    Binary,
    BinaryOp,
    Compare,
    CompareOp,
    Constant,
    Element,
    Expression,
    Local,
    Loop,
    Offset,
    Overflow,
    ReadLocal,
    SlotAddress,
    Statement,
    StaticAddress,
    TupleElement,
)


@dataclass(frozen=True)
class Range:
    """Bounds of a range, in the loop variable's type."""

    type: IntType
    start: Expression
    stop: Expression
    step: int


def for_loop(fn: FunctionChecker, node: ast.For) -> None:
    """Choose by what is iterated."""
    forget_assigned(fn, node.body)
    function, arguments = _call_of(fn, node.iter)
    if function is builtins.range:
        _range_loop(fn, node, _range(fn, node.iter, arguments))
    elif function is builtins.reversed:
        _reversed(fn, node, arguments)
    elif function is builtins.enumerate:
        _enumerated(fn, node, arguments)
    else:
        iterated = fn.expression(node.iter)
        _each(fn, node, iterated, node.target, None)


def _call_of(fn: FunctionChecker, tree: ast.expr) -> tuple[object, list[ast.expr]]:
    """The builtin that a call names, and its arguments."""
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.keywords:
        return None, []
    if tree.func.id not in ("range", "reversed", "enumerate", "zip") or tree.func.id in fn.variables:
        return None, []
    if tree.func.id in fn.namespace:
        return fn.namespace[tree.func.id], tree.args
    return getattr(builtins, tree.func.id), tree.args


def _range(fn: FunctionChecker, tree: ast.expr, arguments: Sequence[ast.expr]) -> Range:
    if not 1 <= len(arguments) <= 3:
        fn.fail("E0308", "range() takes one to three numbers", tree)
    step = 1
    if len(arguments) == 3:
        found = fn.expression(arguments[2])
        if not isinstance(found, Known) or not isinstance(found.object, int) or found.object == 0:
            fn.fail("E0307", "the step of a range is a constant other than 0", arguments[2])
        step = int(found.object)
    start_tree = arguments[0] if len(arguments) > 1 else None
    stop_tree = arguments[1] if len(arguments) > 1 else arguments[0]
    start: Result = Known(0) if start_tree is None else fn.expression(start_tree)
    stop = fn.expression(stop_tree)
    kind = _bounds_type(fn, start, stop, start_tree or stop_tree, stop_tree, tree)
    start_node = _bound(fn, start, kind, start_tree or stop_tree)
    return Range(kind, start_node, _bound(fn, stop, kind, stop_tree), step)


def _bounds_type(
    fn: FunctionChecker, start: Result, stop: Result, start_tree: ast.expr, stop_tree: ast.expr, tree: ast.expr
) -> IntType:
    kinds: list[IntType] = []
    for bound, bound_tree in ((start, start_tree), (stop, stop_tree)):
        if is_plain_int(bound):
            continue
        kind = bound.type if isinstance(bound, Value) else own_type(bound) if isinstance(bound, Known) else None
        if not isinstance(kind, IntType):
            message = f"a bound of range() is an integer, `{fn.text(bound_tree)}` is {describe(bound)}"
            fn.fail("E0322", message, bound_tree)
        kinds.append(kind)
    if not kinds:
        return U64
    if len(kinds) == 1:
        return kinds[0]
    common = common_type(kinds[0], kinds[1])
    if common is None:
        mixed_signs(fn, kinds[0], kinds[1], start_tree, stop_tree, tree)
        raise Abandon
    return common


def _bound(fn: FunctionChecker, bound: Result, kind: IntType, tree: ast.expr) -> Expression:
    if isinstance(bound, Known):
        return int_constant(kind, adapt(fn, bound, kind, tree))
    return widen(fn, fn.run_time(bound, tree).node, kind, tree)


def _run(
    fn: FunctionChecker,
    node: ast.For,
    variables: Sequence[Variable],
    test: Expression,
    opening: Callable[[], None],
    step: tuple[Statement, ...],
) -> None:
    """The loop around the body; `opening` emits what stands before it in each round."""
    entry = fn.flow
    fn.flow = entry.copy()
    with fn.block() as first:
        opening()
    body, breaks = loop_body(fn, node.body)
    for variable in variables:
        fn.variables.pop(variable.name, None)  # an inner loop over `_` has ended it already
        fn.ended_loops.add(variable.name)
    fn.flow = entry
    fn.emit(Loop(test, (*first, *body), step, fn.span(node.iter)))
    after = join_all([entry, *breaks])
    after.assigned.difference_update(variables)
    fn.flow = after


def _range_loop(fn: FunctionChecker, node: ast.For, bounds: Range) -> None:
    variable = new_loop_variable(fn, node.target, bounds.type)
    assert variable.local is not None
    held = value_type(bounds.type)
    span = fn.span(node.iter)
    start = bounds.start
    stop = bounds.stop
    if not isinstance(stop, Constant):
        start = fn.hold(start, span) if not isinstance(start, Constant) else start
        stop = fn.hold_always(stop, span)
    fn.emit(Assign(variable.local, start, span))
    read = ReadLocal(variable.local)
    op = CompareOp.LT if bounds.step > 0 else CompareOp.GT
    stepped = Binary(
        BinaryOp.ADD if bounds.step > 0 else BinaryOp.SUB,
        read,
        _step_constant(fn, bounds, node),
        held,
        _step_overflow(bounds, stop),
        span,
    )
    _run(fn, node, [variable], Compare(op, read, stop), lambda: None, (Assign(variable.local, stepped, span),))


def _step_constant(fn: FunctionChecker, bounds: Range, node: ast.For) -> Constant:
    if abs(bounds.step) > bounds.type.highest:
        fn.fail("E0302", f"the step {bounds.step} does not fit in {bounds.type.name}", node.iter)
    return int_constant(bounds.type, abs(bounds.step))


def _step_overflow(bounds: Range, stop: Expression) -> Overflow:
    """The counter cannot pass the type's end by steps of one, nor below a constant stop that leaves room."""
    if abs(bounds.step) == 1:
        return Overflow.PROVEN
    if isinstance(stop, Constant):
        last = stop.value - 1 + bounds.step if bounds.step > 0 else stop.value + 1 + bounds.step
        if bounds.type.lowest <= last <= bounds.type.highest:
            return Overflow.PROVEN
    return Overflow.SATURATE


def _reversed(fn: FunctionChecker, node: ast.For, arguments: Sequence[ast.expr]) -> None:
    if len(arguments) != 1:
        fn.fail("E0308", "reversed() takes one argument", node.iter)
    function, bounds_trees = _call_of(fn, arguments[0])
    if function is not builtins.range:
        iterated = fn.expression(arguments[0])
        _each(fn, node, iterated, node.target, None, backwards=True)
        return
    bounds = _range(fn, arguments[0], bounds_trees)
    if bounds.step != 1:
        fn.fail("E0322", "reversed(range()) takes ranges of step 1", arguments[0], fix="write the range downwards")
    span = fn.span(node.iter)
    held = value_type(bounds.type)
    first = fn.hold_always(bounds.start, span) if not isinstance(bounds.start, Constant) else bounds.start
    counter = fn.temporary(held)
    fn.emit(Assign(counter, bounds.stop, span))
    variable = new_loop_variable(fn, node.target, bounds.type)

    def opening() -> None:
        _count_down(fn, counter, int_constant(bounds.type, 1), node)
        assert variable.local is not None
        fn.emit(Assign(variable.local, ReadLocal(counter), span))

    _run(fn, node, [variable], Compare(CompareOp.GT, ReadLocal(counter), first), opening, ())


def _count_down(fn: FunctionChecker, counter: Local, one: Constant, node: ast.For) -> None:
    span = fn.span(node.iter)
    less = Binary(BinaryOp.SUB, ReadLocal(counter), one, counter.type, Overflow.PROVEN, span)
    fn.emit(Assign(counter, less, span))


def _enumerated(fn: FunctionChecker, node: ast.For, arguments: Sequence[ast.expr]) -> None:
    if len(arguments) != 1:
        fn.fail("E0308", "enumerate() takes one array or slice", node.iter)
    if not isinstance(node.target, ast.Tuple) or len(node.target.elts) != 2:
        fn.fail("E0127", "enumerate() gives an index and an element", node.target, fix="`for i, x in enumerate(xs):`")
    iterated = fn.expression(arguments[0])
    _each(fn, node, iterated, node.target.elts[1], node.target.elts[0])


def _each(
    fn: FunctionChecker,
    node: ast.For,
    iterated: Result,
    target: ast.expr,
    counter_target: ast.expr | None,
    backwards: bool = False,
) -> None:
    """A loop over the elements of an array or slice."""
    value = _iterated(fn, iterated, node)
    kind = value.type
    assert isinstance(kind, ArrayType | SliceType)
    span = fn.span(node.iter)
    if isinstance(kind, ArrayType):
        base: Expression = fn.hold_always(value.node, span) if not _is_fixed(value.node) else value.node
        count: Expression = u64_constant(kind.count)
    else:
        whole = fn.hold_always(value.node, span)
        base = TupleElement(whole, 0, value_types.POINTER)
        count = TupleElement(whole, 1, value_types.U64)
    variables: list[Variable] = []
    if counter_target is not None:
        counter_variable = new_loop_variable(fn, counter_target, U64)
        assert counter_variable.local is not None
        variables.append(counter_variable)
        counter = counter_variable.local
    else:
        counter = fn.temporary(value_types.U64)
    fn.emit(Assign(counter, count if backwards else u64_constant(0), span))
    variable = new_loop_variable(fn, target, kind.element)
    variables.append(variable)
    variable.may_be_local, variable.readonly = value.local, value.readonly
    align = gcd(value.align or kind.element.align, kind.element.size)

    def opening() -> None:
        if backwards:
            _count_down(fn, counter, u64_constant(1), node)
        address = Element(base, ReadLocal(counter), None, kind.element.size, span)
        element = places.load(fn, places.Place(kind.element, address, align, value.local, value.readonly))
        if is_reference(kind.element):
            element = fn.program.rules.coerce(fn, element, kind.element, node.iter)
        assert variable.local is not None
        fn.emit(Assign(variable.local, element.node, fn.span(target)))

    read = ReadLocal(counter)
    if backwards:
        _run(fn, node, variables, Compare(CompareOp.GT, read, u64_constant(0)), opening, ())
        return
    more = Binary(BinaryOp.ADD, read, u64_constant(1), value_types.U64, Overflow.PROVEN, span)
    _run(fn, node, variables, Compare(CompareOp.LT, read, count), opening, (Assign(counter, more, span),))


def _is_fixed(node: Expression) -> bool:
    if isinstance(node, Offset):
        return _is_fixed(node.base)
    return isinstance(node, StaticAddress | SlotAddress)


def _iterated(fn: FunctionChecker, iterated: Result, node: ast.For) -> Value:
    if isinstance(iterated, Known):
        table = "make it a table in the image: `NAME: Array[T] = constant([...])`"
        fn.fail("E0322", f"{describe(iterated)} cannot be iterated in a function", node.iter, fix=table)
    value = fn.run_time(iterated, node.iter)
    kind: Type = value.type
    if not isinstance(kind, ArrayType | SliceType):
        fix: str | None = None
        if isinstance(kind, IntType):
            fix = f"`range({fn.text(node.iter)})`"
        elif isinstance(kind, OptionalType | ResultType):
            fix = "test it first"
        fn.fail("E0322", f"`{fn.text(node.iter)}` is {kind.name}, which cannot be iterated", node.iter, fix=fix)
    return value
