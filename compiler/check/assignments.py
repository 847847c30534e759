"""Assignments: to locals, to places, to several targets, augmented; the rules of fresh structs and references."""

from __future__ import annotations

import ast
from typing import Any

from compiler.check import places
from compiler.check.arithmetic import operate
from compiler.check.constants import default_constant, describe, own_type
from compiler.check.context import FunctionChecker
from compiler.check.expressions import element_place
from compiler.check.flow import ERROR, Variable
from compiler.check.names import pointer_place, read_variable, value_attribute, variable_value
from compiler.check.places import Place
from compiler.check.values import (
    Abandon,
    Bound,
    Fresh,
    Known,
    Result,
    Value,
    class_of,
    is_reference,
    may_refer,
    value_type,
)
from compiler.language.structs import ArrayValue
from compiler.language.types import (
    ArrayType,
    AtomicType,
    IntType,
    NeverType,
    OptionalType,
    PtrType,
    ResultType,
    StructType,
    TupleType,
    Type,
    ValueType,
    VoidType,
)
from compiler.program.nodes import Assign, Evaluate, Expression, MakeTuple, Sequence, SlotAddress, Span, TupleElement
from compiler.syntax.diagnostics import Note


def assign(fn: FunctionChecker, node: ast.Assign) -> None:
    """`target = value`, `a = b = value` is not supported, `a, b = values`."""
    if len(node.targets) != 1:
        fn.fail("E0127", "one target at a time", node, fix="write two assignments")
    target = node.targets[0]
    if isinstance(target, ast.Tuple):
        _unpack(fn, target, node.value)
    elif isinstance(target, ast.Name):
        declared = fn.variables.get(target.id)
        hint = declared.type if declared is not None and declared.type is not ERROR else None
        result = fn.expression(node.value, hint)
        assign_name(fn, target, result, node.value, None)
    else:
        place = _writable(fn, target)
        store_result(fn, place, fn.expression(node.value, place.type), target, node.value)


def assign_annotated(fn: FunctionChecker, node: ast.AnnAssign) -> None:
    """`name: type = value`, or a declaration without value."""
    if not isinstance(node.target, ast.Name):
        fn.fail("E0127", "only names are annotated in a function", node.target)
    target = node.target
    annotation = fn.program.annotations.evaluate(fn, node.annotation)
    if node.value is None:
        kind = fn.program.annotations.type_of(fn, annotation, node.annotation)
        if target.id not in fn.variables:
            _declare(fn, target, kind)
        return
    value = fn.expression(node.value, fn.program.annotations.hint(fn, annotation))
    array = value.object if isinstance(value, Known) and isinstance(value.object, ArrayValue) else None
    kind = fn.program.annotations.type_of(fn, annotation, node.annotation, array)
    if array is not None:
        value = fresh_array(fn, kind, node.value)
    assign_name(fn, target, value, node.value, kind)


def fresh_array(fn: FunctionChecker, kind: Type, tree: ast.expr) -> Fresh:
    """A zero-filled array."""
    span = fn.span(tree)
    return Fresh(kind, lambda address: (places.fill_zero(address, kind, kind.align, span),))


def walrus(fn: FunctionChecker, node: ast.NamedExpr, expected: Type | None) -> Result:
    """`name := value`."""
    result = fn.expression(node.value, expected)
    with fn.block() as block:
        assign_name(fn, node.target, result, node.value, None)
    variable = fn.variables[node.target.id]
    value = variable_value(variable)
    if not block:
        return value
    return Value(value.type, Sequence(tuple(block), value.node), value.align, value.local, value.readonly)


def assign_name(fn: FunctionChecker, target: ast.Name, result: Result, tree: ast.expr, kind: Type | None) -> None:
    """Bind a local to a result; the first assignment declares it."""
    if target.id == "_" and kind is None:
        _discard(fn, result, tree)
        return
    variable = fn.variables.get(target.id)
    if variable is None:
        variable = _first_assignment(fn, target, result, tree, kind)
    else:
        _check_assignable(fn, variable, target)
        if kind is not None and kind != variable.type:
            _another_type(fn, variable, kind, target)
        _rebind(fn, variable, result, tree)
    fn.flow.assigned.add(variable)
    fn.flow.narrowed.pop(variable, None)
    _narrow_assigned(fn, variable, result)


