"""Static objects: build-time values as bytes and relocations; string literals; per-CPU copies; function tables.

A static object is named by the module global that it was assigned to, whose annotation is its type.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, get_args, get_origin

from compiler.check import loading, places
from compiler.check.annotations import AnnotationError, check_layout
from compiler.check.constants import describe_object
from compiler.check.context import FunctionChecker
from compiler.check.sources import ParsedFile
from compiler.check.values import Abandon, Value, class_of, initial_value
from compiler.language.addresses import Distinct
from compiler.language.bitfields import Bits
from compiler.language.errors import BuildError
from compiler.language.memory import FunctionTable, LinkerSymbol, PerCpu
from compiler.language.memory import StaticObject as StaticRecord
from compiler.language.structs import STRUCT_OPTIONS, ArrayValue
from compiler.language.types import (
    U8,
    ArrayType,
    AtomicType,
    BitsType,
    BoolType,
    DistinctType,
    EnumType,
    IntType,
    OptionalType,
    PerCpuType,
    PtrType,
    SliceType,
    StrType,
    StructType,
    Type,
    array_type,
    optional_is_pointer,
    type_of,
)
from compiler.program.nodes import Span, StaticAddress
from compiler.program.program import Relocation, StaticObject, Table

if TYPE_CHECKING:
    from compiler.check.program import ProgramChecker


class EncodingError(Exception):
    """A build-time value that is none of its type; the text says why."""


@dataclass(frozen=True)
class Named:
    """A static object with its type, and for per-CPU objects how many and how far apart."""

    object: StaticObject
    type: Type
    count: int = 1
    stride: int = 0


@dataclass(frozen=True)
class _Definition:
    module: ModuleType
    name: str
    span: Span | None


class Statics:
    """The static objects of a program in the order in which functions name them."""

    def __init__(self, checker: ProgramChecker) -> None:
        self._checker = checker
        self.objects: list[StaticObject] = []
        self.tables: list[Table] = []
        self._strings: dict[bytes, StaticObject] = {}
        self._images: dict[tuple[Type, bytes], StaticObject] = {}
        self._named: dict[int, Named | None] = {}
        self._tables: dict[int, Table] = {}
        self._definitions: dict[int, _Definition] = {}
        self._kept: list[object] = []

    def string(self, data: bytes) -> StaticObject:
        """Read-only bytes, equal ones once."""
        if data not in self._strings:
            kind = ArrayType(f"Array[u8, {len(data)}]", U8, len(data))
            symbol = self._checker.unique_symbol(f"string.{len(self._strings)}")
            made = StaticObject(symbol, symbol, "", kind, len(data), 1, False, data)
            self._strings[data] = made
            self.objects.append(made)
        return self._strings[data]

    def value(self, fn: FunctionChecker, record: StaticRecord, node: ast.AST) -> Value:
        """What a function reads by the name of a static object."""
        named = self.named(fn, record, node)
        address = StaticAddress(named.object)
        if isinstance(named.type, PerCpuType):
            return Value(named.type, address, named.object.align)
        place = places.Place(named.type, address, named.object.align, readonly=not record.mutable)
        return places.load(fn, place)

    def named(self, fn: FunctionChecker, record: StaticRecord, node: ast.AST | Span) -> Named:
        """The static object of a build-time record; reports an error once where it cannot be made."""
        key = id(record)
        if key not in self._named:
            self._kept.append(record)
            self._named[key] = None
            self._named[key] = self._make(fn, record, node)
        found = self._named[key]
        if found is None:
            raise Abandon
        return found

    def _make(self, fn: FunctionChecker, record: StaticRecord, node: ast.AST | Span) -> Named:
        definition = self._definition(record)
        if definition is None:
            fix = "`NAME: T = static(...)` at module level"
            fn.fail("E0602", "this is a static object that no module global names", node, fix=fix)
        where = definition.span or node

        def fail(message: str) -> NoReturn:
            fn.fail("E0603", f"`{definition.name}`: {message}", where)

        try:
            kind = self._type(record, definition)
            check_layout(kind.element if isinstance(kind, PerCpuType) else kind)
        except (BuildError, AnnotationError) as error:
            fn.fail("E0602", f"`{definition.name}`: {error}", where)
        return self._encoded(record, definition, kind, fail)

    def _encoded(
        self, record: StaticRecord, definition: _Definition, kind: Type, fail: Callable[[str], NoReturn]
    ) -> Named:
        element = kind.element if isinstance(kind, PerCpuType) else kind
        try:
            align = max(element.align, record.align or 1)
            size = element.size
        except BuildError as error:
            fail(str(error))
        if align & (align - 1):
            fail(f"align={record.align} is not a power of two")
        count, stride, value = 1, size, record.value
        if isinstance(kind, PerCpuType):
            assert isinstance(value, ArrayValue)
            count, stride, value = value.count, -(-size // align) * align, value.of
        module = definition.module.__name__
        made = StaticObject(
            symbol=self._checker.unique_symbol(f"{module}.{definition.name}"),
            source_name=definition.name,
            module=module,
            type=kind,
            size=stride * count,
            align=align,
            mutable=record.mutable,
            data=b"",
            section=record.section,
            span=definition.span,
        )
        self.objects.append(made)
        data = bytearray(stride * count)
        for index in range(count):
            try:
                self.encode(element, value, data, index * stride, made.relocations)
            except EncodingError as error:
                fail(str(error))
        made.data = bytes(data)
        return Named(made, kind, count, stride)

    def _type(self, record: StaticRecord, definition: _Definition) -> Type:
        annotations = getattr(definition.module, "__annotations__", {})
        annotation = annotations.get(definition.name)
        if annotation is None:
            value = record.value.of if record.per_cpu and isinstance(record.value, ArrayValue) else record.value
            if not hasattr(class_of(value), STRUCT_OPTIONS):
                raise BuildError("a static object needs an annotation: `NAME: T = static(...)`")
            kind = type_of(type(value))
            return PerCpuType(f"PerCpu[{kind.name}]", kind) if record.per_cpu else kind
        if isinstance(annotation, str):
            annotation = self._checker.annotations.evaluate_text(annotation, vars(definition.module))
        if record.per_cpu:
            if get_origin(annotation) is not PerCpu:
                raise BuildError(f"per_cpu() makes a PerCpu[T], the annotation is {annotation!r}")
            inner = array_type(get_args(annotation)[0], record.value.of)  # type: ignore[attr-defined]
            return PerCpuType(f"PerCpu[{inner.name}]", inner)
        return array_type(annotation, record.value)

    def _definition(self, record: StaticRecord) -> _Definition | None:
        """The module global that a record was assigned to."""
        if id(record) not in self._definitions:
            self._index()
        return self._definitions.get(id(record))

    def _index(self) -> None:
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if not isinstance(file, str) or loading.is_library_file(file):
                continue
            kinds = (StaticRecord, FunctionTable)
            records: dict[str, object] = {name: item for name, item in vars(module).items() if isinstance(item, kinds)}
            if not records:
                continue
            try:
                parsed = self._checker.sources.load(file)
            except (OSError, SyntaxError, ValueError):
                continue
            for name, span in _assigned_globals(parsed).items():
                if name in records:
                    self._definitions.setdefault(id(records[name]), _Definition(module, name, span))

    def by_object(self, wanted: StaticObject) -> Named:
        """What is known of a static object made here."""
        return next(named for named in self._named.values() if named is not None and named.object is wanted)

    def place(self, fn: FunctionChecker, tree: ast.Name) -> places.Place | None:
        """The place of the static object that a global name stands for; None when it is something else."""
        found = fn.namespace.get(tree.id) if tree.id not in fn.variables else None
        if not isinstance(found, StaticRecord):
            return None
        named = self.named(fn, found, tree)
        return places.Place(named.type, StaticAddress(named.object), named.object.align, readonly=not found.mutable)

    def table(self, record: object) -> Table | None:
        """The table made for a FunctionTable."""
        return self._tables.get(id(record))

    def add_table(self, record: object, table: Table) -> None:
        """Remember the table of a FunctionTable."""
        self._kept.append(record)
        self._tables[id(record)] = table
        self.tables.append(table)

    def table_name(self, record: object) -> tuple[str, Span | None]:
        """Symbol and place of a FunctionTable: those of the module global that names it."""
        self._index()
        definition = self._definitions.get(id(record))
        if definition is None:
            return "table", None
        return f"{definition.module.__name__}.{definition.name}", definition.span

    # Values as bytes

    def image(self, fn: FunctionChecker, kind: Type, value: Any, node: ast.AST) -> StaticObject | None:
        """A read-only object with a build-time value; None when every byte is zero."""
        data = bytearray(kind.size)
        relocations: list[Relocation] = []
        try:
            self.encode(kind, value, data, 0, relocations)
        except EncodingError as error:
            fn.fail("E0603", str(error), node)
        if not any(data) and not relocations:
            return None
        key = (kind, bytes(data))
        if relocations or key not in self._images:
            symbol = self._checker.unique_symbol(f"constant.{len(self._images)}")
            made = StaticObject(symbol, symbol, "", kind, kind.size, kind.align, False, bytes(data), relocations)
            self.objects.append(made)
            if relocations:
                return made
            self._images[key] = made
        return self._images[key]

    def encode(self, kind: Type, value: Any, data: bytearray, at: int, relocations: list[Relocation]) -> None:
        """Put a build-time value of a type into `data` at an offset. Raises EncodingError."""
        if isinstance(kind, StructType):
            self._encode_struct(kind, value, data, at, relocations)
        elif isinstance(kind, ArrayType):
            self._encode_array(kind, value, data, at, relocations)
        elif isinstance(kind, AtomicType):
            self.encode(kind.element, initial_value(value), data, at, relocations)
        elif isinstance(kind, OptionalType):
            if value is not None:
                self.encode(kind.element, value, data, at, relocations)
                if not optional_is_pointer(kind):
                    data[at + kind.element.size] = 1
        elif isinstance(kind, PtrType):
            self._encode_pointer(kind, value, at, relocations)
        elif isinstance(kind, StrType):
            if not isinstance(value, str):
                raise EncodingError(f"expected str, found {describe_object(value)}")
            self._encode_run(self.string(value.encode()), len(value.encode()), data, at, relocations)
        elif isinstance(kind, SliceType):
            self._encode_slice(kind, value, data, at, relocations)
        elif isinstance(value, LinkerSymbol) and isinstance(kind, DistinctType) and kind.size == 8:
            relocations.append(Relocation(at, value.name, 0))
        else:
            number, size = scalar(kind, value)
            data[at : at + size] = number.to_bytes(size, "little", signed=number < 0)

    def _encode_struct(
        self, kind: StructType, value: Any, data: bytearray, at: int, relocations: list[Relocation]
    ) -> None:
        if not isinstance(value, kind.cls):
            raise EncodingError(f"expected {kind.name}, found {describe_object(value)}")
        for name, field in kind.fields.items():
            try:
                self.encode(field.type, getattr(value, name, None), data, at + field.offset, relocations)
            except EncodingError as error:
                raise EncodingError(f"field `{name}` of {kind.name}: {error}") from error

    def _encode_array(
        self, kind: ArrayType, value: Any, data: bytearray, at: int, relocations: list[Relocation]
    ) -> None:
        elements: Any = value.elements if isinstance(value, ArrayValue) else value
        if isinstance(value, StaticRecord):
            elements = getattr(value.value, "elements", None)
        if elements is None:
            if not isinstance(value, ArrayValue):
                raise EncodingError(f"expected {kind.name}, found {describe_object(value)}")
            return
        if not isinstance(elements, list | tuple) or len(elements) > kind.count:  # pyright: ignore[reportUnknownArgumentType]
            raise EncodingError(f"expected {kind.count} elements, found {describe_object(value)}")
        for index, element in enumerate(elements):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            try:
                self.encode(kind.element, element, data, at + index * kind.element.size, relocations)
            except EncodingError as error:
                raise EncodingError(f"element {index}: {error}") from error

    def _encode_pointer(self, kind: PtrType, value: Any, at: int, relocations: list[Relocation]) -> None:
        if isinstance(value, LinkerSymbol):
            relocations.append(Relocation(at, value.name, 0))
            return
        if not isinstance(value, StaticRecord):
            raise EncodingError(
                f"expected {kind.name}, found {describe_object(value)}; use `address_of(static object)`"
            )
        relocations.append(Relocation(at, self._target(value).object.symbol, 0))

    def _target(self, record: StaticRecord) -> Named:
        named = self._named.get(id(record))
        if named is not None:
            return named
        definition = self._definition(record)
        if definition is None:
            raise EncodingError("points to a static object that no module global names")

        def fail(message: str) -> NoReturn:
            raise EncodingError(f"`{definition.name}`: {message}")

        try:
            kind = self._type(record, definition)
        except (BuildError, AnnotationError) as error:
            fail(str(error))
        self._kept.append(record)
        named = self._encoded(record, definition, kind, fail)
        self._named[id(record)] = named
        return named

    def _encode_slice(
        self, kind: SliceType, value: Any, data: bytearray, at: int, relocations: list[Relocation]
    ) -> None:
        if isinstance(value, StaticRecord):
            target = self._target(value)
            if not isinstance(target.type, ArrayType) or target.type.element != kind.element:
                raise EncodingError(f"expected {kind.name}, found {target.type.name}")
            self._encode_run(target.object, target.type.count, data, at, relocations)
        elif isinstance(value, bytes) and kind.element == U8:
            self._encode_run(self.string(value), len(value), data, at, relocations)
        else:
            raise EncodingError(f"expected {kind.name}, found {describe_object(value)}; give it a static array")

    def _encode_run(
        self, target: StaticObject, count: int, data: bytearray, at: int, relocations: list[Relocation]
    ) -> None:
        if count:
            relocations.append(Relocation(at, target.symbol, 0))
        data[at + 8 : at + 16] = count.to_bytes(8, "little")


def scalar(kind: Type, value: Any) -> tuple[int, int]:
    """A build-time scalar as a number of the type, and its size in bytes. Raises EncodingError."""
    number: Any = None
    base: Type = kind
    if isinstance(kind, BoolType) and isinstance(value, bool):
        return int(value), 1
    if isinstance(kind, IntType) and isinstance(value, int) and not isinstance(value, bool):
        number = int(value)
    elif isinstance(kind, EnumType) and isinstance(value, Enum) and isinstance(value, kind.cls):
        number, base = int(value.value), kind.base
    elif isinstance(kind, DistinctType) and isinstance(value, Distinct) and type(value) is kind.cls:
        number, base = int(value.raw), kind.base
    elif isinstance(kind, BitsType) and isinstance(value, Bits) and type(value) is kind.cls:
        number, base = int(value.raw), kind.base
    if number is None or not isinstance(base, IntType):
        raise EncodingError(f"expected {kind.name}, found {describe_object(value)}")
    if not base.lowest <= number <= base.highest:
        raise EncodingError(f"{number} does not fit in {base.name} ({base.lowest} to {base.highest})")
    return number, base.size


def _assigned_globals(parsed: ParsedFile) -> dict[str, Span]:
    """Names that a module assigns at its top level, with the spans of the assignments."""
    found: dict[str, Span] = {}
    for node in parsed.tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = parsed.file.span(node)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = parsed.file.span(node)
    return found
