"""What names and attributes stand for: locals, names of the factory and module around, builtins, fields, methods."""

from __future__ import annotations

import ast
import builtins
import difflib
import inspect
import types as python_types
from dataclasses import replace
from typing import Any, NoReturn, cast, get_origin

from compiler.check import places
from compiler.check.constants import describe, int_constant
from compiler.check.context import FunctionChecker
from compiler.check.flow import ERROR, Variable
from compiler.check.values import Abandon, Bound, Fresh, Known, Result, Value, class_of, may_refer, value_type
from compiler.language.addresses import Distinct
from compiler.language.bitfields import Bit, Bits
from compiler.language.enums import EnumBase
from compiler.language.errors import BuildError
from compiler.language.memory import StaticObject
from compiler.language.mmio import MmioRegister
from compiler.language.types import (
    BOOL,
    U64,
    ArrayType,
    AtomicType,
    BitsType,
    DistinctType,
    EnumType,
    OptionalType,
    PerCpuType,
    PtrType,
    ResultType,
    StructType,
    Type,
    UntrustedType,
    ValueType,
    VoidType,
    optional_is_pointer,
)
from compiler.program import types as value_types
from compiler.program.nodes import (
    Binary,
    BinaryOp,
    Compare,
    CompareOp,
    Constant,
    Conversion,
    Convert,
    Expression,
    Overflow,
    ReadLocal,
    SlotAddress,
    TupleElement,
)
from compiler.syntax.diagnostics import Note


def name(fn: FunctionChecker, node: ast.Name, _expected: Type | None) -> Result:
    """A name that is read."""
    variable = fn.variables.get(node.id)
    if variable is not None:
        return read_variable(fn, variable, node)
    if node.id in fn.local_names:
        _unassigned(fn, node)
    missing = object()
    found = fn.namespace.get(node.id, missing)
    if found is missing:
        found = getattr(builtins, node.id, missing)
    if found is missing:
        near = difflib.get_close_matches(node.id, [*fn.variables, *fn.namespace], n=1)
        fn.fail("E0201", f"`{node.id}` is not defined", node, fix=f"did you mean `{near[0]}`?" if near else None)
    return known_object(fn, found, node)


def _unassigned(fn: FunctionChecker, node: ast.Name) -> None:
    if node.id in fn.poisoned:
        raise Abandon
    if node.id in fn.ended_loops:
        fn.fail(
            "E0404",
            f"loop variable `{node.id}` has no value after its loop",
            node,
            fix="assign it to a variable declared before the loop",
        )
    if node.id in fn.namespace:
        fn.fail(
            "E0401",
            f"`{node.id}` is assigned in this function, so it is a local and not the `{node.id}` of the module",
            node,
            fix="names of modules are constants; what changes is a field of a static object",
        )
    fn.fail("E0401", f"`{node.id}` is read before it is assigned", node)


def read_variable(fn: FunctionChecker, variable: Variable, node: ast.Name) -> Result:
    """The value of a variable as narrowed here."""
    if variable.type is ERROR:
        raise Abandon
    if variable.known is not None:
        return variable.known
    if variable not in fn.flow.assigned and not fn.flow.dead:
        fn.fail(
            "E0401",
            f"`{variable.name}` is not assigned on every path that leads here",
            node,
            notes=[Note("its first assignment is here", variable.span)],
        )
    narrowed = fn.flow.narrowed.get(variable)
    value = variable_value(variable)
    if narrowed is None:
        return value
    return unwrap(variable, value, narrowed)


def variable_value(variable: Variable) -> Value:
    """The value of a variable as declared."""
    kind = variable.type
    if variable.slot is not None and variable.local is None:
        return Value(kind, SlotAddress(variable.slot), kind.align, local=True, slot=variable.slot)
    assert variable.local is not None
    align = kind.align if isinstance(kind, StructType | ArrayType | AtomicType) else 0
    return Value(kind, ReadLocal(variable.local), align, variable.may_be_local, variable.readonly)


