"""DWARF 4 descriptions of functions, lines, variables and static objects.

Paths are those that spans name, relative to the repository, and the compilation directory is `.`, so that an image
says nothing about the machine that built it.
"""

from __future__ import annotations

from collections.abc import Mapping

from compiler.language.types import (
    INTEGERS,
    ArrayType,
    FormatType,
    OptionalType,
    PerCpuType,
    PtrType,
    ResultType,
    SliceType,
    StrType,
    StructType,
    Type,
    TypeVariable,
    UntrustedType,
    VoidType,
    optional_is_pointer,
)
from compiler.language.types import ValueType as WrittenValueType
from compiler.lower.debug_types import DebugTypes
from compiler.lower.metadata import Metadata
from compiler.lower.text import Value, string
from compiler.program.nodes import Local, Span
from compiler.program.program import Function, Program, StackSlot, StaticObject
from compiler.program.types import Bool, Int, Pointer, Tuple, ValueType, leaves, stored_size

PRODUCER = "tantalum"


class DebugInfo:
    """Metadata of one module's only compile unit."""

    def __init__(self, metadata: Metadata, program: Program, optimised: bool) -> None:
        self._metadata = metadata
        self._optimised = optimised
        self._files: dict[str, str] = {}
        self._locations: dict[tuple[str, int, int], str] = {}
        self._globals: list[str] = []
        self._unit = metadata.reserve()
        first = program.entries[0] if program.entries else next(iter(program.functions), None)
        self._unit_file = self._file(first.span.file if first is not None else program.name)
        self.types = DebugTypes(metadata, self._unit_file)
        self._named = _types_by_name(program)
        metadata.name("llvm.dbg.cu", [self._unit])

    def finish(self) -> list[str]:
        """Define the compile unit, once everything has been described; returns the module flags to add."""
        listed = self._metadata.group(self._globals)
        self._metadata.define(
            self._unit,
            f"distinct !DICompileUnit(language: DW_LANG_Python, file: {self._unit_file}, producer: {string(PRODUCER)}, "
            f"isOptimized: {str(self._optimised).lower()}, runtimeVersion: 0, emissionKind: FullDebug, "
            f"nameTableKind: None, "
            f"globals: {listed})",
        )
        flags = ('!{i32 7, !"Dwarf Version", i32 4}', '!{i32 2, !"Debug Info Version", i32 3}')
        return [self._metadata.node(flag) for flag in flags]

    def location(self, scope: str, span: Span) -> str:
        """Suffix of an instruction at this place in a subprogram."""
        key = (scope, span.line, span.column)
        known = self._locations.get(key)
        if known is None:
            text = f"!DILocation(line: {span.line}, column: {span.column}, scope: {scope})"
            known = self._locations[key] = f", !dbg {self._metadata.node(text)}"
        return known

    def subprogram(self, function: Function) -> str:
        """Reference to the description of a defined function."""
        file = self._file(function.span.file)
        types = [self.types.of_parameter(function.signature.result)]
        types += [self.types.of_parameter(kind) for _, kind in function.signature.parameters]
        kind = self._metadata.node(f"!DISubroutineType(types: {self._metadata.group(types)})")
        local = "" if function.exported else "DISPFlagLocalToUnit | "
        optimised = " | DISPFlagOptimized" if self._optimised else ""
        return self._metadata.distinct(
            f"!DISubprogram(name: {string(function.source_name)}, "
            f"scope: {file}, file: {file}, line: {function.span.line}, type: {kind}, "
            f"scopeLine: {function.span.line}, spFlags: {local}DISPFlagDefinition{optimised}, unit: {self._unit})"
        )

    def static(self, static: StaticObject) -> str:
        """Suffix of the definition of a static object."""
        kind = self._static_type(static)
        if kind == "null" or static.span is None:
            return ""
        file = self._file(static.span.file)
        variable = self._metadata.distinct(
            f"!DIGlobalVariable(name: {string(static.source_name)}, "
            f"scope: {self._unit}, file: {file}, line: {static.span.line}, type: {kind}, isLocal: true, "
            "isDefinition: true)"
        )
        expression = self._metadata.node(f"!DIGlobalVariableExpression(var: {variable}, expr: !DIExpression())")
        self._globals.append(expression)
        return f", !dbg {expression}"

    def _static_type(self, static: StaticObject) -> str:
        kind = static.type
        if isinstance(kind, PerCpuType) and kind.element.size:
            stride = -(-kind.element.size // static.align) * static.align
            return self.types.padded_array(kind.element, static.size // stride, stride)
        return self.types.of(kind)

    def declare_variables(
        self, function: Function, scope: str, local_addresses: Mapping[Local, Value], slots: Mapping[StackSlot, str]
    ) -> list[str]:
        """Debug records that say where a function's variables are; they follow the stack allocations."""
        place = self.location(scope, function.span).removeprefix(", !dbg ")
        header = f"scope: {scope}, file: {self._file(function.span.file)}, line: {function.span.line}"
        written = dict(function.signature.parameters)
        numbers = {parameter: number for number, parameter in enumerate(function.parameters, 1)}
        in_slots = {slot.source_name for slot in slots if slot.source_name is not None}
        lines: list[str] = []
        for local, addresses in local_addresses.items():
            if local.source_name is None or (local.source_name in in_slots and local not in numbers):
                continue
            kind = written.get(local.source_name) if local in numbers else self._named.get(local.source_type)
            number = f"arg: {numbers[local]}, " if local in numbers else ""
            reference = self._variable_type(kind, local.type)
            variable = self._metadata.node(
                f"!DILocalVariable(name: {string(local.source_name)}, {number}{header}, type: {reference})"
            )
            lines += _declarations(local.type, addresses, variable, place)
        for slot, address in slots.items():
            if slot.source_name is not None and slot.source_type is not None:
                variable = self._metadata.node(
                    f"!DILocalVariable(name: {string(slot.source_name)}, {header}, "
                    f"type: {self.types.of(slot.source_type)})"
                )
                lines.append(_declaration(address, variable, "", place))
        return lines

    def _variable_type(self, written: Type | None, kind: ValueType) -> str:
        """The written type where the value has that layout, else one made up from the value's scalars."""
        if written is not None:
            reference = self.types.of_parameter(written)
            if reference != "null" and _scalar_count(written) == len(leaves(kind)):
                return reference
        return self._value_type(kind)

    def _value_type(self, kind: ValueType) -> str:
        match kind:
            case Int(bits, signed):
                return self.types.of(INTEGERS[f"{'i' if signed else 'u'}{bits}"])
            case Bool():
                return self._metadata.node('!DIBasicType(name: "bool", size: 8, encoding: DW_ATE_boolean)')
            case Pointer():
                return self.types.unsigned(64)
            case _:
                return self._tuple_type(kind)

    def _tuple_type(self, kind: ValueType) -> str:
        members: list[str] = []
        end = 0
        for index, (part, offset) in enumerate(_layout(kind)):
            size = stored_size(part)
            end = offset + size
            members.append(
                self._metadata.node(
                    f'!DIDerivedType(tag: DW_TAG_member, name: "element{index}", file: {self._unit_file}, '
                    f"baseType: {self._value_type(part)}, size: {size * 8}, offset: {offset * 8})"
                )
            )
        elements = self._metadata.group(members)
        return self._metadata.node(
            f'!DICompositeType(tag: DW_TAG_structure_type, name: "tuple", file: {self._unit_file}, '
            f"size: {((end + 7) & -8) * 8}, elements: {elements})"
        )

    def _file(self, path: str) -> str:
        known = self._files.get(path)
        if known is None:
            text = f'!DIFile(filename: {string(path)}, directory: ".")'
            known = self._files[path] = self._metadata.node(text)
        return known


def _layout(kind: ValueType) -> list[tuple[ValueType, int]]:
    """Each scalar with its offset in bytes, as the debug type of the tuple lays them out."""
    places: list[tuple[ValueType, int]] = []
    end = 0
    for part in leaves(kind):
        size = stored_size(part)
        offset = (end + size - 1) & -size
        places.append((part, offset))
        end = offset + size
    return places


def _scalar_count(written: Type) -> int:
    """How many scalars a value of a written type consists of; 0 where that is not for its debug type to say."""
    match written:
        case OptionalType():
            return 1 if optional_is_pointer(written) else _scalar_count(written.element) + 1
        case ResultType():
            return _scalar_count(written.element) + 1
        case SliceType() | StrType() | UntrustedType():
            return 2
        case FormatType():
            return 4
        case VoidType() | WrittenValueType() | TypeVariable():
            return 0
        case _:
            return 1


def _declarations(kind: ValueType, addresses: Value, variable: str, place: str) -> list[str]:
    if not isinstance(kind, Tuple):
        return [_declaration(address, variable, "", place) for address in addresses]
    return [
        _declaration(address, variable, f"DW_OP_LLVM_fragment, {offset * 8}, {stored_size(part) * 8}", place)
        for (part, offset), address in zip(_layout(kind), addresses, strict=True)
    ]


def _declaration(address: str, variable: str, operations: str, place: str) -> str:
    return f"    #dbg_declare(ptr {address}, {variable}, !DIExpression({operations}), {place})"


def _types_by_name(program: Program) -> dict[str, Type]:
    """Every type that the program mentions, by name; names that stand for two types are left out."""
    found: dict[str, Type] = {}
    ambiguous: set[str] = set()
    pending: list[Type] = [*INTEGERS.values(), *(static.type for static in program.statics)]
    for function in program.functions:
        pending += [kind for _, kind in function.signature.parameters]
        pending.append(function.signature.result)
        pending += [slot.source_type for slot in function.slots if slot.source_type is not None]
    while pending:
        kind = pending.pop()
        if kind.name not in found:
            found[kind.name] = kind
            pending += _parts(kind)
        elif found[kind.name] != kind:
            ambiguous.add(kind.name)
    return {name: kind for name, kind in found.items() if name not in ambiguous}


def _parts(kind: Type) -> list[Type]:
    match kind:
        case StructType():
            return [field.type for field in kind.fields.values()]
        case PtrType():
            return [kind.target]
        case SliceType() | ArrayType() | PerCpuType():
            return [kind.element]
        case _:
            element = getattr(kind, "element", None)
            return [element] if isinstance(element, Type) else []