def _narrow_assigned(fn: FunctionChecker, variable: Variable, result: Result) -> None:
    """After an assignment of a value that is there, of None, or of an error, the local is known to be that."""
    kind = variable.type
    if not isinstance(kind, OptionalType | ResultType) or isinstance(kind.element, ValueType):
        return
    found = result.type if isinstance(result, Value) else own_type(result) if isinstance(result, Known) else None
    if isinstance(found, OptionalType | ResultType):
        return
    if isinstance(found, VoidType):
        fn.flow.narrowed[variable] = found
    elif isinstance(kind, ResultType) and found == kind.error:
        fn.flow.narrowed[variable] = kind.error
    else:
        fn.flow.narrowed[variable] = kind.element


def _discard(fn: FunctionChecker, result: Result, tree: ast.expr) -> None:
    if isinstance(result, Fresh) and result.tag is not None:
        slot = fn.new_slot(_held_struct(result.type))
        fn.emit(Evaluate(result.tag(SlotAddress(slot)), fn.span(tree)))
    elif not isinstance(result, Known):
        fn.emit(Evaluate(fn.run_time(result, tree).node, fn.span(tree)))


def _held_struct(kind: Type) -> Type:
    assert isinstance(kind, OptionalType | ResultType)
    assert isinstance(kind.element, ValueType)
    return kind.element.element


def _check_assignable(fn: FunctionChecker, variable: Variable, target: ast.Name) -> None:
    if variable.type is ERROR:
        raise Abandon
    if variable.fixed:
        fn.fail(
            "E0403", f"`{variable.name}` is a {variable.fixed} and cannot be assigned", target, fix="use another name"
        )


def _another_type(fn: FunctionChecker, variable: Variable, kind: Type, tree: ast.AST) -> None:
    note = Note(f"it has type {variable.type.name} from here on", variable.span)
    message = f"`{variable.name}` is {variable.type.name} in this function and cannot become {kind.name}"
    fn.fail("E0402", message, tree, notes=[note], fix="use another name")


def _declare(fn: FunctionChecker, target: ast.Name, kind: Type) -> Variable:
    if isinstance(kind, VoidType | NeverType):
        fn.fail("E0326", f"`{target.id}` cannot be of type {kind.name}", target)
    variable = Variable(target.id, kind, fn.span(target))
    if not isinstance(kind, StructType | ArrayType):
        variable.local = fn.new_local(target.id, kind)
    fn.variables[target.id] = variable
    return variable


def _first_assignment(
    fn: FunctionChecker, target: ast.Name, result: Result, tree: ast.expr, kind: Type | None
) -> Variable:
    if isinstance(result, Fresh):
        return _first_fresh(fn, target, result, tree, kind)
    value = fn.program.rules.coerce(fn, result, kind, tree) if kind is not None else _inferred(fn, result, tree)
    if isinstance(value.type, VoidType):
        fix = f"annotate it: `{target.id}: T | None = None`" if isinstance(result, Known) else "call it as a statement"
        fn.fail("E0326", f"`{fn.text(tree)}` gives no value to assign to `{target.id}`", tree, fix=fix)
    variable = _declare(fn, target, value.type)
    if variable.local is None:
        variable.local = fn.new_local(target.id, value.type)
    _bind_value(fn, variable, value, tree)
    return variable


def _inferred(fn: FunctionChecker, result: Result, tree: ast.expr) -> Value:
    if isinstance(result, Known):
        if isinstance(result.object, ArrayValue):
            fix = f"annotate it: `name: Array[u8] = {fn.text(tree)}`"
            fn.fail("E0306", "the element type of the array is not known", tree, fix=fix)
        return default_constant(fn, result, tree)
    return fn.run_time(result, tree)


