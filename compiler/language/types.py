"""The dialect's types as objects, and how an annotation becomes one.

Every type that a value, field, parameter or static object can have is one of the classes here. Layout (size, align,
field offsets) is computed in this file and nowhere else; the compiler, host execution and assembly blocks all ask it.
"""

from __future__ import annotations

import enum
import sys
import types as python_types
from collections.abc import Callable as AbcCallable
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, ForwardRef, NoReturn, TypeVar, Union, cast, get_args, get_origin

from compiler.language import addresses, bitfields, enums, functions, integers, memory, mmio, structs, sync
from compiler.language.errors import BuildError

POINTER_SIZE = 8
LARGEST_OBJECT = 1 << 28
"""Bytes of the largest array: more is a mistake, or memory that a linker symbol should name."""


@dataclass(frozen=True)
class Type:
    """Base; `name` is what diagnostics show."""

    name: str

    @property
    def size(self) -> int:
        """Bytes that a stored value takes."""
        raise BuildError(f"{self.name} has no size")

    @property
    def align(self) -> int:
        """Alignment of a stored value in bytes."""
        return self.size


@dataclass(frozen=True)
class IntType(Type):
    """u8..u64 (usize is u64), i8..i64."""

    bits: int
    signed: bool

    @property
    def size(self) -> int:
        return self.bits // 8

    @property
    def lowest(self) -> int:
        """Least value."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        """Greatest value."""
        return (1 << (self.bits - self.signed)) - 1


@dataclass(frozen=True)
class BoolType(Type):
    """One byte, 0 or 1."""

    @property
    def size(self) -> int:
        return 1


@dataclass(frozen=True)
class VoidType(Type):
    """No value: the result of a function that returns None; the type of the literal None."""


@dataclass(frozen=True)
class NeverType(Type):
    """Result of a function that does not return."""


@dataclass(frozen=True)
class DistinctType(Type):
    """A `Distinct` class; `is_address` for the address kinds."""

    cls: type[Any]
    base: IntType
    is_address: bool

    @property
    def size(self) -> int:
        return self.base.size


@dataclass(frozen=True)
class EnumType(Type):
    """An enumeration; members are name -> value."""

    cls: type[enums.EnumBase]
    base: IntType
    is_error: bool

    @property
    def size(self) -> int:
        return self.base.size

    @property
    def members(self) -> dict[str, int]:
        """Name -> value in order of declaration."""
        return {member.name: int(member.value) for member in self.cls}


@dataclass(frozen=True)
class BitsType(Type):
    """A `Bits` class (or the value of a system register)."""

    cls: type[Any]
    base: IntType

    @property
    def size(self) -> int:
        return self.base.size

    @property
    def fields(self) -> dict[str, tuple[int, int]]:
        """Field name -> (high bit, low bit)."""
        return dict(self.cls.fields)


@dataclass(frozen=True)
class PtrType(Type):
    """`Ptr[T]`; the target resolves lazily so that structs may point to themselves."""

    target_annotation: Any = field(hash=False, compare=False)

    @property
    def target(self) -> Type:
        """What it points to."""
        return type_of(self.target_annotation)

    @property
    def size(self) -> int:
        return POINTER_SIZE


@dataclass(frozen=True)
class SliceType(Type):
    """`Slice[T]`: address, count."""

    element: Type

    @property
    def size(self) -> int:
        return 2 * POINTER_SIZE

    @property
    def align(self) -> int:
        return POINTER_SIZE


@dataclass(frozen=True)
class StrType(Type):
    """`str`: address and count of UTF-8 bytes, read-only."""

    @property
    def size(self) -> int:
        return 2 * POINTER_SIZE

    @property
    def align(self) -> int:
        return POINTER_SIZE


@dataclass(frozen=True)
class UntrustedType(Type):
    """`UntrustedBytes`: address, count."""

    @property
    def size(self) -> int:
        return 2 * POINTER_SIZE

    @property
    def align(self) -> int:
        return POINTER_SIZE


@dataclass(frozen=True)
class FormatType(Type):
    """`Format`: text (address, count) and values (address, count)."""

    @property
    def size(self) -> int:
        return 4 * POINTER_SIZE

    @property
    def align(self) -> int:
        return POINTER_SIZE


@dataclass(frozen=True)
class ArrayType(Type):
    """A fixed array, embedded where it stands; as a parameter or local it is a reference."""

    element: Type
    count: int

    @property
    def size(self) -> int:
        return self.element.size * self.count

    @property
    def align(self) -> int:
        return self.element.align


@dataclass(frozen=True)
class AtomicType(Type):
    """`Atomic[T]`, stored as a T."""

    element: Type

    @property
    def size(self) -> int:
        return self.element.size


@dataclass(frozen=True)
class PerCpuType(Type):
    """`PerCpu[T]`: an array of T, one per CPU, padded to `stride` bytes."""

    element: Type


@dataclass(frozen=True)
class OptionalType(Type):
    """`T | None`. A pointer or struct reference uses address 0; anything else is a pair (value, present byte)."""

    element: Type

    @property
    def size(self) -> int:
        if optional_is_pointer(self):
            return POINTER_SIZE
        return _round_up(self.element.size + 1, self.element.align)

    @property
    def align(self) -> int:
        return POINTER_SIZE if optional_is_pointer(self) else self.element.align


@dataclass(frozen=True)
class ResultType(Type):
    """`T | SomeErrorEnum` (T may be None): a pair (value, error code), code 0 for success."""

    element: Type
    error: EnumType


@dataclass(frozen=True)
class TupleType(Type):
    """`tuple[A, B]`: several results of a function, unpacked at once."""

    elements: tuple[Type, ...]


@dataclass(frozen=True)
class FunctionType(Type):
    """`Callable[[A, B], R]`, only in function tables and as `Const` parameters."""

    parameters: tuple[Type, ...]
    result: Type


@dataclass(frozen=True)
class FunctionTableType(Type):
    """`FunctionTable[Callable[...]]`."""

    function: FunctionType


@dataclass(frozen=True)
class MmioType(Type):
    """An `MmioBlock` class; a value is the base address."""

    cls: type[Any]

    @property
    def size(self) -> int:
        return POINTER_SIZE


@dataclass(frozen=True)
class TypeVariable(Type):
    """A TypeVar of a generic function, replaced when it is specialised."""

    variable: Any


@dataclass(frozen=True)
class ConstType(Type):
    """`Const[T]`: a compile-time parameter."""

    element: Type


@dataclass(frozen=True)
class ClassType(Type):
    """`type[T]`, only inside `Const[...]`: a class of the dialect given at build time."""

    instance: Type


@dataclass(frozen=True)
class ValueType(Type):
    """`Value[T]`: a struct returned by value."""

    element: Type


@dataclass(frozen=True)
class StructField:
    """One field: its type, offset in bytes and default (None: it must be given)."""

    name: str
    type: Type
    offset: int
    default: Any
    has_default: bool


@dataclass(frozen=True)
class StructType(Type):
    """A struct class; two StructTypes are equal when they stand for the same class."""

    cls: type[Any]

    @property
    def layout(self) -> StructLayout:
        """Fields with offsets, size and alignment."""
        return _layout_of(cast(Any, self.cls))

    @property
    def fields(self) -> dict[str, StructField]:
        """Field name -> field."""
        return self.layout.fields

    @property
    def size(self) -> int:
        return self.layout.size

    @property
    def align(self) -> int:
        return self.layout.align


@dataclass(frozen=True)
class StructLayout:
    """What layout computes for a struct."""

    fields: dict[str, StructField]
    size: int
    align: int


U8 = IntType("u8", 8, False)
U16 = IntType("u16", 16, False)
U32 = IntType("u32", 32, False)
U64 = IntType("u64", 64, False)
I8 = IntType("i8", 8, True)
I16 = IntType("i16", 16, True)
I32 = IntType("i32", 32, True)
I64 = IntType("i64", 64, True)
INTEGERS = {kind.name: kind for kind in (U8, U16, U32, U64, I8, I16, I32, I64)}
BOOL = BoolType("bool")
VOID = VoidType("None")
NEVER = NeverType("NoReturn")
STR = StrType("str")
UNTRUSTED = UntrustedType("UntrustedBytes")
FORMAT = FormatType("Format")

_ENUM_BASES: dict[type[Any], IntType] = {
    enums.EnumU8: U8,
    enums.EnumU16: U16,
    enums.EnumU32: U32,
    enums.EnumU64: U64,
    enums.EnumI32: I32,
    enums.ErrorEnum: I32,
}


_NO_HEAP = "there is no heap; an array is `Array[T] = array(n)`, a parameter that takes any length `Slice[T]`"
_INSTEAD: dict[Any, str] = {
    int: "int has no width; write u8, u16, u32, u64, i8, i16, i32 or i64",
    float: "float does not exist: the dialect has integers only",
    complex: "complex does not exist: the dialect has integers only",
    bytes: "bytes does not exist; write Slice[u8]",
    bytearray: "bytearray does not exist; write Slice[u8], or Array[u8] = array(n)",
    list: f"list does not exist: {_NO_HEAP}",
    dict: f"dict does not exist: {_NO_HEAP}",
    set: f"set does not exist: {_NO_HEAP}",
    object: "object is no type of the dialect; name the struct, or use a TypeVar",
}
"""Types of Python -> what to say of them."""


def type_of(annotation: Any) -> Type:
    """The type that an annotation object (evaluated, not text) stands for.

    Raises BuildError with what was found and what to write instead. An `Array[T]` needs a length and so has no type
    of its own here: see `array_type`. A Type stands for itself.
    """
    if isinstance(annotation, Type):
        return annotation
    if annotation is None or annotation is type(None):
        return VOID
    if isinstance(annotation, TypeVar):
        return TypeVariable(annotation.__name__, annotation)
    origin: Any = get_origin(annotation)
    if origin is not None:
        return _generic(annotation, origin)
    if isinstance(annotation, type):
        return _class_type(cast(type[Any], annotation))
    if annotation is NoReturn:
        return NEVER
    raise BuildError(f"{annotation!r} is not a type of the dialect")


def _class_type(cls: type[Any]) -> Type:
    simple: dict[Any, Type] = {
        bool: BOOL,
        str: STR,
        memory.UntrustedBytes: UNTRUSTED,
        functions.Format: FORMAT,
    }
    if cls in simple:
        return simple[cls]
    if cls.__module__ == integers.__name__ and cls.__name__ in INTEGERS:
        return INTEGERS[cls.__name__]
    if cls in _INSTEAD:
        raise BuildError(_INSTEAD[cls])
    if issubclass(cls, enums.EnumBase):
        return _enum_type(cls)
    if issubclass(cls, addresses.Distinct):
        base = cast(IntType, type_of(cls.base))
        return DistinctType(cls.__name__, cls, base, issubclass(cls, addresses.Address))
    if issubclass(cls, bitfields.Bits):
        return BitsType(cls.__name__, cls, cast(IntType, type_of(cls.base)))
    if issubclass(cls, mmio.MmioBlock):
        return MmioType(cls.__name__, cls)
    if structs.STRUCT_OPTIONS in cls.__dict__ or hasattr(cls, structs.STRUCT_OPTIONS):
        return StructType(cls.__name__, cls)
    if issubclass(cls, enum.Enum):
        raise BuildError(
            f"{cls.__name__} is a plain Enum without a width; derive it from EnumU8, EnumU32, ... or ErrorEnum"
        )
    raise BuildError(f"class {cls.__name__} is not a type of the dialect; is @struct missing above it?")


def _enum_type(cls: type[enums.EnumBase]) -> EnumType:
    for base in cls.__mro__:
        if base in _ENUM_BASES:
            width = _ENUM_BASES[base]
            is_error = base is enums.ErrorEnum
            for member in cls:
                _check_member(cls, member, width, is_error)
            return EnumType(cls.__name__, cls, width, is_error)
    raise BuildError(f"{cls.__name__} has no width; derive it from EnumU8, EnumU16, EnumU32, EnumU64 or EnumI32")


def _check_member(cls: type[enums.EnumBase], member: Any, width: IntType, is_error: bool) -> None:
    value = member.value
    if not isinstance(value, int) or not width.lowest <= value <= width.highest:
        raise BuildError(f"{cls.__name__}.{member.name} = {value!r} does not fit in {width.name}")
    if is_error and value == 0:
        raise BuildError(f"{cls.__name__}.{member.name} is 0; in an ErrorEnum 0 means success, so no member may be 0")


def _generic(annotation: Any, origin: Any) -> Type:
    arguments = get_args(annotation)
    if origin in (Union, python_types.UnionType):
        return _union(arguments)
    if origin is Annotated:
        return _annotated(arguments)
    if origin is type:
        instance = type_of(arguments[0])
        return ClassType(f"type[{instance.name}]", instance)
    if origin is memory.Ptr:
        target: Any = arguments[0]
        return PtrType(f"Ptr[{_annotation_name(target)}]", target)
    if origin is structs.Slice:
        element = type_of(arguments[0])
        return SliceType(f"Slice[{element.name}]", element)
    if origin is structs.Array:
        raise BuildError(
            f"Array[{_annotation_name(arguments[0])}] needs its length: give `= array(n)`; parameters take a Slice"
        )
    if origin is sync.Atomic:
        element = type_of(arguments[0])
        if element.size not in (1, 2, 4, 8):
            raise BuildError(f"Atomic[{element.name}]: {element.size} bytes cannot be changed in one access")
        return AtomicType(f"Atomic[{element.name}]", element)
    if origin is tuple:
        elements = tuple(type_of(argument) for argument in arguments)
        return TupleType(f"tuple[{', '.join(element.name for element in elements)}]", elements)
    if origin is memory.PerCpu:
        element = type_of(arguments[0])
        return PerCpuType(f"PerCpu[{element.name}]", element)
    if origin is memory.FunctionTable:
        return FunctionTableType("FunctionTable", cast(FunctionType, type_of(arguments[0])))
    if origin in _INSTEAD:
        raise BuildError(_INSTEAD[origin])
    if origin is AbcCallable:
        parameters = tuple(type_of(parameter) for parameter in arguments[0])
        result = type_of(arguments[1])
        name = f"Callable[[{', '.join(parameter.name for parameter in parameters)}], {result.name}]"
        return FunctionType(name, parameters, result)
    raise BuildError(f"{annotation!r} is not a type of the dialect")


def _union(arguments: tuple[Any, ...]) -> Type:
    kinds = [type_of(argument) for argument in arguments]
    errors = [kind for kind in kinds if isinstance(kind, EnumType) and kind.is_error]
    rest = [kind for kind in kinds if kind not in errors]
    if len(kinds) == 2 and len(errors) == 1:
        return ResultType(f"{rest[0].name} | {errors[0].name}", rest[0], errors[0])
    if len(kinds) == 2 and VOID in kinds:
        element = kinds[0] if kinds[1] == VOID else kinds[1]
        return OptionalType(f"{element.name} | None", element)
    names = " | ".join(kind.name for kind in kinds)
    raise BuildError(f"{names}: a union is `T | None` or `T | E` with E an ErrorEnum")


def _annotated(arguments: tuple[Any, ...]) -> Type:
    element = type_of(arguments[0])
    if structs.BY_VALUE in arguments[1:]:
        return ValueType(f"Value[{element.name}]", element)
    if functions.CONSTANT in arguments[1:]:
        return ConstType(f"Const[{element.name}]", element)
    return element


def _annotation_name(annotation: Any) -> str:
    return getattr(annotation, "__name__", str(annotation))


def array_type(annotation: Any, value: Any) -> Type:
    """The type of a field or static object: `annotation`, with the length that `value` (`array(n)`) gives it."""
    if get_origin(annotation) is not structs.Array:
        return type_of(annotation)
    if not isinstance(value, structs.ArrayValue):
        raise BuildError(f"{annotation!r} needs its length on the right-hand side: `= array(n)`")
    element = array_type(get_args(annotation)[0], value.of)
    if element.size * value.count > LARGEST_OBJECT:
        shown = f"{value.count} elements of {element.size} bytes"
        raise BuildError(f"{shown} are more than the {LARGEST_OBJECT >> 20} MiB that one object may have")
    return ArrayType(f"Array[{element.name}, {value.count}]", element, value.count)


def evaluate_annotation(text: Any, module: str) -> Any:
    """Evaluate annotation text in the namespace of the module named `module`; an object stands for itself."""
    namespace = vars(sys.modules[module])
    try:
        return resolve_names(eval(text, dict(namespace)) if isinstance(text, str) else text, namespace)
    except NameError as error:
        raise BuildError(f"annotation `{text}`: {error}") from error
    except (SyntaxError, TypeError, AttributeError) as error:
        raise BuildError(f"annotation `{text}` is not a type of the dialect: {error}") from error


def resolve_names(annotation: Any, namespace: Mapping[str, Any]) -> Any:
    """The annotation with the names that stand in it as strings, such as `Ptr["Node"]`, looked up."""
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        return resolve_names(eval(annotation, dict(namespace)), namespace)
    found: tuple[Any, ...] = get_args(annotation)
    if not any(isinstance(part, str | ForwardRef) or get_args(part) for part in found):
        return annotation

    def resolve(part: Any) -> Any:
        return cast(Any, part) if isinstance(part, list) else resolve_names(part, namespace)

    parts = tuple(map(resolve, found))
    if parts == found:
        return annotation
    origin: Any = get_origin(annotation)
    if origin in (Union, python_types.UnionType):
        first, second, *_ = parts
        return first | second
    return Annotated[parts] if origin is Annotated else origin[parts]


@cache
def _layout_of(cls: Any) -> StructLayout:
    options = cast(structs.StructOptions, getattr(cls, structs.STRUCT_OPTIONS))
    fields: dict[str, StructField] = {}
    offset = 0
    align = options.align
    for name, text in structs.field_annotations(cls).items():
        owner = next(base for base in cls.__mro__ if name in base.__dict__.get("__annotations__", {}))
        default = getattr(cls, name, None)
        kind = _field_type(cls, name, text, owner.__module__, default)
        field_align = 1 if options.packed else kind.align
        offset = _round_up(offset, field_align)
        if options.packed:
            _check_packed_field(cls, name, kind, offset, options.align)
        fields[name] = StructField(name, kind, offset, default, hasattr(cls, name))
        offset += kind.size
        align = max(align, field_align)
    size = _round_up(offset, align)
    return StructLayout(fields, max(size, align), align)


def _check_packed_field(cls: type[Any], name: str, kind: Type, offset: int, align: int) -> None:
    """What is reached by reference must be aligned as its type promises, in a packed struct too."""
    referenced = isinstance(kind, StructType | ArrayType | AtomicType)
    if referenced and (offset % kind.align or align < kind.align):
        raise BuildError(
            f"{cls.__name__}.{name}: {kind.name} needs an alignment of {kind.align}, but stands at offset {offset} of "
            f"a packed struct of alignment {align}; make {kind.name} packed too, or order the fields and give "
            f"@struct(packed=True, align={kind.align})"
        )


def _field_type(cls: type[Any], name: str, text: Any, module: str, default: Any) -> Type:
    try:
        kind = array_type(evaluate_annotation(text, module), default)
    except BuildError as error:
        raise BuildError(f"{cls.__name__}.{name}: {error}") from error
    if isinstance(kind, StructType) and kind.cls is cls:
        raise BuildError(f"{cls.__name__}.{name}: a struct cannot contain itself; use Ptr[{cls.__name__}]")
    not_fields = (
        VoidType, NeverType, TypeVariable, ConstType, ValueType, FunctionType, FunctionTableType, PerCpuType,
        TupleType, ResultType, FormatType,
    )  # fmt: skip
    if isinstance(kind, OptionalType) and isinstance(kind.element, StructType):
        raise BuildError(f"{cls.__name__}.{name}: write Ptr[{kind.element.name}] | None for a field that refers to one")
    if isinstance(kind, not_fields):
        raise BuildError(f"{cls.__name__}.{name}: a field cannot be of type {kind.name}")
    return kind


def _round_up(value: int, alignment: int) -> int:
    return (value + alignment - 1) & ~(alignment - 1)


def optional_is_pointer(kind: OptionalType) -> bool:
    """Whether absence is address 0: for pointers, references to structs and devices."""
    return isinstance(kind.element, PtrType | StructType | ArrayType | MmioType)


def field_offset(cls: type[Any], path: str) -> int:
    """Offset of a dotted field path in bytes, e.g. "context.x19" or "regs[3]"."""
    kind: Type = type_of(cls)
    offset = 0
    for part in path.replace("[", ".[").split("."):
        if part.startswith("[") and isinstance(kind, ArrayType):
            index = int(part[1:-1], 0)
            if not 0 <= index < kind.count:
                raise BuildError(f"{path}: index {index} is out of range, {kind.name} has {kind.count} elements")
            offset += index * kind.element.size
            kind = kind.element
        elif isinstance(kind, StructType) and part in kind.fields:
            offset += kind.fields[part].offset
            kind = kind.fields[part].type
        else:
            raise BuildError(f"{cls.__name__} has no field {path!r} ({part!r} not found)")
    return offset
