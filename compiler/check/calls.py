"""Calls: of functions, methods, constructors and conversions; binding of arguments; specialisation.

What `f(...)` does depends on what `f` is at build time: a function of the language has a rule of its own, a class makes
or converts a value, a dialect function is called; other Python functions do not exist at run time.
"""

from __future__ import annotations

import ast
import types as python_types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from compiler.check.annotations import Declared, Parameter, has_variables, substitute
from compiler.check.constants import describe, own_type
from compiler.check.context import FunctionChecker
from compiler.check.values import (
    Abandon,
    Bound,
    Fresh,
    Known,
    Result,
    Value,
    by_value_struct,
    is_reference,
    is_simple,
    may_refer,
)
from compiler.language.addresses import Distinct
from compiler.language.types import (
    U64,
    ClassType,
    ConstType,
    FunctionType,
    OptionalType,
    PtrType,
    ResultType,
    SliceType,
    Type,
    TypeVariable,
    ValueType,
    type_of,
)
from compiler.program.nodes import Assign, Call, Constant, Evaluate, Expression, ReadLocal, Statement
from compiler.program.nodes import Sequence as SequenceNode
from compiler.program.program import Function


@dataclass(frozen=True)
class Argument:
    """An argument of a call: its tree and, for the receiver of a method, what it already is."""

    tree: ast.expr
    result: Result | None = None


def call(fn: FunctionChecker, node: ast.Call, expected: Type | None) -> Result:
    """`callee(arguments)`."""
    callee = fn.expression(node.func)
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            fn.fail("E0125", "arguments cannot be unpacked from a sequence", argument, fix="write each argument")
    for keyword in node.keywords:
        if keyword.arg is None:
            fn.fail("E0125", "arguments cannot be unpacked from a dict", keyword, fix="write each argument")
    return call_result(fn, callee, node, expected)


def call_result(fn: FunctionChecker, callee: Result, node: ast.Call, expected: Type | None) -> Result:
    """The call of something already checked."""
    intrinsics = fn.program.intrinsics
    if isinstance(callee, Bound):
        rule = intrinsics.method(callee)
        if rule is not None:
            return rule(fn, callee, node, expected)
        if callee.function is None:
            fn.fail("E0310", f"`{fn.text(node.func)}` cannot be called", node.func)
        return call_method(fn, callee, node)
    if not isinstance(callee, Known):
        fn.fail("E0310", f"`{fn.text(node.func)}` is {describe(callee)} and cannot be called", node.func)
    found = callee.object
    rule_of_function = intrinsics.find(found)
    if rule_of_function is not None:
        return rule_of_function(fn, node, expected)
    if isinstance(found, python_types.MethodType):
        return _method_of_object(fn, found, node, expected)
    if isinstance(found, python_types.FunctionType):
        if fn.program.is_dialect(found):
            return call_function(fn, found, None, [Argument(tree) for tree in node.args], node)
        message = f"`{fn.text(node.func)}` is a function of Python's library, which does not exist at run time"
        fn.fail("E0121", message, node.func, fix="call it at module level, or write it in the dialect")
    made = intrinsics.construct(fn, callee, node, expected)
    if made is not None:
        return made
    return _known_call(fn, callee, node)


def _method_of_object(
    fn: FunctionChecker, found: python_types.MethodType, node: ast.Call, expected: Type | None
) -> Result:
    """A method of a class or of a build-time object."""
    function: Any = found.__func__
    receiver = Known(found.__self__)
    rule = fn.program.intrinsics.method(Bound(receiver, function.__name__, function))
    if rule is not None:
        folded = _folded(fn, found, node)
        return folded or rule(fn, Bound(receiver, function.__name__, function), node, expected)
    if not isinstance(function, python_types.FunctionType) or not fn.program.is_dialect(function):
        return _known_call(fn, Known(found), node)
    arguments = [Argument(node.func, receiver), *(Argument(tree) for tree in node.args)]
    return call_function(fn, function, None, arguments, node)


