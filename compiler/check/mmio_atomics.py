"""Device registers and atomics: accesses that happen exactly as written."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from compiler.check.constants import u64_constant
from compiler.check.context import FunctionChecker
from compiler.check.numbers import arguments
from compiler.check.places import offset
from compiler.check.registers import effect, word_or_number
from compiler.check.values import Bound, Known, Result, Value, language_method, value_type
from compiler.language import mmio, sync
from compiler.language.errors import BuildError
from compiler.language.mmio import MmioRegister
from compiler.language.types import (
    BOOL,
    AtomicType,
    BitsType,
    BoolType,
    IntType,
    MmioType,
    Type,
    type_of,
)
from compiler.program import types as value_types
from compiler.program.nodes import (
    Access,
    AtomicUpdate,
    CompareExchange,
    Constant,
    Conversion,
    Convert,
    Element,
    Expression,
    Load,
    Store,
)

# Device registers


def block_at(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`Uart.at(base)`."""
    assert isinstance(bound.receiver, Known)
    (tree,) = arguments(fn, node, 1, f"{bound.receiver.object.__name__}.at")
    address = fn.value(tree, fn.program.virtual_address)
    pointer = Convert(Conversion.INT_TO_POINTER, address.node, value_types.POINTER, fn.span(node))
    return Value(type_of(bound.receiver.object), pointer)


def _register(fn: FunctionChecker, bound: Bound, node: ast.Call) -> tuple[Expression, Type, MmioRegister[Any]]:
    """Address and type of the register that a bound access names."""
    register, index, tree = bound.register, bound.index, bound.index_tree or node
    assert register is not None
    assert isinstance(bound.receiver, Value)
    try:
        kind = type_of(register.width)
    except BuildError as error:
        fn.fail("E0306", str(error), node)
    address = offset(bound.receiver.node, register.offset)
    if index is None and register.count > 1:
        fix = f"`{fn.text(node.func).rpartition('.')[0]}[i]`"
        fn.fail("E0323", f"the register repeats {register.count} times and needs an index", node.func, fix=fix)
    if index is not None:
        if register.count <= 1:
            fn.fail("E0323", "the register does not repeat and has no index", tree)
        if isinstance(index, Constant):
            if index.value >= register.count:
                message = f"index {index.value} is out of range, the register repeats {register.count} times"
                fn.fail("E0324", message, tree)
            address = offset(address, index.value * register.stride)
        else:
            address = Element(address, index, u64_constant(register.count), register.stride, fn.span(tree))
    return address, kind, register


