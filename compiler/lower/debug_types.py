"""DWARF descriptions of the dialect's types, so that a debugger shows values as the source means them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from compiler.language.types import (
    FORMAT,
    STR,
    U64,
    UNTRUSTED,
    ArrayType,
    AtomicType,
    BitsType,
    BoolType,
    DistinctType,
    EnumType,
    IntType,
    MmioType,
    OptionalType,
    PerCpuType,
    PtrType,
    ResultType,
    SliceType,
    StructType,
    Type,
    optional_is_pointer,
)
from compiler.lower.metadata import Metadata
from compiler.lower.text import string

_Member = tuple[str, str, int, int]
"""Name, type reference, size and offset in bits."""


class DebugTypes:
    """Metadata nodes of types, made when first asked for. `file` is the node that structures are said to stand in."""

    def __init__(self, metadata: Metadata, file: str) -> None:
        self._metadata = metadata
        self._file = file
        self._known: dict[Type, str] = {}

    def of(self, kind: Type) -> str:
        """Reference to the type; `null` where it has no values."""
        known = self._known.get(kind)
        if known is None:
            known = self._describe(kind)
            self._known[kind] = known
        return known

    def reference_to(self, kind: Type) -> str:
        """A reference to a structure or array, which debuggers show as the thing itself."""
        return self._metadata.node(f"!DIDerivedType(tag: DW_TAG_reference_type, baseType: {self.of(kind)}, size: 64)")

    def of_parameter(self, kind: Type) -> str:
        """The type of a parameter, local or result: structures and arrays are references there."""
        return self.reference_to(kind) if isinstance(kind, StructType | ArrayType) else self.of(kind)

    def padded_array(self, element: Type, count: int, stride: int) -> str:
        """An array whose elements stand `stride` bytes apart (per-CPU objects)."""
        member: _Member = ("value", self.of(element), element.size * 8, 0)
        padded = self._structure(f"PerCpu[{element.name}]", stride, [member])
        return self._array(padded, count, stride * count)

    def unsigned(self, bits: int) -> str:
        """An unsigned integer."""
        return self._basic(f"u{bits}", bits, "DW_ATE_unsigned")

    def _describe(self, kind: Type) -> str:
        match kind:
            case IntType(name, bits, signed):
                return self._basic(name, bits, "DW_ATE_signed" if signed else "DW_ATE_unsigned")
            case BoolType():
                return self._basic("bool", 8, "DW_ATE_boolean")
            case DistinctType():
                return self._typedef(kind.name, self.of(kind.base))
            case EnumType():
                return self._enumeration(kind)
            case BitsType():
                return self._bit_fields(kind)
            case PtrType() | StructType() | ArrayType() | AtomicType() | PerCpuType() | MmioType():
                return self._in_memory(kind)
            case OptionalType() | ResultType():
                return self._alternative(kind)
            case SliceType():
                return self._run(kind.name, kind.element)
            case _ if kind in (STR, UNTRUSTED):
                return self._run(kind.name, IntType("u8", 8, False))
            case _ if kind == FORMAT:
                words = ("text", "text_size", "values", "value_count")
                members = [(name, self.of(U64), 64, 64 * index) for index, name in enumerate(words)]
                return self._structure("Format", 32, members)
            case _:
                return "null"

    def _in_memory(self, kind: PtrType | StructType | ArrayType | AtomicType | PerCpuType | MmioType) -> str:
        match kind:
            case PtrType():
                return self._pointer(lambda: self.of(kind.target), kind)
            case StructType():
                return self._struct(kind)
            case ArrayType():
                return self._array(self.of(kind.element), kind.count, kind.size)
            case AtomicType():
                return self.of(kind.element)
            case PerCpuType():
                return self.of(kind.element)
            case MmioType():
                return self._typedef(kind.name, self.of(U64))

    def _pointer(self, target: Callable[[], str], kind: Type) -> str:
        # Known before its target is described, since a structure may point to itself.
        reference = self._known[kind] = self._metadata.reserve()
        text = f"!DIDerivedType(tag: DW_TAG_pointer_type, baseType: {target()}, size: 64)"
        self._metadata.define(reference, text)
        return reference

    def _struct(self, kind: StructType) -> str:
        reference = self._known[kind] = self._metadata.reserve()
        members = [
            (field.name, self.of(field.type), field.type.size * 8, field.offset * 8) for field in kind.fields.values()
        ]
        self._metadata.define(reference, "distinct " + self._structure_text(kind.name, kind.size, members))
        return reference

    def _alternative(self, kind: OptionalType | ResultType) -> str:
        if isinstance(kind, ResultType):
            code = self.of(kind.error)
            name = "error"
        elif optional_is_pointer(kind):
            if isinstance(kind.element, PtrType):
                return self.of(kind.element)
            return self._pointer(lambda: self.of(kind.element), kind)
        else:
            code = self._basic("bool", 8, "DW_ATE_boolean")
            name = "present"
        code_size = 4 if isinstance(kind, ResultType) else 1
        members: list[_Member] = []
        offset = 0
        value = self.of_parameter(kind.element)
        if value != "null":
            size = 8 if isinstance(kind.element, StructType | ArrayType) else kind.element.size
            members.append(("value", value, size * 8, 0))
            offset = (size + code_size - 1) & -code_size
        members.append((name, code, code_size * 8, offset * 8))
        return self._structure(kind.name, (offset + code_size + 7) & -8, members)

    def _run(self, name: str, element: Type) -> str:
        pointer = self._metadata.node(
            f"!DIDerivedType(tag: DW_TAG_pointer_type, baseType: {self.of(element)}, size: 64)"
        )
        return self._structure(name, 16, [("start", pointer, 64, 0), ("count", self.of(U64), 64, 64)])

    def _basic(self, name: str, bits: int, encoding: str) -> str:
        return self._metadata.node(f"!DIBasicType(name: {string(name)}, size: {bits}, encoding: {encoding})")

    def _typedef(self, name: str, base: str) -> str:
        return self._metadata.node(
            f"!DIDerivedType(tag: DW_TAG_typedef, name: {string(name)}, file: {self._file}, baseType: {base})"
        )

    def _enumeration(self, kind: EnumType) -> str:
        unsigned = "" if kind.base.signed else ", isUnsigned: true"
        members = [
            self._metadata.node(f"!DIEnumerator(name: {string(name)}, value: {value}{unsigned})")
            for name, value in kind.members.items()
        ]
        return self._metadata.node(
            f"!DICompositeType(tag: DW_TAG_enumeration_type, name: {string(kind.name)}, file: {self._file}, "
            f"baseType: {self.of(kind.base)}, size: {kind.size * 8}, elements: {self._metadata.group(members)})"
        )

    def _bit_fields(self, kind: BitsType) -> str:
        base = self.of(kind.base)
        members = [
            self._metadata.node(
                f"!DIDerivedType(tag: DW_TAG_member, name: {string(name)}, file: {self._file}, baseType: {base}, "
                f"size: {high - low + 1}, offset: {low}, flags: DIFlagBitField, extraData: i64 0)"
            )
            for name, (high, low) in sorted(kind.fields.items(), key=lambda item: item[1][1])
        ]
        if not members:
            return self._typedef(kind.name, base)
        return self._composite(kind.name, kind.size, members)

    def _structure(self, name: str, size: int, members: Sequence[_Member]) -> str:
        return self._metadata.node(self._structure_text(name, size, members))

    def _structure_text(self, name: str, size: int, members: Sequence[_Member]) -> str:
        nodes = [
            self._metadata.node(
                f"!DIDerivedType(tag: DW_TAG_member, name: {string(member)}, file: {self._file}, baseType: {kind}, "
                f"size: {bits}, offset: {offset})"
            )
            for member, kind, bits, offset in members
        ]
        return self._composite_text(name, size, nodes)

    def _composite(self, name: str, size: int, members: Sequence[str]) -> str:
        return self._metadata.node(self._composite_text(name, size, members))

    def _composite_text(self, name: str, size: int, members: Sequence[str]) -> str:
        return (
            f"!DICompositeType(tag: DW_TAG_structure_type, name: {string(name)}, file: {self._file}, "
            f"size: {size * 8}, elements: {self._metadata.group(members)})"
        )

    def _array(self, element: str, count: int, size: int) -> str:
        subrange = self._metadata.node(f"!DISubrange(count: {count})")
        return self._metadata.node(
            f"!DICompositeType(tag: DW_TAG_array_type, baseType: {element}, size: {size * 8}, "
            f"elements: {self._metadata.group([subrange])})"
        )