def _folded(fn: FunctionChecker, found: python_types.MethodType, node: ast.Call) -> Known | None:
    """`BASE.align_up(SIZE)`: a method of the language on a build-time number, with build-time arguments."""
    if not isinstance(found.__self__, Distinct) or node.keywords:
        return None
    values = [fn.expression(tree) for tree in node.args]
    if not all(isinstance(value, Known) for value in values):
        return None
    try:
        return Known(found(*(value.object for value in values if isinstance(value, Known))))
    except Exception as error:
        return fn.fail("E0316", f"`{ast.unparse(node)}` fails: {error}", node)


def _known_call(fn: FunctionChecker, callee: Known, node: ast.Call) -> Result:
    found = callee.object
    if not callable(found):
        fn.fail("E0310", f"`{fn.text(node.func)}` is {describe(callee)} and cannot be called", node.func)
    message = f"`{fn.text(node.func)}` is of Python's library, which does not exist at run time"
    return fn.fail("E0121", message, node.func, fix="compute the value at module level")


def call_method(fn: FunctionChecker, callee: Bound, node: ast.Call) -> Result:
    """A method with its receiver."""
    arguments = [Argument(tree) for tree in node.args]
    receiver = node.func.value if isinstance(node.func, ast.Attribute) else node.func
    if isinstance(callee.owner, staticmethod):
        return call_function(fn, callee.function, None, arguments, node)
    return call_function(
        fn, callee.function, _receiver_type(callee), [Argument(receiver, callee.receiver), *arguments], node
    )


def _receiver_type(callee: Bound) -> Type | None:
    if isinstance(callee.receiver, Value):
        return callee.receiver.type
    return own_type(callee.receiver)


def call_bound(fn: FunctionChecker, callee: Bound, arguments: list[ast.expr], tree: ast.expr) -> Result:
    """A call that the source does not write as one, such as `__enter__`."""
    node = ast.copy_location(ast.Call(tree, arguments, []), tree)
    receiver = Argument(tree, callee.receiver)
    listed = [receiver, *(Argument(item) for item in arguments)]
    return call_function(fn, callee.function, _receiver_type(callee), listed, node)


def owner_type(fn: FunctionChecker, function: python_types.FunctionType, receiver: Type | None) -> Type | None:
    """The type of `self` in a method: the class that defines it."""
    cls = getattr(receiver, "cls", None)
    if cls is None:
        return None
    for base in cls.__mro__:
        if base.__dict__.get(function.__name__) is function:
            return type_of(base)
    return receiver


def call_function(
    fn: FunctionChecker,
    function: python_types.FunctionType,
    receiver: Type | None,
    arguments: Sequence[Argument],
    node: ast.Call,
) -> Result:
    """A call of a dialect function with arguments bound to its parameters."""
    declared = fn.program.declared(function, owner_type(fn, function, receiver))
    if declared is None:
        for argument in arguments:
            if argument.result is None:
                fn.expression(argument.tree)
        raise Abandon
    bindings: dict[Any, Type] = {}
    constants: dict[str, Known] = {}
    values, prelude = bind_values(fn, function, declared, arguments, node, bindings, constants)
    if has_variables(substitute(declared.result, bindings)):
        fn.fail("E0314", f"the result type {declared.result.name} does not follow from the arguments", node)
    target = fn.program.request(function, owner_type(fn, function, receiver), bindings, constants)
    if target is None:
        raise Abandon
    return _call_node(fn, target, values, prelude, node)


def bind_values(
    fn: FunctionChecker,
    function: python_types.FunctionType,
    declared: Declared,
    arguments: Sequence[Argument],
    node: ast.Call,
    bindings: dict[Any, Type],
    constants: dict[str, Known],
) -> tuple[list[Value], tuple[Statement, ...]]:
    """Run-time arguments in the order of the parameters, and what is evaluated before them.

    Fills in what TypeVars and compile-time parameters stand for.
    """
    bound, in_order = _bind(fn, function, declared, arguments, node)
    values: list[tuple[Parameter, Value]] = []
    failed = False
    for parameter, argument in bound:
        try:
            value = _argument(fn, parameter, argument, bindings, constants, node)
        except Abandon:
            failed = True
            continue
        if value is not None:
            values.append((parameter, value))
    if failed:
        raise Abandon
    ordered = values if in_order else _reorder(fn, declared, values)
    prelude = () if in_order else _held_prelude(fn, values, ordered)
    return [value for _, value in ordered], prelude


