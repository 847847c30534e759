"""Views: objects of a program's memory as Python sees them, read and written through the layout of their type.

A scalar place reads as its Python value (int, bool, enum member, Distinct, Bits); a struct or array place as a view
of the same memory. Nothing is cached: a view always shows what is in memory now.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Protocol, cast

from compiler.host.faults import HostError
from compiler.language import types as t
from compiler.language.addresses import Distinct
from compiler.language.bitfields import Bits
from compiler.language.structs import STRUCT_OPTIONS, ArrayValue
from compiler.language.sync import Atomic

_FORMATS: dict[t.Type, str] = dict(zip(t.INTEGERS.values(), "BHIQbhiq", strict=True))


class Space(Protocol):
    """Bytes by address."""

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes."""
        ...

    def write(self, address: int, data: bytes) -> None:
        """Replace len(data) bytes."""
        ...


class Detached:
    """Memory of its own for one object that a function returned by value; address 0 is its start."""

    def __init__(self, data: bytes) -> None:
        self._data = bytearray(data)

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes."""
        return bytes(self._data[address : address + size])

    def write(self, address: int, data: bytes) -> None:
        """Replace len(data) bytes."""
        self._data[address : address + len(data)] = data


class View:
    """A place in memory: `address_` in `space_`, of type `type_`.

    What is not a field of the program's struct has a name that ends in an underscore.
    """

    __slots__ = ("address_", "space_", "type_")

    def __init__(self, space: Space, address: int, kind: t.Type) -> None:
        object.__setattr__(self, "space_", space)
        object.__setattr__(self, "address_", address)
        object.__setattr__(self, "type_", kind)

    space_: Space
    address_: int
    type_: t.Type

    @property
    def detached_(self) -> bool:
        """Whether the object is a copy outside the program's memory."""
        return isinstance(self.space_, Detached)

    def bytes_(self) -> bytes:
        """The object's bytes in memory order."""
        return self.space_.read(self.address_, self.type_.size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, View):
            return NotImplemented
        mine, theirs = (self.space_, self.address_, self.type_), (other.space_, other.address_, other.type_)
        return mine[0] is theirs[0] and mine[1:] == theirs[1:]

    def __hash__(self) -> int:
        return hash(self.address_)


class StructView(View):
    """A struct: its fields are attributes."""

    __slots__ = ()

    def _field(self, name: str) -> t.StructField:
        fields = cast(t.StructType, self.type_).fields
        if name not in fields:
            raise AttributeError(f"{self.type_.name} has no field {name!r}; it has {', '.join(fields)}")
        return fields[name]

    def __getattr__(self, name: str) -> Any:
        field = self._field(name)
        return load_place(self.space_, self.address_ + field.offset, field.type)

    def __setattr__(self, name: str, value: Any) -> None:
        field = self._field(name)
        store_place(self.space_, self.address_ + field.offset, field.type, value)

    def dict_(self) -> dict[str, Any]:
        """Field name -> value; nested structs are dicts, arrays and slices lists."""
        return {name: plain(getattr(self, name)) for name in cast(t.StructType, self.type_).fields}

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.dict_().items())
        return f"{self.type_.name}({fields})"


class ArrayView(View):
    """A fixed array or the elements of a slice: a sequence."""

    __slots__ = ()

    @property
    def _array(self) -> t.ArrayType:
        return cast(t.ArrayType, self.type_)

    def __len__(self) -> int:
        return self._array.count

    def _at(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} is out of range: {self.type_.name} has {len(self)} elements")
        return self.address_ + index * self._array.element.size

    def __getitem__(self, index: int) -> Any:
        return load_place(self.space_, self._at(index), self._array.element)

    def __setitem__(self, index: int, value: Any) -> None:
        store_place(self.space_, self._at(index), self._array.element, value)

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self._array.element, t.IntType):
            return iter(unpack_integers(self._array.element, self.bytes_()))
        return (self[index] for index in range(len(self)))

    def __bytes__(self) -> bytes:
        return self.bytes_()

    def __repr__(self) -> str:
        return repr(plain(self))


