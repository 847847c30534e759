"""Pointers, slices made of them, addresses, untrusted bytes, per-CPU objects."""

from __future__ import annotations

import ast
import types as python_types
from collections.abc import Mapping
from math import gcd
from typing import Any, get_args

from compiler.check import places
from compiler.check.assignments import target_place
from compiler.check.constants import describe, u64_constant
from compiler.check.context import FunctionChecker
from compiler.check.expressions import index_value
from compiler.check.names import pointer_to_int
from compiler.check.numbers import Rule, arguments
from compiler.check.values import (
    Abandon,
    Bound,
    Fresh,
    Known,
    Result,
    Value,
    int_value_type,
    is_reference,
    language_method,
)
from compiler.language import addresses, functions, memory
from compiler.language.errors import BuildError
from compiler.language.types import (
    BOOL,
    STR,
    U8,
    U64,
    UNTRUSTED,
    ArrayType,
    DistinctType,
    IntType,
    PerCpuType,
    PtrType,
    SliceType,
    StructType,
    Type,
    UntrustedType,
    type_of,
)
from compiler.program import types as value_types
from compiler.program.nodes import (
    Assign,
    Binary,
    BinaryOp,
    Compare,
    CompareOp,
    Constant,
    Conversion,
    Convert,
    CopyMemory,
    Element,
    Expression,
    FillMemory,
    FunctionAddress,
    If,
    LinkerAddress,
    Logical,
    MakeTuple,
    Overflow,
    ReadLocal,
    RegisterRead,
    Sequence,
    Statement,
    StaticAddress,
    Trap,
    TrapKind,
    TupleElement,
    Unary,
    UnaryOp,
)

BYTES = SliceType("Slice[u8]", U8)
_ALIAS = type(memory.Ptr[int])


def pointer_type(target: Type) -> PtrType:
    """`Ptr` to a type."""
    return PtrType(f"Ptr[{target.name}]", target)