def _bind(
    fn: FunctionChecker,
    function: python_types.FunctionType,
    declared: Declared,
    arguments: Sequence[Argument],
    node: ast.Call,
) -> tuple[list[tuple[Parameter, Argument | None]], bool]:
    """Pairs in the order of evaluation; None is the default. Whether that is the order of the parameters."""
    name = function.__qualname__.replace("<locals>.", "")
    parameters = declared.parameters
    positional_count = len(parameters) - function.__code__.co_kwonlyargcount
    where = fn.program.definition_note(function)
    if len(arguments) > positional_count:
        received = 1 if arguments and arguments[0].result is not None else 0
        message = f"`{name}` takes {positional_count - received} arguments, found {len(arguments) - received}"
        fn.fail("E0308", message, arguments[positional_count].tree, notes=where)
    pairs: list[tuple[Parameter, Argument | None]] = list(zip(parameters, arguments, strict=False))
    named = {parameter.name: parameter for parameter in parameters}
    taken = {parameter.name for parameter, _ in pairs}
    for keyword in node.keywords:
        assert keyword.arg is not None
        if keyword.arg not in named:
            fn.fail("E0308", f"`{name}` has no parameter `{keyword.arg}`", keyword, notes=where)
        if keyword.arg in taken:
            fn.fail("E0308", f"`{keyword.arg}` is given twice", keyword, notes=where)
        taken.add(keyword.arg)
        pairs.append((named[keyword.arg], Argument(keyword.value)))
    given = [parameter.name for parameter, _ in pairs]
    missing = [parameter for parameter in parameters if parameter.name not in taken]
    for parameter in missing:
        if not parameter.has_default:
            fn.fail("E0308", f"`{name}` needs an argument for `{parameter.name}`", node, notes=where)
        pairs.append((parameter, None))
    in_order = given == [parameter.name for parameter in parameters if parameter.name in set(given)]
    if in_order:
        order = {parameter.name: index for index, parameter in enumerate(parameters)}
        pairs.sort(key=lambda pair: order[pair[0].name])
    return pairs, in_order


def _argument(
    fn: FunctionChecker,
    parameter: Parameter,
    argument: Argument | None,
    bindings: dict[Any, Type],
    constants: dict[str, Known],
    node: ast.Call,
) -> Value | None:
    kind = parameter.type
    if isinstance(kind, ConstType):
        constants[parameter.name] = _constant_argument(fn, parameter, kind, argument, bindings)
        return None
    tree = argument.tree if argument is not None else node
    wanted = substitute(kind, bindings)
    if argument is None:
        result: Result = Known(parameter.default)
    elif argument.result is not None:
        result = argument.result
    else:
        result = fn.expression(argument.tree, None if has_variables(wanted) else wanted)
    if has_variables(wanted):
        value = fn.run_time(result, tree)
        infer(wanted, value.type, bindings)
        wanted = substitute(kind, bindings)
        if has_variables(wanted):
            fn.fail("E0301", f"expected {kind.name}, found {value.type.name}", tree)
        result = value
    return fn.program.rules.coerce(fn, result, wanted, tree)


