"""Statements: control flow, loops, return, assert, with, expression statements."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from compiler.check import places
from compiler.check.assignments import assign_name, poison
from compiler.check.conditions import Condition, condition
from compiler.check.constants import bool_constant, describe
from compiler.check.context import FunctionChecker, LoopContext
from compiler.check.flow import Flow, Variable, assigned_names, join, join_all
from compiler.check.names import class_lookup
from compiler.check.values import Abandon, Bound, Fresh, Known, Result, Value, by_value_struct, may_refer
from compiler.language.errors import BuildError
from compiler.language.sync import LOCK_RANK
from compiler.language.types import (
    EnumType,
    NeverType,
    OptionalType,
    ResultType,
    StructType,
    Type,
    ValueType,
    VoidType,
)
from compiler.program import types as value_types
from compiler.program.nodes import (
    Break,
    Constant,
    Continue,
    Evaluate,
    Expression,
    If,
    Loop,
    MakeTuple,
    ReadLocal,
    Return,
    SlotAddress,
    Statement,
    Trap,
    TrapKind,
)


def statement_list(fn: FunctionChecker, nodes: Sequence[ast.stmt]) -> None:
    """Check statements one after the other; an error in one does not hide those of the next."""
    for node in nodes:
        rule = fn.program.rules.statements.get(type(node))
        try:
            if node in fn.rejected:
                raise Abandon
            if rule is None:
                fn.fail("E0100", f"{type(node).__name__} is not a statement of the dialect", node)
            rule(fn, node)
        except (Abandon, BuildError) as error:
            if isinstance(error, BuildError):  # the layout of a type that is needed here for the first time
                fn.error("E0306", str(error), node)
            poison(fn, node)
            if isinstance(node, ast.Return | ast.Raise):
                fn.flow = Flow(dead=True)
            elif not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Pass):
                fn.flow_unknown = True


def skip(_fn: FunctionChecker, _node: ast.stmt) -> None:
    """`pass`, and what the subset check reports."""


def expression_statement(fn: FunctionChecker, node: ast.Expr) -> None:
    """A call for its effect; docstrings and `...` are nothing."""
    tree = node.value
    if isinstance(tree, ast.Constant) and (isinstance(tree.value, str) or tree.value is ...):
        return
    result = fn.expression(tree)
    kind = result.type if isinstance(result, Value | Fresh) else None
    if isinstance(kind, ResultType) or (isinstance(kind, EnumType) and kind.is_error):
        fix = f"test it, or discard it: `_ = {fn.text(tree)}`"
        fn.fail("E0312", f"the result, {kind.name}, must not be ignored", node, fix=fix)
    if not isinstance(tree, ast.Call | ast.NamedExpr):
        fn.fail("E0128", f"`{fn.text(tree)}` has no effect", node, fix="assign it or remove it")
    if isinstance(result, Fresh) and result.tag is not None:
        slot = fn.new_slot(_held(result.type))
        fn.emit(Evaluate(result.tag(SlotAddress(slot)), fn.span(node)))
        return
    if isinstance(result, Known):
        return
    evaluate(fn, fn.run_time(result, tree), node)


def _held(kind: Type) -> Type:
    held = by_value_struct(kind)
    assert held is not None
    return held


def evaluate(fn: FunctionChecker, value: Value, node: ast.AST) -> None:
    """Evaluate for effect; statements wrapped in an expression come out again."""
    span = fn.span(node)
    for statement in places.effects(value.node, span):
        fn.emit(statement)
    if isinstance(value.type, NeverType):
        if not fn.flow.dead and not (fn.statements and isinstance(fn.statements[-1], Trap)):
            fn.emit(Trap(TrapKind.UNREACHABLE, span))
        fn.flow = Flow(dead=True)


def if_statement(fn: FunctionChecker, node: ast.If) -> None:
    """`if`; a condition known at build time leaves the other branch unchecked and out of the program."""
    test = condition(fn, node.test)
    if isinstance(test.test, bool):
        fn.flow = test.when_true if test.test else test.when_false
        statement_list(fn, node.body if test.test else node.orelse)
        return
    then, after_then = branch(fn, test.when_true, node.body)
    otherwise, after_otherwise = branch(fn, test.when_false, node.orelse)
    fn.emit(If(test.test, then, otherwise, fn.span(node.test)))
    fn.flow = join(after_then, after_otherwise)


def branch(fn: FunctionChecker, flow: Flow, nodes: Sequence[ast.stmt]) -> tuple[tuple[Statement, ...], Flow]:
    """The statements of a branch that starts with `flow`, and the flow at its end."""
    before = fn.flow
    with fn.block() as block:
        fn.flow = flow
        statement_list(fn, nodes)
        after = fn.flow
    fn.flow = before
    return tuple(block), after


def forget_assigned(fn: FunctionChecker, nodes: Sequence[ast.AST]) -> None:
    """At the head of a loop: what the loop assigns is not narrowed."""
    names = assigned_names(nodes)
    fn.flow = fn.flow.copy()
    for variable in list(fn.flow.narrowed):
        if variable.name in names:
            del fn.flow.narrowed[variable]


def while_loop(fn: FunctionChecker, node: ast.While) -> None:
    """`while condition:`."""
    forget_assigned(fn, [node.test, *node.body])
    test = condition(fn, node.test)
    if test.test is False:
        fn.flow = test.when_false
        return
    fn.flow = test.when_true
    body, breaks = loop_body(fn, node.body)
    fn.flow = test.when_true
    fn.emit(Loop(None if test.test is True else _node(test), body, (), fn.span(node.test)))
    fn.flow = join_all([test.when_false, *breaks])


def _node(test: Condition) -> Expression:
    return bool_constant(test.test) if isinstance(test.test, bool) else test.test


def loop_body(fn: FunctionChecker, nodes: Sequence[ast.stmt]) -> tuple[tuple[Statement, ...], list[Flow]]:
    """The body of a loop and the flows at its breaks."""
    context = LoopContext(len(fn.cleanups))
    fn.loops.append(context)
    outer_dead = fn.flow.dead
    with fn.block() as block:
        fn.flow = fn.flow.copy()
        statement_list(fn, nodes)
    fn.flow.dead = outer_dead
    fn.loops.pop()
    return tuple(block), context.breaks


def break_statement(fn: FunctionChecker, node: ast.Break) -> None:
    """`break`."""
    clean_up(fn, fn.loops[-1].cleanup_count)
    if not fn.flow.dead:
        fn.loops[-1].breaks.append(fn.flow)
    fn.emit(Break(fn.span(node)))
    fn.flow = Flow(dead=True)


def continue_statement(fn: FunctionChecker, node: ast.Continue) -> None:
    """`continue`."""
    clean_up(fn, fn.loops[-1].cleanup_count)
    fn.emit(Continue(fn.span(node)))
    fn.flow = Flow(dead=True)


def clean_up(fn: FunctionChecker, down_to: int) -> None:
    """Leave open `with` blocks, innermost first."""
    for cleanup in reversed(fn.cleanups[down_to:]):
        cleanup()


def return_statement(fn: FunctionChecker, node: ast.Return) -> None:
    """`return value`."""
    wanted = fn.result
    if isinstance(wanted, NeverType):
        fn.fail("E0405", "a function of type NoReturn does not return", node)
    if node.value is None:
        if not isinstance(wanted, VoidType) and not _none_is_result(wanted):
            fn.fail("E0405", f"`return` without a value in a function that gives {wanted.name}", node)
        value: Expression | None = None
        if not isinstance(wanted, VoidType):
            value = fn.program.rules.coerce(fn, Known(None), wanted, ast.copy_location(ast.Constant(None), node)).node
    else:
        value = _returned(fn, node.value, wanted)
    span = fn.span(node)
    if fn.cleanups and value is not None:
        value = fn.hold_always(value, span)
    clean_up(fn, 0)
    fn.emit(Return(value, span))
    fn.flow = Flow(dead=True)


def _none_is_result(kind: Type) -> bool:
    return isinstance(kind, OptionalType) or (isinstance(kind, ResultType) and isinstance(kind.element, VoidType))


def _returned(fn: FunctionChecker, tree: ast.expr, wanted: Type) -> Expression | None:
    if isinstance(wanted, VoidType):
        result = fn.expression(tree)
        if isinstance(result, Value) and isinstance(result.type, VoidType | NeverType):
            evaluate(fn, result, tree)
            return None
        if isinstance(result, Known) and result.object is None:
            return None
        fix = "annotate the function's result: `-> T`"
        fn.fail("E0405", f"the function gives None, `{fn.text(tree)}` is {describe(result)}", tree, fix=fix)
    result = fn.expression(tree, wanted)
    if by_value_struct(wanted) is not None:
        return _return_by_value(fn, result, tree, wanted)
    value = fn.program.rules.coerce(fn, result, wanted, tree)
    if value.local and may_refer(value.type):
        _escapes(fn, tree, wanted)
    variable = fn.variables.get(tree.id) if isinstance(tree, ast.Name) else None
    narrowed = fn.flow.narrowed.get(variable) if variable is not None else None
    if variable is not None and may_refer(narrowed or value.type):
        fn.kept_references.append((variable, tree))
    return value.node


def _escapes(fn: FunctionChecker, tree: ast.expr, wanted: Type) -> None:
    fix = "return it by value: `-> Value[T]`" if isinstance(wanted, StructType) else "let the caller give the memory"
    fn.fail("E0504", f"`{fn.text(tree)}` may be on this function's stack, which ends here", tree, fix=fix)


def check_kept(fn: FunctionChecker) -> None:
    """At the end of a function: locals returned or stored earlier that turned out to point into its stack."""
    for variable, tree in fn.kept_references:
        if variable.may_be_local:
            try:
                _escapes(fn, tree, variable.type)
            except Abandon:
                continue


def _return_by_value(fn: FunctionChecker, result: Result, tree: ast.expr, wanted: Type) -> Expression | None:
    """A struct result: built or copied to the result pointer; the value is the tag, if there is one."""
    struct = by_value_struct(wanted)
    assert struct is not None
    assert fn.result_address is not None
    address = ReadLocal(fn.result_address)
    if isinstance(result, Fresh) and result.tag is not None:
        if result.type != wanted:
            fn.program.rules.coerce(fn, result, wanted, tree)
        return result.tag(address)
    if isinstance(result, Fresh) and result.type == struct:
        for statement in result.build(address):
            fn.emit(statement)
        return success_tag(wanted)
    found = result.type if isinstance(result, Value) else None
    if found == wanted:
        variable = fn.variables.get(tree.id) if isinstance(tree, ast.Name) else None
        if variable is not None and variable.slot is not None:
            fn.emit(places.copy_memory(address, SlotAddress(variable.slot), struct, struct.align, fn.span(tree)))
            assert isinstance(result, Value)
            return result.node
    if isinstance(result, Value) and isinstance(found, StructType) and found == struct:
        align = min(result.align, struct.align)
        fn.emit(places.copy_memory(address, result.node, struct, align, fn.span(tree)))
        return success_tag(wanted)
    return _failure(fn, result, tree, wanted)


def _failure(fn: FunctionChecker, result: Result, tree: ast.expr, wanted: Type) -> Expression:
    if isinstance(wanted, ValueType):
        fn.program.rules.coerce(fn, result, wanted.element, tree)
        raise Abandon
    if isinstance(wanted, OptionalType) and isinstance(result, Known | Value):
        is_none = (isinstance(result, Known) and result.object is None) or (
            isinstance(result, Value) and isinstance(result.type, VoidType)
        )
        if is_none:
            return MakeTuple((bool_constant(False),), value_types.Tuple((value_types.BOOL,)))
    assert isinstance(wanted, OptionalType | ResultType)
    if isinstance(wanted, ResultType) and isinstance(result, Known | Value):
        error = fn.run_time(result, tree)
        if error.type == wanted.error:
            return MakeTuple((error.node,), value_types.Tuple((value_types.I32,)))
    fn.fail("E0301", f"expected {wanted.name}, found {describe(result)}", tree)


def success_tag(kind: Type) -> Expression | None:
    """The tag of a by-value result that is there."""
    if isinstance(kind, OptionalType):
        return MakeTuple((bool_constant(True),), value_types.Tuple((value_types.BOOL,)))
    if isinstance(kind, ResultType):
        return MakeTuple((Constant(value_types.I32, 0),), value_types.Tuple((value_types.I32,)))
    return None


def assert_statement(fn: FunctionChecker, node: ast.Assert) -> None:
    """`assert condition, "message"`."""
    message = ""
    if node.msg is not None:
        found = fn.expression(node.msg)
        if not isinstance(found, Known) or not isinstance(found.object, str):
            fn.fail("E0307", "the message of an assertion is a literal", node.msg)
        message = found.object
    test = condition(fn, node.test)
    span = fn.span(node)
    if test.test is True:
        return
    trap = Trap(TrapKind.ASSERT, span, message)
    if isinstance(test.test, bool):
        fn.emit(trap)
        fn.flow = Flow(dead=True)
        return
    fn.emit(If(test.test, (), (trap,), span))
    fn.flow = test.when_true


def with_statement(fn: FunctionChecker, node: ast.With) -> None:
    """`with lock:`: `__enter__`, the body, `__exit__` on every way out."""
    _with_items(fn, list(node.items), node)


def _with_items(fn: FunctionChecker, items: list[ast.withitem], node: ast.With) -> None:
    if not items:
        statement_list(fn, node.body)
        return
    item = items[0]
    tree = item.context_expr
    manager = fn.value(tree)
    enter, leave = (class_lookup(getattr(manager.type, "cls", object), name) for name in ("__enter__", "__exit__"))
    if not isinstance(manager.type, StructType) or enter is None or leave is None:
        message = f"`with` needs a struct with `__enter__` and `__exit__`, `{fn.text(tree)}` is {manager.type.name}"
        fn.fail("E0407", message, tree)
    held = Value(manager.type, fn.hold(manager.node, fn.span(tree)), manager.align, manager.local)
    call = fn.program.rules.call_bound
    entered = call(fn, Bound(held, "__enter__", enter), [], tree)
    if item.optional_vars is None:
        evaluate(fn, fn.run_time(entered, tree), tree)
    else:
        if not isinstance(item.optional_vars, ast.Name):
            fn.fail("E0127", "`as` takes a name", item.optional_vars)
        assign_name(fn, item.optional_vars, entered, tree, None)

    def cleanup() -> None:
        evaluate(fn, fn.run_time(call(fn, Bound(held, "__exit__", leave), [], tree), tree), tree)

    fn.cleanups.append(cleanup)
    try:
        _with_items(fn, items[1:], node)
    finally:
        fn.cleanups.pop()
    if not fn.flow.dead:
        cleanup()


def lock_of(cls: type | None) -> tuple[str, int] | None:
    """Name and rank of a ranked lock class."""
    rank = getattr(cls, LOCK_RANK, None)
    return None if cls is None or rank is None else (f"{cls.__module__}.{cls.__qualname__}", rank)


def new_loop_variable(fn: FunctionChecker, target: ast.expr, kind: Type) -> Variable:
    """The variable of a `for`: its own in each loop, fixed inside it, gone after it."""
    if not isinstance(target, ast.Name):
        fn.fail("E0127", "a loop has one variable, or two with enumerate()", target)
    existing = fn.variables.get(target.id)
    if existing is not None and target.id != "_":
        what = existing.fixed or "variable"
        message = f"`{target.id}` is already a {what} of this function"
        fn.fail("E0403", message, target, fix="give the loop variable another name")
    variable = Variable(target.id, kind, fn.span(target), fixed="loop variable")
    variable.local = fn.new_local(target.id, kind)
    fn.variables[target.id] = variable
    fn.flow.assigned.add(variable)
    return variable