def address_of(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`address_of(place)`."""
    (tree,) = arguments(fn, node, 1, "address_of")
    if isinstance(tree, ast.Attribute | ast.Subscript) and not _is_reference_or_known(fn, tree):
        place = target_place(fn, tree)
        _demand_aligned(fn, place, tree)
        return Value(pointer_type(place.type), place.address, local=place.local)
    found = fn.expression(tree)
    if isinstance(found, Known) and isinstance(found.object, python_types.FunctionType):
        return _function_address(fn, found.object, tree)
    static = fn.program.statics.place(fn, tree) if isinstance(tree, ast.Name) else None
    if static is not None:
        return Value(pointer_type(static.type), static.address)
    if isinstance(found, Fresh):
        fn.fail("E0508", f"`{fn.text(tree)}` has no place yet", tree, fix="bind it to a local, or make it static")
    if not isinstance(found, Value) or not is_reference(found.type):
        fn.fail("E0508", f"`{fn.text(tree)}` is {describe(found)}, a value without an address", tree)
    _demand_aligned(fn, places.place_of(found), tree)
    return Value(pointer_type(found.type), found.node, local=found.local)


def _is_reference_or_known(fn: FunctionChecker, tree: ast.expr) -> bool:
    """Whether the tree is an attribute of a module or class rather than of a value."""
    root = tree
    while isinstance(root, ast.Attribute | ast.Subscript):
        root = root.value
    if not isinstance(root, ast.Name) or root.id in fn.variables:
        return False
    found = fn.namespace.get(root.id)
    return isinstance(found, python_types.ModuleType)


def _demand_aligned(fn: FunctionChecker, place: places.Place, tree: ast.expr) -> None:
    if place.align < place.type.align:
        message = f"`{fn.text(tree)}` is inside a packed struct and may not be aligned to {place.type.align} bytes"
        fn.fail("E0506", message, tree, fix=f"read the value: `{fn.text(tree)}`")


def _function_address(fn: FunctionChecker, function: python_types.FunctionType, tree: ast.expr) -> Value:
    declared = fn.program.declared(function, None) if fn.program.is_dialect(function) else None
    if declared is None or declared.is_generic:
        what = "is generic" if declared is not None else "is not a function of the program"
        fn.fail("E0508", f"`{fn.text(tree)}` {what} and has no address", tree)
    target = fn.program.request(function, None, {}, {})
    if target is None:
        raise Abandon
    return Value(pointer_type(U8), FunctionAddress(target))


def slice_of(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`slice_of(pointer, count)`."""
    pointer_tree, count_tree = arguments(fn, node, 2, "slice_of")
    pointer = fn.value(pointer_tree)
    if not isinstance(pointer.type, PtrType):
        fn.fail("E0301", f"slice_of() takes a Ptr, `{fn.text(pointer_tree)}` is {pointer.type.name}", pointer_tree)
    element = pointer.type.target
    count = fn.value(count_tree, U64)
    node_pair = MakeTuple((pointer.node, count.node), value_types.SLICE)
    return Value(SliceType(f"Slice[{element.name}]", element), node_pair, element.align, pointer.local)


def bytes_of(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`bytes_of(struct or array)`."""
    (tree,) = arguments(fn, node, 1, "bytes_of")
    value = fn.value(tree)
    kind = value.type
    if isinstance(kind, StructType | ArrayType):
        pair = MakeTuple((value.node, u64_constant(kind.size)), value_types.SLICE)
        return Value(BYTES, pair, 1, value.local, value.readonly)
    if isinstance(kind, SliceType):
        return _slice_bytes(fn, value, kind, node)
    return fn.fail("E0301", f"bytes_of() takes a struct, array or slice, `{fn.text(tree)}` is {kind.name}", tree)


def _slice_bytes(fn: FunctionChecker, value: Value, kind: SliceType, node: ast.Call) -> Value:
    span = fn.span(node)

    def build(run: Expression) -> Expression:
        count = TupleElement(run, 1, value_types.U64)
        size = u64_constant(kind.element.size)
        total = Binary(BinaryOp.MUL, count, size, value_types.U64, Overflow.PROVEN, span)
        return MakeTuple((TupleElement(run, 0, value_types.POINTER), total), value_types.SLICE)

    return Value(BYTES, fn.once(value.node, build), 1, value.local, value.readonly)


def utf8(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`utf8(text)`: the same bytes as a slice."""
    (tree,) = arguments(fn, node, 1, "utf8")
    text = fn.value(tree, STR)
    return Value(BYTES, text.node, 1, text.local, readonly=True)


def string_at(fn: FunctionChecker, node: ast.Call, _expected: Type | None) -> Result:
    """`string_at(bytes)`: the same bytes as a str."""
    (tree,) = arguments(fn, node, 1, "string_at")
    run = fn.value(tree, BYTES)
    return Value(STR, run.node, local=run.local)


def pointer_at(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`Ptr[T].at(address)`; traps (NULL) for 0 and for a misaligned address."""
    assert isinstance(bound.receiver, Known)
    (tree,) = arguments(fn, node, 1, "Ptr.at")
    try:
        target = fn.program.substituted(fn, type_of(get_args(bound.receiver.object)[0]))
        align = target.align
    except BuildError as error:
        fn.fail("E0306", str(error), node.func)
    address = fn.value(tree, fn.program.virtual_address).node
    span = fn.span(node)
    kind = pointer_type(target)
    if isinstance(address, Constant):
        if address.value == 0 or address.value % align:
            message = f"{address.value:#x} is no address of a {target.name}: it is 0 or not aligned to {align} bytes"
            fn.fail("E0302", message, tree)
        return Value(kind, Convert(Conversion.INT_TO_POINTER, address, value_types.POINTER, span))
    local = fn.temporary(value_types.U64)
    read = ReadLocal(local)
    bad: Expression = Compare(CompareOp.EQ, read, u64_constant(0))
    if align > 1:
        low = Binary(BinaryOp.AND, read, u64_constant(align - 1), value_types.U64, Overflow.PROVEN, span)
        bad = Logical(False, bad, Compare(CompareOp.NE, low, u64_constant(0)))
    check = If(bad, (Trap(TrapKind.NULL, span),), (), span)
    pointer = Convert(Conversion.INT_TO_POINTER, read, value_types.POINTER, span)
    return Value(kind, Sequence((Assign(local, address, span), check), pointer))


def pointer_offset(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`pointer.offset(n)`."""
    assert isinstance(bound.receiver, Value)
    assert isinstance(bound.receiver.type, PtrType)
    (tree,) = arguments(fn, node, 1, "Ptr.offset")
    stride = bound.receiver.type.target.size
    moved = Element(bound.receiver.node, index_value(fn, tree), None, stride, fn.span(node))
    return Value(bound.receiver.type, moved, local=bound.receiver.local)


def pointer_cast(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`pointer.cast(T)`."""
    assert isinstance(bound.receiver, Value)
    (tree,) = arguments(fn, node, 1, "Ptr.cast")
    target = fn.program.type_argument(fn, tree)
    return Value(pointer_type(target), bound.receiver.node, local=bound.receiver.local)


def linker_address(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`SYMBOL.address()`."""
    assert isinstance(bound.receiver, Known)
    arguments(fn, node, 0, "address")
    address = LinkerAddress(bound.receiver.object.name)
    return Value(fn.program.virtual_address, pointer_to_int(fn, address, node))


# Addresses


def _alignment(fn: FunctionChecker, node: ast.Call, kind: DistinctType) -> Expression:
    (tree,) = arguments(fn, node, 1, ast.unparse(node.func))
    value = fn.value(tree, kind.base).node
    if isinstance(value, Constant) and (value.value <= 0 or value.value & (value.value - 1)):
        fn.fail("E0302", f"an alignment is a power of two, found {value.value}", tree)
    return value


def _masked(
    fn: FunctionChecker, address: Expression, alignment: Expression, kind: IntType, node: ast.AST
) -> Expression:
    """`address & ~(alignment - 1)`."""
    held, span = int_value_type(kind), fn.span(node)
    if isinstance(alignment, Constant):
        mask: Expression = Constant(held, kind.highest & ~(alignment.value - 1))
    else:
        mask = Unary(UnaryOp.INVERT, _less_one(alignment, kind, node, fn), held, span)
    return Binary(BinaryOp.AND, address, mask, held, Overflow.PROVEN, span)


def _less_one(alignment: Expression, kind: IntType, node: ast.AST, fn: FunctionChecker) -> Expression:
    held = int_value_type(kind)
    if isinstance(alignment, Constant):
        return Constant(held, alignment.value - 1)
    return Binary(BinaryOp.SUB, alignment, Constant(held, 1), held, Overflow.TRAP, fn.span(node))


def _address(fn: FunctionChecker, bound: Bound, node: ast.Call) -> tuple[Value, DistinctType]:
    value = fn.run_time(bound.receiver, node.func)
    assert isinstance(value.type, DistinctType)
    return value, value.type


def align_down(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`address.align_down(n)`."""
    value, kind = _address(fn, bound, node)
    return Value(kind, _masked(fn, value.node, _alignment(fn, node, kind), kind.base, node))


def align_up(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`address.align_up(n)`."""
    value, kind = _address(fn, bound, node)
    held, span = int_value_type(kind.base), fn.span(node)

    def build(alignment: Expression) -> Expression:
        less = _less_one(alignment, kind.base, node, fn)
        raised = Binary(BinaryOp.ADD, value.node, less, held, Overflow.TRAP, span)
        return _masked(fn, raised, alignment, kind.base, node)

    return Value(kind, fn.once(_alignment(fn, node, kind), build))


def is_aligned(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`address.is_aligned(n)`."""
    value, kind = _address(fn, bound, node)
    held, span = int_value_type(kind.base), fn.span(node)
    less = _less_one(_alignment(fn, node, kind), kind.base, node, fn)
    low = Binary(BinaryOp.AND, value.node, less, held, Overflow.PROVEN, span)
    return Value(BOOL, Compare(CompareOp.EQ, low, Constant(held, 0)))


# Untrusted bytes


def untrusted_at(fn: FunctionChecker, _bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`UntrustedBytes.at(address, size)`."""
    address_tree, size_tree = arguments(fn, node, 2, "UntrustedBytes.at")
    address = fn.value(address_tree, fn.program.virtual_address)
    size = fn.value(size_tree, U64)
    pointer = Convert(Conversion.INT_TO_POINTER, address.node, value_types.POINTER, fn.span(node))
    return Value(UNTRUSTED, MakeTuple((pointer, size.node), value_types.SLICE))


def _transfer(fn: FunctionChecker, bound: Bound, node: ast.Call, name: str) -> Result:
    """copy_in, copy_out, zero: True when the range lies within the bytes."""
    assert isinstance(bound.receiver, Value)
    offset_tree, other_tree = arguments(fn, node, 2, f"UntrustedBytes.{name}")
    span = fn.span(node)
    run = fn.temporary(value_types.SLICE)
    offset = fn.temporary(value_types.U64)
    done = fn.temporary(value_types.BOOL)
    statements: list[Statement] = [
        Assign(run, bound.receiver.node, span),
        Assign(offset, fn.value(offset_tree, U64).node, span),
    ]
    other = fn.value(other_tree, U64 if name == "zero" else BYTES)
    held = fn.temporary(other.node.type)
    statements.append(Assign(held, other.node, span))
    count: Expression = ReadLocal(held)
    if name != "zero":
        count = TupleElement(ReadLocal(held), 1, value_types.U64)
    total = TupleElement(ReadLocal(run), 1, value_types.U64)
    start = ReadLocal(offset)
    left = Binary(BinaryOp.SUB, total, start, value_types.U64, Overflow.PROVEN, span)
    in_range = Logical(True, Compare(CompareOp.LE, start, total), Compare(CompareOp.LE, count, left))
    statements.append(Assign(done, in_range, span))
    base = TupleElement(ReadLocal(run), 0, value_types.POINTER)
    theirs = Element(base, start, None, 1, span)
    ours = TupleElement(ReadLocal(held), 0, value_types.POINTER)
    action: Statement
    if name == "copy_in":
        action = CopyMemory(ours, theirs, count, 1, span, is_shared=True)
    elif name == "copy_out":
        action = CopyMemory(theirs, ours, count, 1, span, is_shared=True)
    else:
        action = FillMemory(theirs, Constant(value_types.U8, 0), count, 1, span)
    statements.append(If(ReadLocal(done), (action,), (), span))
    return Value(BOOL, Sequence(tuple(statements), ReadLocal(done)))


def copy_in(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`bytes.copy_in(offset, destination)`."""
    return _transfer(fn, bound, node, "copy_in")


def copy_out(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`bytes.copy_out(offset, source)`."""
    return _transfer(fn, bound, node, "copy_out")


def zero(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`bytes.zero(offset, size)`."""
    return _transfer(fn, bound, node, "zero")


# Per-CPU objects


def _per_cpu_place(fn: FunctionChecker, value: Value, index: Expression, checked: bool, node: ast.AST) -> Value:
    assert isinstance(value.type, PerCpuType)
    assert isinstance(value.node, StaticAddress)
    named = fn.program.statics.by_object(value.node.object)
    count = u64_constant(named.count) if checked else None
    element = value.type.element
    span = fn.span(node)
    if isinstance(index, Constant):
        if index.value >= named.count:
            fn.fail("E0324", f"there are {named.count} CPUs, found index {index.value}", node)
        address: Expression = StaticAddress(named.object, index.value * named.stride)
    else:
        address = Element(value.node, index, count, named.stride, span)
    return places.load(fn, places.Place(element, address, gcd(value.align, named.stride)))


def per_cpu_this(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`objects.this()`."""
    assert isinstance(bound.receiver, Value)
    arguments(fn, node, 0, "this")
    return _per_cpu_place(fn, bound.receiver, RegisterRead("TPIDR_EL2"), False, node)


def per_cpu_of(fn: FunctionChecker, bound: Bound, node: ast.Call, _expected: Type | None) -> Result:
    """`objects.of(i)`."""
    assert isinstance(bound.receiver, Value)
    (tree,) = arguments(fn, node, 1, "of")
    return _per_cpu_place(fn, bound.receiver, index_value(fn, tree), True, node)


RULES: Mapping[Any, Rule] = {
    memory.address_of: address_of,
    memory.slice_of: slice_of,
    memory.bytes_of: bytes_of,
    functions.utf8: utf8,
    functions.string_at: string_at,
}
METHODS: Mapping[Any, Any] = {
    addresses.Address.align_down: align_down,
    addresses.Address.align_up: align_up,
    addresses.Address.is_aligned: is_aligned,
    memory.LinkerSymbol.address: linker_address,
    language_method(memory.UntrustedBytes, "at"): untrusted_at,
}
OPERATIONS: Mapping[tuple[Any, str], Any] = {
    (_ALIAS, "at"): pointer_at,
    (PtrType, "offset"): pointer_offset,
    (PtrType, "cast"): pointer_cast,
    (UntrustedType, "copy_in"): copy_in,
    (UntrustedType, "copy_out"): copy_out,
    (UntrustedType, "zero"): zero,
    (PerCpuType, "this"): per_cpu_this,
    (PerCpuType, "of"): per_cpu_of,
}