def _first_fresh(fn: FunctionChecker, target: ast.Name, fresh: Fresh, tree: ast.expr, kind: Type | None) -> Variable:
    if kind is not None and kind != fresh.type and not _same_by_value(kind, fresh.type):
        if fresh.tag is None:
            value = fn.program.rules.coerce(fn, fresh, kind, tree)
            variable = _declare(fn, target, value.type)
            _bind_value(fn, variable, value, tree)
            return variable
        fn.fail("E0301", f"expected {kind.name}, found {fresh.type.name}", tree)
    variable = Variable(target.id, fresh.type, fn.span(target))
    if fresh.tag is None:
        variable.slot = fn.new_slot(fresh.type, target.id)
        for statement in fresh.build(SlotAddress(variable.slot)):
            fn.emit(statement)
    else:
        variable.slot = fn.new_slot(_held_struct(fresh.type), target.id)
        variable.local = fn.new_local(target.id, fresh.type)
        fn.emit(Assign(variable.local, fresh.tag(SlotAddress(variable.slot)), fn.span(tree)))
    variable.may_be_local = True
    fn.variables[target.id] = variable
    return variable


def _same_by_value(kind: Type, fresh: Type) -> bool:
    """`T | None` written for a result of `Value[T] | None`."""
    if isinstance(kind, OptionalType) and isinstance(fresh, OptionalType) and isinstance(fresh.element, ValueType):
        return kind.element == fresh.element.element
    if isinstance(kind, ResultType) and isinstance(fresh, ResultType) and isinstance(fresh.element, ValueType):
        return kind.error == fresh.error and kind.element == fresh.element.element
    return False


def _bind_value(fn: FunctionChecker, variable: Variable, value: Value, tree: ast.expr) -> None:
    if value.slot is not None and is_reference(value.type):
        name = fn.text(tree)
        fn.fail(
            "E0503",
            f"`{name}` is a struct of its own here; a second name for it is not supported",
            tree,
            fix=f"`copy({name})`",
        )
    if is_reference(value.type) and value.align < value.type.align:
        fn.program.rules.coerce(fn, value, value.type, tree)
    assert variable.local is not None
    variable.may_be_local = variable.may_be_local or (value.local and may_refer(value.type))
    variable.readonly = variable.readonly or value.readonly
    fn.emit(Assign(variable.local, value.node, fn.span(tree)))


def _rebind(fn: FunctionChecker, variable: Variable, result: Result, tree: ast.expr) -> None:
    if isinstance(result, Fresh) and result.tag is not None:
        _rebind_tagged(fn, variable, result, tree)
        return
    if variable.slot is not None and variable.local is None:
        if not isinstance(result, Fresh) or result.type != variable.type:
            if isinstance(result, Value) and result.type == variable.type:
                message = f"`{variable.name}` holds a struct of its own and can only take a fresh one"
                fn.fail("E0505", message, tree, fix=f"`copy({fn.text(tree)})`")
            fn.program.rules.coerce(fn, result, variable.type, tree)
            fn.fail("E0505", f"`{variable.name}` can only take a fresh {variable.type.name}", tree)
        if variable not in fn.flow.assigned and not _mentions(tree, variable.name):
            for statement in result.build(SlotAddress(variable.slot)):
                fn.emit(statement)
            return
        place = Place(variable.type, SlotAddress(variable.slot), variable.type.align)
        places.store_fresh(fn, place, result, tree)
        return
    if isinstance(result, Fresh) and is_reference(variable.type):
        if variable.local is None:
            variable.slot = fn.new_slot(result.type, variable.name)
            _rebind(fn, variable, result, tree)
            return
        message = f"`{variable.name}` refers to a {variable.type.name} elsewhere and cannot take a fresh one"
        fn.fail("E0505", message, tree, fix="use another name")
    if variable.local is None:
        variable.local = fn.new_local(variable.name, variable.type)
    if isinstance(variable.type, OptionalType | ResultType) and isinstance(variable.type.element, ValueType):
        _rebind_outcome(fn, variable, result, tree)
        return
    found = _result_type(result)
    if found is not None and isinstance(result, Value) and not _convertible(found, variable.type):
        _another_type(fn, variable, found, tree)
    _bind_value(fn, variable, fn.program.rules.coerce(fn, result, variable.type, tree), tree)


def _result_type(result: Result) -> Type | None:
    return result.type if isinstance(result, Value) else None


def _convertible(found: Type, wanted: Type) -> bool:
    return found == wanted or isinstance(wanted, OptionalType | ResultType | IntType) or type(found) is not type(wanted)


def _mentions(tree: ast.expr, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree))


