"""Arguments and results between Python and the raw values that functions take and give.

A raw value is an int, a bool, or a tuple of raw values, shaped as the typed program's value types. Arguments that
need memory (bytes, lists, strings, detached structs) are copied there for the length of the call, and the mutable
ones (bytearray, list, detached struct) are copied back after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

from compiler.host.faults import HostError
from compiler.host.views import (
    ArrayView,
    Space,
    StructView,
    View,
    array_view,
    from_number,
    is_build_time_struct,
    scalar_base,
    store_elements,
    store_place,
    to_number,
)
from compiler.language import types as t


class Heap(Protocol):
    """Where arguments are copied."""

    def allocate(self, size: int, align: int) -> int:
        """Address of `size` fresh bytes."""
        ...


class Arguments:
    """Marshals the arguments of one call."""

    def __init__(self, space: Space, heap: Heap) -> None:
        self._space = space
        self._heap = heap
        self._copies_back: list[Callable[[], None]] = []

    def finish(self) -> None:
        """After the call: bring changes back into the mutable arguments."""
        for copy_back in self._copies_back:
            copy_back()

    def raw(self, kind: t.Type, value: Any) -> Any:
        """The raw value of an argument."""
        if scalar_base(kind) is not None:
            return to_number(kind, value)
        match kind:
            case t.BoolType():
                if not isinstance(value, bool):
                    raise HostError(f"{value!r} is not a bool")
                return value
            case t.StructType():
                return self._struct(kind, value)
            case t.SliceType() | t.ArrayType():
                return self._slice(kind.element, value)
            case t.StrType():
                return self._text(str(value))
            case t.FormatType():
                return (*self._text(str(value)), 0, 0)
            case t.UntrustedType():
                return cast(Any, value) if isinstance(value, tuple) else self._slice(t.U8, value)
            case t.OptionalType():
                return self._optional(kind, value)
            case t.ResultType():
                return self._result(kind, value)
            case t.TupleType():
                return tuple(self.raw(element, part) for element, part in zip(kind.elements, value, strict=True))
            case _:
                raise HostError(f"an argument of type {kind.name} cannot be given from the host")

    def _place(self, kind: t.Type, count: int = 1) -> int:
        return self._heap.allocate(kind.size * count, max(kind.align, 8))

    def _struct(self, kind: t.StructType, value: Any) -> int:
        if isinstance(value, StructView) and not value.detached_:
            if not issubclass(cast(t.StructType, value.type_).cls, kind.cls):
                raise HostError(f"a {value.type_.name} was given where a {kind.name} is expected")
            return value.address_
        if not isinstance(value, StructView | dict) and not is_build_time_struct(value):
            raise HostError(f"{value!r} is not a {kind.name}")
        address = self._place(kind)
        store_place(self._space, address, kind, value)
        if isinstance(value, StructView):
            copy = value

            def copy_back() -> None:
                copy.space_.write(copy.address_, self._space.read(address, kind.size))

            self._copies_back.append(copy_back)
        return address

    def _slice(self, element: t.Type, value: Any) -> tuple[int, int]:
        if isinstance(value, ArrayView) and not value.detached_:
            if cast(t.ArrayType, value.type_).element != element:
                raise HostError(f"{value.type_.name} was given where a Slice[{element.name}] is expected")
            return value.address_, len(value)
        if isinstance(value, bytes | bytearray):
            if element.size != 1:
                raise HostError(f"bytes were given where a Slice[{element.name}] is expected")
            address = self._place(t.U8, len(value))
            self._space.write(address, bytes(value))
        elif isinstance(value, list | tuple | ArrayView):
            items = list(cast(list[Any], value))
            address = self._place(element, len(items))
            store_elements(self._space, address, element, items)
        else:
            raise HostError(f"{value!r} was given where a Slice[{element.name}] is expected")
        self._copy_back_slice(element, address, value)
        return address, len(cast(list[Any], value))

    def _copy_back_slice(self, element: t.Type, address: int, value: Any) -> None:
        if isinstance(value, bytearray):
            target = value

            def copy_bytes() -> None:
                target[:] = self._space.read(address, len(target))

            self._copies_back.append(copy_bytes)
        elif isinstance(value, list) and not isinstance(element, t.StructType):
            items = cast(Any, value)

            def copy_items() -> None:
                items[:] = list(array_view(self._space, address, element, len(items)))

            self._copies_back.append(copy_items)

    def _text(self, text: str) -> tuple[int, int]:
        data = text.encode()
        address = self._place(t.U8, len(data))
        self._space.write(address, data)
        return address, len(data)

    def _optional(self, kind: t.OptionalType, value: Any) -> Any:
        if t.optional_is_pointer(kind):
            return 0 if value is None else self.raw(kind.element, value)
        if value is None:
            return zero(kind.element), False
        return self.raw(kind.element, value), True

    def _result(self, kind: t.ResultType, value: Any) -> Any:
        failed = isinstance(value, kind.error.cls)
        code = to_number(kind.error, value) if failed else 0
        if isinstance(kind.element, t.VoidType):
            return (code,)
        return zero(kind.element) if failed else self.raw(kind.element, value), code


def zero(kind: t.Type) -> Any:
    """The raw value of a type with every bit clear."""
    match kind:
        case t.BoolType():
            return False
        case t.SliceType() | t.StrType() | t.UntrustedType():
            return 0, 0
        case t.OptionalType() if not t.optional_is_pointer(kind):
            return zero(kind.element), False
        case t.TupleType():
            return tuple(zero(element) for element in kind.elements)
        case _:
            return 0


def result_value(space: Space, kind: t.Type, raw: Any) -> Any:
    """The Python value of a raw result that is not a struct by value."""
    if scalar_base(kind) is not None:
        return from_number(space, kind, raw)
    match kind:
        case t.VoidType() | t.NeverType():
            return None
        case t.BoolType():
            return bool(raw)
        case t.StructType():
            return StructView(space, raw, kind)
        case t.SliceType():
            return array_view(space, raw[0], kind.element, raw[1])
        case t.StrType():
            return space.read(*raw).decode()
        case t.OptionalType() if t.optional_is_pointer(kind):
            return result_value(space, kind.element, raw) if raw else None
        case t.OptionalType():
            return result_value(space, kind.element, raw[0]) if raw[1] else None
        case t.ResultType():
            if raw[-1]:
                return from_number(space, kind.error, raw[-1])
            return None if len(raw) == 1 else result_value(space, kind.element, raw[0])
        case t.TupleType():
            parts = zip(kind.elements, raw, strict=True)
            return tuple(result_value(space, element, part) for element, part in parts)
        case t.UntrustedType() | t.FormatType():
            return raw
        case _:
            raise HostError(f"a result of type {kind.name} cannot be given to the host")


def by_value_struct(kind: t.Type) -> t.StructType | None:
    """The struct that a function with this result type returns through its result pointer, or None."""
    match kind:
        case t.ValueType() if isinstance(kind.element, t.StructType):
            return kind.element
        case t.OptionalType() | t.ResultType():
            return by_value_struct(kind.element)
        case _:
            return None


def by_value_result(kind: t.Type, raw: Any, struct_view: View) -> Any:
    """The result of such a function: `struct_view`, None or the error, as the raw tag says."""
    tag: int = cast(tuple[int, ...], raw)[-1] if isinstance(raw, tuple) else raw
    match kind:
        case t.OptionalType():
            return struct_view if tag else None
        case t.ResultType():
            return from_number(struct_view.space_, kind.error, tag) if tag else struct_view
        case _:
            return struct_view