class PointerView(View):
    """A `Ptr[T]`: `type_` is T. `.value` and `[i]` are what it points to."""

    __slots__ = ()

    @property
    def value(self) -> Any:
        """What it points to."""
        return load_place(self.space_, self.address_, self.type_)

    def __getitem__(self, index: int) -> Any:
        return load_place(self.space_, self.address_ + index * self.type_.size, self.type_)

    def __setitem__(self, index: int, value: Any) -> None:
        store_place(self.space_, self.address_ + index * self.type_.size, self.type_, value)

    def __repr__(self) -> str:
        return f"Ptr[{self.type_.name}]({self.address_:#x})"


def array_view(space: Space, address: int, element: t.Type, count: int) -> ArrayView:
    """A view of `count` elements at `address`."""
    return ArrayView(space, address, t.ArrayType(f"Array[{element.name}, {count}]", element, count))


def plain(value: Any) -> Any:
    """A copy of a view's contents as dicts and lists; any other value as it is."""
    if isinstance(value, StructView):
        return value.dict_()
    if isinstance(value, ArrayView):
        return [plain(element) for element in value]
    return value


def pack_integers(kind: t.IntType, values: Sequence[Any]) -> bytes:
    """The bytes of integers in a row; HostError when one is not an integer of the type."""
    try:
        return struct.pack(f"<{len(values)}{_FORMATS[kind]}", *values)
    except (struct.error, TypeError):
        return b"".join(to_number(kind, value).to_bytes(kind.size, "little", signed=kind.signed) for value in values)


def unpack_integers(kind: t.IntType, data: bytes) -> tuple[int, ...]:
    """The integers that lie in a row of bytes."""
    return struct.unpack(f"<{len(data) // kind.size}{_FORMATS[kind]}", data)


def scalar_base(kind: t.Type) -> t.IntType | None:
    """The integer type behind a type that is one number, or None."""
    match kind:
        case t.IntType():
            return kind
        case t.EnumType() | t.DistinctType() | t.BitsType():
            return kind.base
        case t.PtrType() | t.MmioType():
            return t.U64
        case t.AtomicType():
            return scalar_base(kind.element)
        case _:
            return None


def from_number(space: Space, kind: t.Type, number: int) -> Any:
    """The Python value that a number of a scalar type stands for; an enum number that is no member stays an int."""
    match kind:
        case t.EnumType():
            member = kind.cls.decode(number)
            return number if member is None else member
        case t.DistinctType() | t.BitsType():
            return kind.cls(number)
        case t.PtrType():
            return PointerView(space, number, kind.target)
        case t.AtomicType():
            return from_number(space, kind.element, number)
        case _:
            return number


def to_number(kind: t.Type, value: Any) -> int:
    """The number of a scalar value; HostError when it is not one of the type or out of range."""
    base = scalar_base(kind)
    assert base is not None
    number = _number_of(kind, value)
    if not base.lowest <= number <= base.highest:
        raise HostError(f"{value!r} does not fit in {kind.name} ({base.lowest} to {base.highest})")
    return number


def _number_of(kind: t.Type, value: Any) -> int:
    match kind:
        case t.AtomicType():
            return _number_of(kind.element, cast(Any, value).initial if isinstance(value, Atomic) else value)
        case t.EnumType() if isinstance(value, Enum) and isinstance(value, kind.cls):
            return int(value.value)
        case t.DistinctType() if isinstance(value, Distinct) and isinstance(value, kind.cls):
            return value.raw
        case t.BitsType() if isinstance(value, Bits):
            return value.raw
        case t.PtrType() | t.MmioType() if isinstance(value, View) and not value.detached_:
            return value.address_
        case _ if isinstance(value, int) and not isinstance(value, bool):
            return int(value)
        case _:
            raise HostError(f"{value!r} is not a value of type {kind.name}")


def load_place(space: Space, address: int, kind: t.Type) -> Any:
    """What a place of type `kind` holds: a Python value, or a view for structs and arrays."""
    base = scalar_base(kind)
    if base is not None:
        number = int.from_bytes(space.read(address, base.size), "little", signed=base.signed)
        return from_number(space, kind, number)
    match kind:
        case t.BoolType():
            return space.read(address, 1) != b"\0"
        case t.StructType():
            return StructView(space, address, kind)
        case t.ArrayType():
            return ArrayView(space, address, kind)
        case t.SliceType():
            start, count = _pair(space, address)
            return array_view(space, start, kind.element, count)
        case t.StrType():
            start, count = _pair(space, address)
            return space.read(start, count).decode()
        case t.UntrustedType():
            return _pair(space, address)
        case t.OptionalType():
            return _load_optional(space, address, kind)
        case _:
            raise HostError(f"a place of type {kind.name} cannot be read from the host")