def _rebind_tagged(fn: FunctionChecker, variable: Variable, fresh: Fresh, tree: ast.expr) -> None:
    if fresh.type != variable.type or variable.slot is None or variable.local is None or fresh.tag is None:
        _another_type(fn, variable, fresh.type, tree)
        return
    span = fn.span(tree)
    if variable in fn.flow.assigned and _mentions(tree, variable.name):
        other = SlotAddress(fn.new_slot(_held_struct(fresh.type)))
        fn.emit(Assign(variable.local, fresh.tag(other), span))
        kind = _held_struct(fresh.type)
        fn.emit(places.copy_memory(SlotAddress(variable.slot), other, kind, kind.align, span))
        return
    fn.emit(Assign(variable.local, fresh.tag(SlotAddress(variable.slot)), span))


def _rebind_outcome(fn: FunctionChecker, variable: Variable, result: Result, tree: ast.expr) -> None:
    message = f"`{variable.name}` is {variable.type.name} and can only take the result of such a call"
    fn.fail("E0505", message, tree, fix=f"use another name; found {describe(result)}")


def _writable(fn: FunctionChecker, target: ast.expr) -> Place:
    """The place that a plain assignment writes."""
    place = target_place(fn, target)
    if place.readonly:
        fix = "declare the table with `static(...)`"
        fn.fail("E0507", f"`{fn.text(target)}` is part of a read-only table", target, fix=fix)
    if isinstance(place.type, AtomicType):
        text = fn.text(target)
        fix = f"`{text}.store(...)`, or `{text}.fetch_add(...)` and its kin"
        fn.fail("E0511", f"`{text}` is atomic and is written by its methods only", target, fix=fix)
    return place


def store_result(fn: FunctionChecker, place: Place, result: Result, target: ast.expr, tree: ast.expr) -> None:
    """Store a result at a place, with the rules of structs and of memory that ends with the function."""
    if is_reference(place.type):
        _store_struct(fn, place, result, target, tree)
        return
    value = fn.program.rules.coerce(fn, result, place.type, tree)
    if value.local and may_refer(value.type):
        message = f"`{fn.text(tree)}` may point into this function's stack, which ends before `{fn.text(target)}` does"
        fn.fail("E0504", message, tree, fix="point to a static object or a field reached through a parameter")
    if isinstance(tree, ast.Name) and tree.id in fn.variables and may_refer(value.type):
        fn.kept_references.append((fn.variables[tree.id], tree))
    for statement in places.store(fn, place, value, fn.span(target, tree)):
        fn.emit(statement)


def _store_struct(fn: FunctionChecker, place: Place, result: Result, target: ast.expr, tree: ast.expr) -> None:
    if isinstance(result, Known) and isinstance(result.object, ArrayValue):
        result = fresh_array(fn, place.type, tree)
    found = result.type if isinstance(result, Value | Fresh) else None
    if found != place.type:
        fn.program.rules.coerce(fn, result, place.type, tree)
    if isinstance(result, Fresh):
        places.store_fresh(fn, place, result, tree)
        return
    message = f"storing `{fn.text(tree)}` in `{fn.text(target)}` would copy it, which Python does not do"
    fn.fail("E0502", message, tree, fix=f"`copy({fn.text(tree)})` to copy, or keep a `Ptr[{place.type.name}]`")


def target_place(fn: FunctionChecker, target: ast.expr) -> Place:
    """The place that an assignment writes."""
    if isinstance(target, ast.Attribute):
        base = fn.expression(target.value)
        if isinstance(base, Known):
            fix = "make it a static object: `name: T = static(...)`"
            fn.fail("E0510", f"`{fn.text(target.value)}` is an object of build time and cannot change", target, fix=fix)
        value = fn.run_time(base, target.value)
        if isinstance(value.type, StructType):
            field = value.type.fields.get(target.attr)
            if field is not None:
                return places.field_place(value, field)
        if isinstance(value.type, PtrType) and target.attr == "value":
            return pointer_place(value)
        if isinstance(value.type, OptionalType | ResultType | StructType):
            value_attribute(fn, value, target)
        message = f"`{target.attr}` of {value.type.name} cannot be assigned"
        hint = "`.replace(...)` gives a changed word" if hasattr(value.type, "fields") else None
        fn.fail("E0510", message, target, fix=hint)
    if isinstance(target, ast.Subscript):
        base = fn.expression(target.value)
        if isinstance(base, Bound):
            fn.fail("E0510", f"`{fn.text(target)}` cannot be assigned", target, fix="`.write(value)`")
        if isinstance(target.slice, ast.Slice):
            fn.fail("E0127", "a slice cannot be assigned", target, fix="copy the elements in a loop")
        if isinstance(base, Known):
            fix = "make it a static object: `name: Array[T] = static(array(n))`"
            fn.fail("E0510", f"`{fn.text(target.value)}` is an object of build time and cannot change", target, fix=fix)
        return element_place(fn, fn.run_time(base, target.value), target)
    return fn.fail("E0127", f"`{fn.text(target)}` cannot be assigned", target)