def _constant_argument(
    fn: FunctionChecker, parameter: Parameter, kind: ConstType, argument: Argument | None, bindings: dict[Any, Type]
) -> Known:
    if argument is None:
        return Known(parameter.default)
    result = argument.result or fn.expression(argument.tree)
    if not isinstance(result, Known):
        message = f"`{parameter.name}` must be known at build time, `{fn.text(argument.tree)}` is {describe(result)}"
        fn.fail("E0307", message, argument.tree)
    element = substitute(kind.element, bindings)
    if isinstance(element, FunctionType):
        if not isinstance(result.object, python_types.FunctionType):
            fn.fail("E0301", f"expected {element.name}, found {describe(result)}", argument.tree)
        return result
    if isinstance(element, ClassType):
        kind_of = fn.program.type_argument(fn, argument.tree) if isinstance(result.object, type) else None
        if kind_of is None:
            fn.fail("E0301", f"expected a class, found {describe(result)}", argument.tree)
        infer(element.instance, kind_of, bindings)
        return result
    if isinstance(element, TypeVariable):
        bindings.setdefault(element.variable, own_type(result) or U64)
        return result
    value = fn.program.rules.coerce(fn, result, element, argument.tree)
    if isinstance(result.object, int) and isinstance(value.node, Constant) and own_type(result) is None:
        return Known(value.node.value, element)
    return result


def infer(pattern: Type, found: Type, bindings: dict[Any, Type]) -> None:
    """Bind the TypeVars of a parameter's type by the type of its argument."""
    if isinstance(pattern, TypeVariable):
        bindings.setdefault(pattern.variable, found)
    elif isinstance(pattern, PtrType) and isinstance(found, PtrType):
        infer(pattern.target, found.target, bindings)
    elif isinstance(pattern, SliceType) and hasattr(found, "element"):
        infer(pattern.element, getattr(found, "element"), bindings)  # noqa: B009
    elif isinstance(pattern, OptionalType | ResultType):
        inner = found.element if isinstance(found, type(pattern)) else found
        infer(pattern.element, inner, bindings)
    elif type(pattern) is type(found) and hasattr(pattern, "element"):
        infer(getattr(pattern, "element"), getattr(found, "element"), bindings)  # noqa: B009


def _reorder(
    fn: FunctionChecker, declared: Declared, values: list[tuple[Parameter, Value]]
) -> list[tuple[Parameter, Value]]:
    """Values in the order of the parameters, each held in a temporary set in the order of the source."""
    held: dict[str, tuple[Parameter, Value]] = {}
    for parameter, value in values:
        kept = value
        if not is_simple(value.node):
            local = fn.temporary(value.node.type)
            kept = Value(value.type, ReadLocal(local), value.align, value.local, value.readonly)
        held[parameter.name] = (parameter, kept)
    return [held[parameter.name] for parameter in declared.parameters if parameter.name in held]


def _held_prelude(
    fn: FunctionChecker, values: list[tuple[Parameter, Value]], ordered: list[tuple[Parameter, Value]]
) -> tuple[Statement, ...]:
    nodes = {parameter.name: value.node for parameter, value in ordered}
    statements: list[Statement] = []
    for parameter, value in values:
        target = nodes[parameter.name]
        if target is not value.node and isinstance(target, ReadLocal):
            statements.append(Assign(target.local, value.node, fn.function.span))
    return tuple(statements)


def _call_node(
    fn: FunctionChecker, target: Function, values: list[Value], prelude: tuple[Statement, ...], node: ast.Call
) -> Result:
    span = fn.span(node)
    kind = target.signature.result
    arguments = tuple(value.node for value in values)
    struct = by_value_struct(kind)
    if struct is None:
        result: Expression = Call(target, arguments, target.result, span)
        if prelude:
            result = SequenceNode(prelude, result)
        local = may_refer(kind) and any(value.local and may_refer(value.type) for value in values)
        align = kind.align if is_reference(kind) else 0
        return Value(kind, result, align, local)

    def place(address: Expression) -> Expression:
        made: Expression = Call(target, (address, *arguments), target.result, span)
        return SequenceNode(prelude, made) if prelude else made

    if isinstance(kind, ValueType):
        return Fresh(
            struct, lambda address: (*prelude, Evaluate(Call(target, (address, *arguments), target.result, span), span))
        )
    return Fresh(kind, lambda address: (Evaluate(place(address), span),), place)
