"""Structures with a known layout, fixed arrays and their build-time values.

A struct is an ordinary class with annotated fields under `@struct`. Fields are laid out in order, each at its natural
alignment, unless `packed`. In a field, an array element or a static object a struct is embedded by value; as a
parameter, a local or a result it is a reference, as everywhere in Python. `Value[T]` as a result type returns a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Annotated, Any, Generic, TypeVar, cast, dataclass_transform, overload

from compiler.language.errors import BuildError, only_in_function
from compiler.language.integers import usize

T = TypeVar("T")
S = TypeVar("S")
C = TypeVar("C", bound=type[Any])


class _ByValue:
    """Marks `Value[T]`."""


BY_VALUE = _ByValue()

Value = Annotated[T, BY_VALUE]
"""Result type of a function that returns a struct by value rather than a reference to one."""


class StructOptions:
    """What `@struct` was told: packed, least alignment, and for versioned layouts the version."""

    def __init__(self, packed: bool, align: int) -> None:
        self.packed = packed
        self.align = align


STRUCT_OPTIONS = "__tantalum_struct__"
FIELD_VERSIONS = "__tantalum_versions__"


class _Since:
    """What `since` gives until `@struct` takes it apart."""

    def __init__(self, version: int, default: object) -> None:
        self.version = version
        self.default = default


def since(version: int, default: T) -> T:
    """The default of a field that layouts have from `version` on: `flags: u32 = since(0x10001, 0)`."""
    return cast(T, _Since(version, default))


@overload
def struct(cls: C, /) -> C: ...
@overload
def struct(*, packed: bool = False, align: int = 1) -> Callable[[C], C]: ...
@dataclass_transform(kw_only_default=True)
def struct(cls: C | None = None, /, *, packed: bool = False, align: int = 1) -> C | Callable[[C], C]:
    """Declare a structure. `packed`: no padding. `align`: least alignment in bytes, a power of two.

    At build time instances hold field values by name; a field without a default must be given.
    """

    def declare(target: C) -> C:
        if align & (align - 1) or align < 1:
            raise BuildError(f"@struct {target.__name__}: align={align} is not a power of two")
        setattr(target, STRUCT_OPTIONS, StructOptions(packed, align))
        setattr(target, FIELD_VERSIONS, _take_versions(target))
        setattr(target, "__init__", _initialise)  # noqa: B010
        return target

    return declare if cls is None else declare(cls)


def _take_versions(cls: type[Any]) -> dict[str, int]:
    """Field name -> first version that has it, inherited ones too; `since` gives way to the default itself."""
    versions: dict[str, int] = dict(getattr(cls, FIELD_VERSIONS, {}))
    for name, value in list(vars(cls).items()):
        if isinstance(value, _Since):
            versions[name] = value.version
            setattr(cls, name, value.default)
    return versions


@cache
def version_of(cls: type[S], version: int) -> type[S]:
    """The struct as it was laid out in `version`: without the fields that came later, and without methods.

    `EntryV10 = version_of(Entry, 0x10000)`; `copy_fields` converts between layouts, so that logic sees one form.
    """
    versions: dict[str, int] = getattr(cls, FIELD_VERSIONS, {})
    options = getattr(cls, STRUCT_OPTIONS, None)
    if options is None:
        raise BuildError(f"version_of({cls.__name__}, ...): it is not a struct")
    kept = {name: kind for name, kind in field_annotations(cls).items() if versions.get(name, version) <= version}
    body: dict[str, Any] = {"__annotations__": kept, "__module__": cls.__module__, "__doc__": cls.__doc__}
    body |= {name: getattr(cls, name) for name in kept if hasattr(cls, name)}
    made = struct(packed=options.packed, align=options.align)(type(f"{cls.__name__}_{version:#x}", (), body))
    return cast(type[S], made)


def copy_fields(target: object, source: object) -> None:
    """Copy every field that both structs have, by name; their types must agree. Others stay as they are."""
    raise only_in_function("copy_fields", target, source)


def field_annotations(cls: type[Any]) -> dict[str, Any]:
    """Field name -> annotation (text or object) of a struct class, inherited first; ClassVars are left out."""
    fields: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for name, annotation in cast(dict[str, Any], base.__dict__.get("__annotations__", {})).items():
            if not str(annotation).startswith(("ClassVar", "typing.ClassVar")):
                fields[name] = annotation
    return fields


def _initialise(self: object, **values: Any) -> None:
    cls = type(self)
    fields = field_annotations(cls)
    unknown = [name for name in values if name not in fields]
    if unknown:
        raise BuildError(f"{cls.__name__} has no field {unknown[0]!r}")
    for name in fields:
        if name in values:
            setattr(self, name, values[name])
        elif not hasattr(cls, name):
            raise BuildError(f"{cls.__name__} needs a value for field {name!r}")


class Slice(Generic[T]):
    """A run of elements: address and count. Indexing and slicing are bounds-checked; slicing gives a Slice."""

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Slice[T]: ...
    def __getitem__(self, index: int | slice) -> T | Slice[T]:
        raise only_in_function("indexing", index)

    def __setitem__(self, index: int, value: T) -> None:
        raise only_in_function("indexing", index, value)

    def __len__(self) -> int:
        raise only_in_function("len")

    def __iter__(self) -> Iterator[T]:
        raise only_in_function("iteration")


class Array(Slice[T]):
    """A fixed array; its length comes from the `array(n)` (or `constant([...])`) on its right-hand side."""


class ArrayValue(Array[Any]):
    """Build-time value of an array: a zero-filled one of `count` elements, or the given elements."""

    def __init__(self, count: int, of: Any = None, elements: list[Any] | None = None) -> None:
        if count < 0:
            raise BuildError(f"array({count}): the count must not be negative")
        self.count = count
        self.of = of
        self.elements = elements


def array(count: int, of: Any = None) -> Array[Any]:
    """`count` elements, zero-filled: `regs: Array[u64] = array(31)`. Nested: `array(4, of=array(512))`."""
    return ArrayValue(count, of)


def size_of(kind: type[Any]) -> usize:
    """Size of a type in bytes; known at build time."""
    from compiler.language.types import type_of

    return type_of(kind).size


def align_of(kind: type[Any]) -> usize:
    """Alignment of a type in bytes; known at build time."""
    from compiler.language.types import type_of

    return type_of(kind).align


def offset_of(kind: type[Any], field: str) -> usize:
    """Offset of a field (dotted for nested fields) in bytes; known at build time."""
    from compiler.language.types import field_offset

    return field_offset(kind, field)


def copy(value: S) -> S:
    """A fresh copy of a struct (or array), to be stored or kept."""
    raise only_in_function("copy", value)


def zeroed(kind: type[S]) -> S:
    """A fresh struct with every byte zero."""
    raise only_in_function("zeroed", kind)