def unwrap(variable: Variable, value: Value, narrowed: Type) -> Value:
    """What a tested optional or result holds."""
    kind = value.type
    if isinstance(narrowed, VoidType):
        return Value(narrowed, Constant(value_types.VOID, 0))
    if isinstance(kind, ResultType) and narrowed == kind.error:
        held = value_type(kind)
        assert isinstance(held, value_types.Tuple)
        return Value(narrowed, TupleElement(value.node, len(held.elements) - 1, value_types.I32))
    if isinstance(kind, OptionalType | ResultType) and isinstance(kind.element, ValueType):
        assert variable.slot is not None
        return Value(narrowed, SlotAddress(variable.slot), narrowed.align, local=True, slot=variable.slot)
    align = narrowed.align if isinstance(narrowed, StructType | ArrayType) else 0
    if isinstance(kind, OptionalType) and optional_is_pointer(kind):
        return Value(narrowed, value.node, align, value.local)
    local = value.local and may_refer(narrowed)
    return Value(narrowed, TupleElement(value.node, 0, value_type(narrowed)), align, local)


def class_lookup(cls: Any, name: str) -> Any:
    """The entry of a class or its bases by that name, unbound; None when there is none."""
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return None


def known_object(fn: FunctionChecker, found: Any, node: ast.AST) -> Result:
    """A build-time object met in a function; a static object is a place."""
    if isinstance(found, StaticObject):
        return fn.program.statics.value(fn, found, node)
    return Known(found)


def attribute(fn: FunctionChecker, node: ast.Attribute, _expected: Type | None) -> Result:
    """`object.name`."""
    base = fn.expression(node.value)
    if isinstance(base, Known):
        return known_attribute(fn, base, node)
    if isinstance(base, Bound):
        if base.register is not None:
            return replace(base, name=node.attr)
        fn.fail("E0204", f"{describe(base)} has no attribute `{node.attr}`", node, fix="call it first: `(...)`")
    value = fn.materialise(base, node.value) if isinstance(base, Fresh) else base
    return value_attribute(fn, value, node)


def known_attribute(fn: FunctionChecker, base: Known, node: ast.Attribute) -> Result:
    """An attribute of a build-time object."""
    found: Any = base.object
    if get_origin(found) is not None and node.attr in ("at",):
        return Bound(base, node.attr)
    raw = class_lookup(type(found), node.attr)
    own_method = isinstance(found, Bits | EnumBase | Distinct) and isinstance(raw, python_types.FunctionType)
    if own_method and fn.program.is_dialect(raw):
        return Bound(base, node.attr, raw)
    try:
        return known_object(fn, getattr(found, node.attr), node)
    except AttributeError:
        near = difflib.get_close_matches(node.attr, dir(found), n=1)
        fix = f"did you mean `{near[0]}`?" if near else None
        fn.fail("E0204", f"{describe(base)} has no attribute `{node.attr}`", node, fix=fix)
    except BuildError as error:
        fn.fail("E0601", str(error), node)
    except Exception as error:
        fn.fail("E0601", f"`{ast.unparse(node)}` raised {type(error).__name__}: {error}", node)


def value_attribute(fn: FunctionChecker, value: Value, node: ast.Attribute) -> Result:
    """An attribute of a run-time value."""
    kind = value.type
    if isinstance(kind, OptionalType | ResultType):
        untested(fn, kind, node.value)
    if isinstance(kind, StructType):
        field = kind.fields.get(node.attr)
        if field is not None:
            return places.load(fn, places.field_place(value, field))
    simple = _simple_attribute(fn, value, node)
    if simple is not None:
        return simple
    cls = getattr(kind, "cls", None)
    if cls is not None:
        found = class_lookup(cls, node.attr)
        method = _class_attribute(fn, value, node, found)
        if method is not None:
            return method
    if node.attr in _OPERATIONS.get(type(kind), ()):
        return Bound(value, node.attr)
    names = [*(kind.fields if isinstance(kind, StructType) else ()), *_OPERATIONS.get(type(kind), ())]
    names += [item for item in dir(cls) if not item.startswith("_")] if cls is not None else []
    near = difflib.get_close_matches(node.attr, names, n=1)
    fix = f"did you mean `{near[0]}`?" if near else None
    return fn.fail("E0204", f"{kind.name} has no attribute `{node.attr}`", node, fix=fix)