def _unpack(fn: FunctionChecker, target: ast.Tuple, tree: ast.expr) -> None:
    result = fn.expression(tree)
    known: Any = result.object if isinstance(result, Known) else None
    if class_of(known) is tuple:
        parts: list[Result] = [Known(item) for item in known]
    else:
        value = fn.run_time(result, tree)
        if not isinstance(value.type, TupleType):
            fn.fail("E0301", f"`{fn.text(tree)}` is {value.type.name}, not a tuple", tree)
        node: Expression = value.node
        if isinstance(node, MakeTuple):
            held = [fn.hold_always(part, fn.span(tree)) for part in node.elements]
        else:
            whole = fn.hold_always(node, fn.span(tree))
            held = [TupleElement(whole, i, value_type(kind)) for i, kind in enumerate(value.type.elements)]
        parts = [
            Value(kind, part, kind.align if is_reference(kind) else 0, value.local)
            for part, kind in zip(held, value.type.elements, strict=True)
        ]
    if len(parts) != len(target.elts):
        fn.fail("E0301", f"{len(parts)} values for {len(target.elts)} targets", tree)
    for item, part in zip(target.elts, parts, strict=True):
        if isinstance(item, ast.Name):
            assign_name(fn, item, part, tree, None)
        else:
            store_result(fn, _writable(fn, item), part, item, tree)


def assign_augmented(fn: FunctionChecker, node: ast.AugAssign) -> None:
    """`target op= value`."""
    if isinstance(node.target, ast.Name):
        variable = fn.variables.get(node.target.id)
        if variable is None:
            fn.expression(ast.copy_location(ast.Name(node.target.id, ast.Load()), node.target))
            fn.fail("E0127", f"`{node.target.id}` is not a local and cannot be assigned", node.target)
        _check_assignable(fn, variable, node.target)
        left = read_variable(fn, variable, node.target)
        hint = left.type if isinstance(left, Value) else None
        right = fn.expression(node.value, None if isinstance(node.op, ast.LShift | ast.RShift) else hint)
        result = operate(fn, node.op, left, right, node, hint)
        assign_name(fn, node.target, result, node.value, None)
        return
    place = _writable(fn, node.target)
    held = Place(place.type, fn.hold(place.address, fn.span(node.target)), place.align)
    left = places.load(fn, held)
    right = fn.expression(node.value, None if isinstance(node.op, ast.LShift | ast.RShift) else left.type)
    result = operate(fn, node.op, left, right, node, left.type)
    value = fn.program.rules.coerce(fn, result, place.type, node.value)
    for statement in places.store(fn, held, value, fn.span(node)):
        fn.emit(statement)


def poison(fn: FunctionChecker, node: ast.stmt) -> None:
    """After an error: names that the statement would have declared are known but wrong, without further errors."""
    for item in ast.walk(node):
        if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store):
            _poison_name(fn, item.id, fn.span(item))
        elif isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            _poison_name(fn, item.name, fn.span(item))
        elif isinstance(item, ast.alias):
            _poison_name(fn, (item.asname or item.name).partition(".")[0], fn.span(item))
        elif isinstance(item, ast.MatchAs) and item.name is not None:
            _poison_name(fn, item.name, fn.span(item))


def _poison_name(fn: FunctionChecker, name: str, span: Span) -> None:
    variable = fn.variables.get(name)
    if variable is None:
        fn.variables[name] = Variable(name, ERROR, span)
    else:
        fn.flow.assigned.add(variable)