def mmio_read(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`block.REGISTER.read()`."""
    arguments(fn, node, 0, "read")
    address, kind, register = _register(fn, bound, node)
    if not register.readable:
        fn.fail("E0512", "the register is write-only", node.func)
    held = value_type(kind)
    load = Load(address, held, value_types.stored_size(held), Access.DEVICE, span=fn.span(node))
    return Value(kind, load)


def mmio_write(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`block.REGISTER.write(x)`."""
    (tree,) = arguments(fn, node, 1, "write")
    address, kind, register = _register(fn, bound, node)
    if not register.writable:
        fn.fail("E0512", "the register is read-only", node.func)
    held = value_type(kind)
    value = word_or_number(fn, kind, tree) if isinstance(kind, BitsType) else fn.value(tree, kind).node
    return effect(Store(address, value, value_types.stored_size(held), fn.span(node), Access.DEVICE))


# Atomics

_LOADS = (sync.Ordering.RELAXED, sync.Ordering.ACQUIRE, sync.Ordering.SEQ_CST)
_STORES = (sync.Ordering.RELAXED, sync.Ordering.RELEASE, sync.Ordering.SEQ_CST)


def _bind(
    fn: FunctionChecker, node: ast.Call, name: str, operands: list[str]
) -> tuple[list[ast.expr], ast.expr | None]:
    """Operands in order, by position or name, and the order where it is given."""
    names = [*operands, "order"]
    found: dict[str, ast.expr] = dict(zip(names, node.args, strict=False))
    if len(node.args) > len(names):
        fn.fail("E0308", f"Atomic.{name}() takes {len(operands)} operands and an order", node)
    for keyword in node.keywords:
        if keyword.arg not in names or keyword.arg in found:
            fn.fail("E0308", f"Atomic.{name}() has no parameter `{keyword.arg}` left", keyword)
        found[keyword.arg or ""] = keyword.value
    for operand in operands:
        if operand not in found:
            fn.fail("E0308", f"Atomic.{name}() needs an argument for `{operand}`", node)
    return [found[operand] for operand in operands], found.get("order")


def _order(
    fn: FunctionChecker, tree: ast.expr | None, default: sync.Ordering, allowed: tuple[sync.Ordering, ...]
) -> str:
    if tree is None:
        return default.value
    found = fn.expression(tree)
    if not isinstance(found, Known) or not isinstance(found.object, sync.Ordering):
        fn.fail("E0307", "a memory order is a literal, such as `Ordering.ACQUIRE`", tree)
    if found.object not in allowed:
        fix = " or ".join(f"`Ordering.{order.name}`" for order in allowed)
        fn.fail("E0513", f"Ordering.{found.object.name} is not an order for this access", tree, fix=fix)
    return found.object.value


def _target(bound: Bound) -> tuple[Expression, Type, value_types.ValueType]:
    assert isinstance(bound.receiver, Value)
    assert isinstance(bound.receiver.type, AtomicType)
    element = bound.receiver.type.element
    held = value_types.U8 if isinstance(element, BoolType) else value_type(element)
    return bound.receiver.node, element, held


def _from_memory(fn: FunctionChecker, node: Expression, kind: Type, tree: ast.AST) -> Value:
    if isinstance(kind, BoolType):
        node = Convert(Conversion.INT_TO_BOOL, node, value_types.BOOL, fn.span(tree))
    return Value(kind, node)


def _to_memory(fn: FunctionChecker, tree: ast.expr, kind: Type) -> Expression:
    value = fn.value(tree, kind).node
    if isinstance(kind, BoolType):
        return Convert(Conversion.BOOL_TO_INT, value, value_types.U8, fn.span(tree))
    return value


def atomic_load(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`atomic.load(order)`."""
    _, order_tree = _bind(fn, node, "load", [])
    address, kind, held = _target(bound)
    order = _order(fn, order_tree, sync.Ordering.ACQUIRE, _LOADS)
    load = Load(address, held, value_types.stored_size(held), ordering=order, span=fn.span(node))
    return _from_memory(fn, load, kind, node)


def atomic_store(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`atomic.store(value, order)`."""
    (tree,), order_tree = _bind(fn, node, "store", ["value"])
    address, kind, held = _target(bound)
    order = _order(fn, order_tree, sync.Ordering.RELEASE, _STORES)
    value = _to_memory(fn, tree, kind)
    return effect(Store(address, value, value_types.stored_size(held), fn.span(node), ordering=order))


def _update(op: str, name: str, operand: str) -> Any:
    def rule(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
        (tree,), order_tree = _bind(fn, node, name, [operand])
        address, kind, held = _target(bound)
        if op != "exchange" and not isinstance(kind, IntType):
            fn.fail("E0305", f"Atomic.{name}() is for integers, not {kind.name}", node.func)
        order = _order(fn, order_tree, sync.Ordering.ACQ_REL, tuple(sync.Ordering))
        value = _to_memory(fn, tree, kind)
        return _from_memory(fn, AtomicUpdate(op, address, value, held, order), kind, node)

    return rule


def compare_exchange(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`atomic.compare_exchange(expected, desired, order)`."""
    (expected_tree, desired_tree), order_tree = _bind(fn, node, "compare_exchange", ["expected", "desired"])
    address, kind, _ = _target(bound)
    order = _order(fn, order_tree, sync.Ordering.ACQ_REL, tuple(sync.Ordering))
    expected = _to_memory(fn, expected_tree, kind)
    desired = _to_memory(fn, desired_tree, kind)
    return Value(BOOL, CompareExchange(address, expected, desired, order))


METHODS: Mapping[Any, Any] = {language_method(mmio.MmioBlock, "at"): block_at}
OPERATIONS: Mapping[tuple[Any, str], Any] = {
    (MmioType, "read"): mmio_read,
    (MmioType, "write"): mmio_write,
    (AtomicType, "load"): atomic_load,
    (AtomicType, "store"): atomic_store,
    (AtomicType, "exchange"): _update("exchange", "exchange", "value"),
    (AtomicType, "compare_exchange"): compare_exchange,
    (AtomicType, "fetch_add"): _update("add", "fetch_add", "amount"),
    (AtomicType, "fetch_sub"): _update("sub", "fetch_sub", "amount"),
    (AtomicType, "fetch_or"): _update("or", "fetch_or", "mask"),
    (AtomicType, "fetch_and"): _update("and", "fetch_and", "mask"),
}