def untested(fn: FunctionChecker, kind: OptionalType | ResultType, node: ast.expr) -> NoReturn:
    """Report that a value which may be None or an error is used as if it were not."""
    text = fn.text(node)
    tested = text if isinstance(node, ast.Name) else "result"
    before = "" if isinstance(node, ast.Name) else f"`result = {text}`, then "
    if isinstance(kind, OptionalType):
        fix = f"{before}test `{tested} is not None` first"
        fn.fail("E0311", f"`{text}` may be None ({kind.name})", node, fix=fix)
    fix = f"{before}test `isinstance({tested}, {kind.error.name})` first"
    fn.fail("E0313", f"`{text}` may be an error ({kind.name})", node, fix=fix)


def _class_attribute(fn: FunctionChecker, value: Value, node: ast.Attribute, found: Any) -> Result | None:
    if isinstance(found, python_types.FunctionType):
        return Bound(value, node.attr, found)
    if isinstance(found, staticmethod | classmethod):
        return Bound(Known(getattr(value.type, "cls")), node.attr, cast(Any, found).__func__, found)  # noqa: B009
    if class_of(found) is property:
        is_dialect = found.fget is not None and fn.program.is_dialect(found.fget)
        return fn.program.rules.call_bound(fn, Bound(value, node.attr, found.fget), [], node) if is_dialect else None
    if issubclass(class_of(found), MmioRegister):
        return Bound(value, node.attr, register=found)
    if found is not None and not callable(found) and not hasattr(found, "__get__"):
        return known_object(fn, found, node)
    return None


_OPERATIONS: dict[type[Type], tuple[str, ...]] = {
    PtrType: ("offset", "cast"),
    AtomicType: (
        "load",
        "store",
        "exchange",
        "compare_exchange",
        "fetch_add",
        "fetch_sub",
        "fetch_or",
        "fetch_and",
    ),
    UntrustedType: ("copy_in", "copy_out", "zero"),
    PerCpuType: ("this", "of"),
}


def _simple_attribute(fn: FunctionChecker, value: Value, node: ast.Attribute) -> Value | None:
    kind = value.type
    if isinstance(kind, DistinctType | BitsType) and node.attr == "raw":
        return Value(kind.base, value.node)
    if isinstance(kind, EnumType) and node.attr == "value":
        return Value(kind.base, value.node)
    if isinstance(kind, BitsType) and node.attr in kind.fields:
        return bit_field(fn, value, kind, node)
    if isinstance(kind, PtrType):
        if node.attr == "value":
            return places.load(fn, pointer_place(value))
        if node.attr == "address":
            return Value(fn.program.virtual_address, pointer_to_int(fn, value.node, node))
    return None


def pointer_to_int(fn: FunctionChecker, node: Expression, tree: ast.AST) -> Expression:
    """An address as a number."""
    return Convert(Conversion.POINTER_TO_INT, node, value_types.U64, fn.span(tree))


def pointer_place(value: Value) -> places.Place:
    """What a pointer points to."""
    assert isinstance(value.type, PtrType)
    target = value.type.target
    return places.Place(target, value.node, target.align, value.local)


def bit_field(fn: FunctionChecker, value: Value, kind: BitsType, node: ast.Attribute) -> Value:
    """A field of a Bits value: a bool for a `bit`, a number for `bits`."""
    high, low = kind.fields[node.attr]
    base = kind.base
    held = value_type(base)
    span = fn.span(node)
    if isinstance(inspect.getattr_static(kind.cls, node.attr), Bit):
        mask = int_constant(base, 1 << low)
        masked = Binary(BinaryOp.AND, value.node, mask, held, Overflow.PROVEN, span)
        return Value(BOOL, Compare(CompareOp.NE, masked, int_constant(base, 0)))
    shifted = value.node
    if low:
        count = Constant(value_types.U64, low)
        shifted = Binary(BinaryOp.SHR, shifted, count, held, Overflow.PROVEN, span)
    if high < base.bits - 1:
        mask = int_constant(base, (1 << (high - low + 1)) - 1)
        shifted = Binary(BinaryOp.AND, shifted, mask, held, Overflow.PROVEN, span)
    return Value(base, shifted)


def length(fn: FunctionChecker, value: Value, node: ast.expr) -> Value:
    """`len()` of an array, slice, str or untrusted bytes."""
    kind = value.type
    if isinstance(kind, ArrayType):
        return Value(U64, int_constant(U64, kind.count))
    if isinstance(value_type(kind), value_types.Tuple) and value_type(kind) == value_types.SLICE:
        return Value(U64, TupleElement(value.node, 1, value_types.U64))
    return fn.fail("E0323", f"{kind.name} has no length", node)
