"""Emission of one function: its header, its frame, its body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from compiler.language.types import ArrayType, StructType, Type
from compiler.lower.builder import Builder, Surroundings
from compiler.lower.debug import DebugInfo
from compiler.lower.errors import LowerError
from compiler.lower.expressions import Frame, Symbols
from compiler.lower.machine import Machine
from compiler.lower.statements import Statements
from compiler.lower.text import Value, global_name, local_name, memory_type, result_type, scalar_type
from compiler.program.nodes import Local, TrapKind
from compiler.program.program import Function, StackSlot
from compiler.program.types import Pointer, leaves

HIGHEST_SLOT_SIZE = 1 << 20
"""Bytes of the largest object on a stack; a larger one is certain to overflow it."""


class Context(Surroundings, Symbols, Protocol):
    """The module, as emission of a function sees it."""

    @property
    def machine(self) -> Machine:
        """Hardware operations."""
        ...

    @property
    def debug(self) -> DebugInfo | None:
        """Debug information, where it is wanted."""
        ...

    def attributes(self, function: Function) -> str:
        """Reference to a function's attribute group."""
        ...

    def linkage(self, function: Function) -> str:
        """Linkage and visibility keywords of a defined function."""
        ...

    def placement(self, section: str | None) -> str:
        """Keyword and name of a section, where there is one to be in."""
        ...


def emit_function(context: Context, function: Function) -> list[str]:
    """The lines of a function's definition."""
    scope = context.debug.subprogram(function) if context.debug is not None else ""
    builder = Builder(context, scope)
    frame = _frame(function)
    prologue = _prologue(context, function, frame, scope)
    statements = Statements(builder, context.machine, context, frame, function.result)
    builder.move_to(function.span)
    statements.run(function.body)
    if builder.open:
        builder.move_to(function.span)
        if leaves(function.result) or function.no_return:
            builder.trap(TrapKind.UNREACHABLE, function.span, "")
        else:
            builder.finish("ret void")
    statements.finish()
    return [_header(context, function, scope), "entry:", *prologue, *builder.finish_function(), "}"]


def _header(context: Context, function: Function, scope: str) -> str:
    arguments = ", ".join(parameter_list(function, named=True))
    result = result_type(function.result)
    noundef = "" if result == "void" else "noundef "
    section = context.placement(function.section)
    debug = f" !dbg {scope}" if scope else ""
    name = global_name(function.symbol)
    linkage = context.linkage(function)
    attributes = context.attributes(function)
    return f"define {linkage} {noundef}{result} {name}({arguments}) {attributes}{section}{debug} {{"


def parameter_list(function: Function, named: bool) -> list[str]:
    """Parameters as IR: type, what is known of it, and a name where wanted. Tuples are flattened."""
    types = dict(function.signature.parameters)
    parts: list[str] = []
    for position, parameter in enumerate(function.parameters):
        is_result = position == 0 and function.result_pointer
        known = "" if is_result else _reference_attributes(parameter, types.get(parameter.source_name or ""))
        for kind in leaves(parameter.type):
            name = f" %arg{len(parts)}" if named else ""
            parts.append(f"{scalar_type(kind)} noundef{known}{name}")
    return parts


def _reference_attributes(parameter: Local, written: Type | None) -> str:
    """A reference is never null and names a whole object; its alignment is what each access says."""
    if isinstance(parameter.type, Pointer) and isinstance(written, StructType | ArrayType) and written.size > 0:
        return f" nonnull dereferenceable({written.size})"
    return ""


def _frame(function: Function) -> Frame:
    names: set[str] = set()

    def unique(name: str) -> str:
        candidate, number = name, 1
        while candidate in names:
            number += 1
            candidate = f"{name}.{number}"
        names.add(candidate)
        return local_name(candidate + ".addr")

    def addresses(local: Local) -> Value:
        count = len(leaves(local.type))
        return tuple(unique(local.name if count == 1 else f"{local.name}.{index}") for index in range(count))

    every = dict.fromkeys([*function.parameters, *function.locals])
    count = len(leaves(function.result))
    return Frame(
        {local: addresses(local) for local in every},
        {slot: unique(slot.name) for slot in function.slots},
        tuple(unique(f"result.{index}") for index in range(count)) if count > 1 else (),
    )


def _prologue(context: Context, function: Function, frame: Frame, scope: str) -> list[str]:
    lines: list[str] = []
    for slot, address in frame.slots.items():
        _check_slot(function, slot)
        lines.append(f"  {address} = alloca [{slot.size} x i8], align {slot.align}")
    for local, addresses in frame.locals.items():
        for kind, address in zip(leaves(local.type), addresses, strict=True):
            lines.append(f"  {address} = alloca {memory_type(kind)}")
    for kind, address in zip(leaves(function.result), frame.result, strict=False):
        lines.append(f"  {address} = alloca {memory_type(kind)}")
    lines += _store_parameters(function.parameters, frame)
    if context.debug is not None:
        lines += context.debug.declare_variables(function, scope, frame.locals, frame.slots)
    return lines


def _store_parameters(parameters: Sequence[Local], frame: Frame) -> list[str]:
    lines: list[str] = []
    number = 0
    for parameter in parameters:
        for kind, address in zip(leaves(parameter.type), frame.locals[parameter], strict=True):
            operand = f"%arg{number}"
            stored = memory_type(kind)
            if stored != scalar_type(kind):
                lines.append(f"  {operand}.byte = zext i1 {operand} to i8")
                operand += ".byte"
            lines.append(f"  store {stored} {operand}, ptr {address}")
            number += 1
    return lines


def _check_slot(function: Function, slot: StackSlot) -> None:
    if not 0 <= slot.size <= HIGHEST_SLOT_SIZE:
        raise LowerError(
            f"{slot.source_name or slot.name} takes {slot.size} bytes of stack, more than {HIGHEST_SLOT_SIZE}; "
            "make it a static object",
            function.span,
        )