def _pair(space: Space, address: int) -> tuple[int, int]:
    data = space.read(address, 16)
    return int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little")


def _load_optional(space: Space, address: int, kind: t.OptionalType) -> Any:
    if t.optional_is_pointer(kind):
        number = int.from_bytes(space.read(address, 8), "little")
        return from_number(space, kind.element, number) if number else None
    present = space.read(address + kind.element.size, 1) != b"\0"
    return load_place(space, address, kind.element) if present else None


def store_place(space: Space, address: int, kind: t.Type, value: Any) -> None:
    """Put a value into a place: what `load_place` gives, or build-time values of structs and arrays."""
    base = scalar_base(kind)
    if base is not None:
        space.write(address, to_number(kind, value).to_bytes(base.size, "little", signed=base.signed))
        return
    match kind:
        case t.BoolType():
            space.write(address, bytes((bool(value),)))
        case t.StructType():
            _store_struct(space, address, kind, value)
        case t.ArrayType():
            _store_array(space, address, kind, value)
        case t.SliceType() if isinstance(value, ArrayView) and not value.detached_:
            space.write(address, value.address_.to_bytes(8, "little") + len(value).to_bytes(8, "little"))
        case t.OptionalType():
            _store_optional(space, address, kind, value)
        case _:
            raise HostError(f"{value!r} cannot be stored in a place of type {kind.name}")


def is_build_time_struct(value: object) -> bool:
    """Whether `value` is an instance of an `@struct` class, as module-level code makes them."""
    return hasattr(value, STRUCT_OPTIONS)


def _store_struct(space: Space, address: int, kind: t.StructType, value: Any) -> None:
    if isinstance(value, StructView):
        if value.type_ != kind:
            raise HostError(f"a {value.type_.name} cannot be stored in a place of type {kind.name}")
        space.write(address, value.bytes_())
        return
    if isinstance(value, Mapping):
        fields = dict(cast(Mapping[str, Any], value))
    elif is_build_time_struct(value):
        fields = {name: getattr(value, name) for name in kind.fields}
    else:
        raise HostError(f"{value!r} is not a value of type {kind.name}")
    store_fields(space, address, kind, fields)


def store_fields(space: Space, address: int, kind: t.StructType, fields: Mapping[str, Any]) -> None:
    """Fill a struct from field values; what is not named takes its default, or zero where it has none."""
    unknown = [name for name in fields if name not in kind.fields]
    if unknown:
        raise HostError(f"{kind.name} has no field {unknown[0]!r}; it has {', '.join(kind.fields)}")
    space.write(address, bytes(kind.size))
    for name, field in kind.fields.items():
        if name in fields:
            store_place(space, address + field.offset, field.type, fields[name])
        elif field.has_default:
            store_place(space, address + field.offset, field.type, field.default)


def _store_array(space: Space, address: int, kind: t.ArrayType, value: Any) -> None:
    elements: list[Any]
    if isinstance(value, ArrayValue):
        if value.elements is None and value.of is None:
            space.write(address, bytes(kind.size))
            return
        elements = [value.of] * value.count if value.elements is None else value.elements
    elif isinstance(value, Iterable):
        elements = list(cast(Any, value))
    else:
        raise HostError(f"{value!r} is not a value of type {kind.name}")
    if len(elements) != kind.count:
        raise HostError(f"{len(elements)} elements given for {kind.name}")
    store_elements(space, address, kind.element, elements)


def store_elements(space: Space, address: int, element: t.Type, values: Sequence[Any]) -> None:
    """Put values into places of one type in a row."""
    if isinstance(element, t.IntType):
        space.write(address, pack_integers(element, values))
        return
    for index, value in enumerate(values):
        store_place(space, address + index * element.size, element, value)


def _store_optional(space: Space, address: int, kind: t.OptionalType, value: Any) -> None:
    if t.optional_is_pointer(kind):
        target = t.U64 if value is None else kind.element
        store_place(space, address, target, 0 if value is None else value)
        return
    space.write(address, bytes(kind.size))
    if value is not None:
        store_place(space, address, kind.element, value)
        space.write(address + kind.element.size, b"\1")
