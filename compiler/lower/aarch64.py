"""Hardware operations on AArch64: system registers, SYS instructions, barriers, hints, devices, `brk`."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.language.register_table import (
    SystemEncoding,
    SystemRegister,
    find_instruction,
    find_register,
    similar_names,
)
from compiler.lower.builder import Builder
from compiler.lower.errors import LowerError
from compiler.lower.expressions import load_scalar, store_scalar
from compiler.lower.function import parameter_list
from compiler.lower.intrinsics import Intrinsics
from compiler.lower.metadata import Metadata
from compiler.lower.options import Optimisation, TargetOptions
from compiler.lower.text import global_name, result_type
from compiler.lower.validate import check_symbol
from compiler.program.nodes import Barrier, Hint, RegisterWrite, Span, SystemOperation
from compiler.program.program import Function
from compiler.program.types import U64, ValueType

TRIPLE = "aarch64-unknown-none-elf"

BARRIER_OPTIONS = {
    "sy": 15,
    "st": 14,
    "ld": 13,
    "ish": 11,
    "ishst": 10,
    "ishld": 9,
    "nsh": 7,
    "nshst": 6,
    "nshld": 5,
    "osh": 3,
    "oshst": 2,
    "oshld": 1,
}
"""CRm of DSB and DMB by option (DDI 0487, C6.2)."""

HINTS = {"nop": 0, "yield": 1, "wfe": 2, "wfi": 3, "sev": 4, "sevl": 5, "esb": 16, "csdb": 20}
"""Immediate of HINT by name."""

# LLVM makes calls of these from loops and comparisons unless told that there is no such function; an image has only
# memcpy, memmove and memset.
_ABSENT_LIBRARY_FUNCTIONS = ("memcmp", "bcmp", "strlen", "wcslen", "memchr")


def readable_register(name: str) -> SystemRegister:
    """The register that MRS names. Raises LowerError when there is none or it cannot be read."""
    register = _register(name)
    if not register.readable:
        raise LowerError(f"system register {register.name} cannot be read")
    return register


def writable_register(name: str, span: Span) -> SystemRegister:
    """The register that MSR names. Raises LowerError when there is none or it cannot be written."""
    register = _register(name, span)
    if not register.writable:
        raise LowerError(f"system register {register.name} cannot be written", span)
    return register


def _register(name: str, span: Span | None = None) -> SystemRegister:
    register = find_register(name)
    if register is None:
        near = similar_names(name)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise LowerError(f"no system register is named {name!r}{hint}", span)
    return register


def check_hint(node: Hint) -> int:
    """Immediate of a hint. Raises LowerError for an unknown one."""
    if node.name not in HINTS:
        raise LowerError(f"no hint is named {node.name!r}; one of {', '.join(HINTS)}", node.span)
    return HINTS[node.name]


def check_barrier(node: Barrier) -> int:
    """CRm of a barrier. Raises LowerError for an unknown one."""
    options = {"sy": 15} if node.instruction == "isb" else BARRIER_OPTIONS
    if node.instruction not in ("isb", "dsb", "dmb") or node.option not in options:
        raise LowerError(f"no barrier {node.instruction} {node.option}", node.span)
    return options[node.option]


def system_encoding(node: SystemOperation) -> SystemEncoding:
    """Encoding of a SYS instruction. Raises LowerError for an unknown one, or one wrongly (not) given a value."""
    instruction = find_instruction(node.instruction, node.operation)
    if instruction is None:
        raise LowerError(f"no instruction {node.instruction} {node.operation}", node.span)
    if instruction.takes_register and node.value is None:
        raise LowerError(f"{instruction.name} needs a value", node.span)
    if not instruction.takes_register and node.value is not None:
        raise LowerError(f"{instruction.name} takes no value", node.span)
    return instruction.encoding


class Aarch64:
    """The target machine of images."""

    def __init__(self, options: TargetOptions) -> None:
        self.intrinsics = Intrinsics()
        self.metadata = Metadata()
        self._options = options
        self._outside: dict[str, None] = {}

    def trap_instruction(self, number: int) -> str:
        return f"call void {self.intrinsics.reference('llvm.aarch64.break', None)}(i32 {number})"

    def read_register(self, builder: Builder, name: str) -> str:
        intrinsic = self.intrinsics.reference("llvm.read_volatile_register", U64)
        return builder.value(f"call i64 {intrinsic}(metadata {self._encoding(readable_register(name).encoding)})")

    def write_register(self, builder: Builder, node: RegisterWrite, value: str) -> None:
        self._write(builder, writable_register(node.name, node.span).encoding, value)

    def system_operation(self, builder: Builder, node: SystemOperation, value: str) -> None:
        self._write(builder, system_encoding(node), value)

    def barrier(self, builder: Builder, node: Barrier) -> None:
        option = check_barrier(node)
        intrinsic = self.intrinsics.reference(f"llvm.aarch64.{node.instruction}", None)
        builder.emit(f"call void {intrinsic}(i32 {option})")

    def hint(self, builder: Builder, node: Hint) -> None:
        number = check_hint(node)
        builder.emit(f"call void {self.intrinsics.reference('llvm.aarch64.hint', None)}(i32 {number})")

    def device_load(self, builder: Builder, kind: ValueType, address: str, align: int) -> str:
        return load_scalar(builder, kind, address, align, volatile=True)

    def device_store(self, builder: Builder, kind: ValueType, value: str, address: str, align: int) -> None:
        store_scalar(builder, kind, value, address, align, volatile=True)

    def linker_address(self, builder: Builder, symbol: str) -> str:
        self.outside_symbol(symbol)
        return global_name(symbol)

    def outside_symbol(self, symbol: str) -> None:
        check_symbol(symbol, None)
        self._outside[symbol] = None

    def has_body(self, function: Function) -> bool:
        return not function.extern and function.assembly is None

    def function_attributes(self) -> Sequence[str]:
        options = self._options
        attributes = [f'"no-builtin-{name}"' for name in _ABSENT_LIBRARY_FUNCTIONS]
        if options.cpu != "generic":
            # Only the schedule: naming the CPU as the target would also bring its architecture extensions.
            attributes.append(f'"tune-cpu"="{options.cpu}"')
        if options.frame_pointers:
            attributes.append('"frame-pointer"="non-leaf"')
        if options.pac:
            attributes += ['"sign-return-address"="non-leaf"', '"sign-return-address-key"="a_key"']
        if options.bti:
            attributes.append('"branch-target-enforcement"')
        if options.stack_protector:
            attributes.append("sspstrong")
        if options.optimisation is Optimisation.SIZE:
            attributes.append("optsize")
        return attributes

    def extern_definition(self, function: Function) -> list[str]:
        parameters = ", ".join(parameter_list(function, named=False))
        name = global_name(function.symbol)
        return [f"declare hidden {result_type(function.result)} {name}({parameters}) nounwind"]

    def thunk(self, function: Function) -> list[str]:
        return []

    def prelude(self, known: frozenset[str]) -> list[str]:
        unknown = [symbol for symbol in self._outside if symbol not in known]
        return [f"{global_name(symbol)} = external hidden global i8" for symbol in unknown]

    def _encoding(self, encoding: SystemEncoding) -> str:
        return self.metadata.node(f'!{{!"{encoding.llvm_name}"}}')

    def _write(self, builder: Builder, encoding: SystemEncoding, value: str) -> None:
        intrinsic = self.intrinsics.reference("llvm.write_register", U64)
        builder.emit(f"call void {intrinsic}(metadata {self._encoding(encoding)}, i64 {value})")
