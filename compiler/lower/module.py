"""Emission of a whole program as one LLVM module.

Everything is internal to the module unless somebody outside may name it: entries and exports (global), what assembly
blocks name, and objects in sections of their own, which the linker script or hardware may reach (hidden).
"""

from __future__ import annotations

from dataclasses import dataclass

from compiler.lower.debug import DebugInfo
from compiler.lower.function import emit_function
from compiler.lower.machine import Machine
from compiler.lower.statics import static_line
from compiler.lower.text import global_name, result_type, scalar_type, string
from compiler.lower.traps import TrapSite, TrapTable
from compiler.lower.validate import check_program
from compiler.program.nodes import LinkerAddress, Span, TrapKind
from compiler.program.program import Function, Program, StaticObject, Table
from compiler.program.types import ValueType, leaves
from compiler.program.walk import walk

STACK_GUARD_SYMBOL = "__stack_chk_guard"
STACK_GUARD_FAILURE = "__stack_chk_fail"
INITIAL_STACK_GUARD = 0x00000AFF0A0D5A17
"""A zero byte and line ends stop text from being copied over it. Programs that name the variable set it themselves, to
something unpredictable, before anything that is checked returns."""


@dataclass(frozen=True)
class ModuleOptions:
    """What emission needs to know of the options. `is_object`: for linking, so that some symbols stay visible."""

    checks: bool
    debug_info: bool
    optimised: bool
    is_object: bool
    coverage: bool = False
    stack_protector: bool = False


@dataclass(frozen=True)
class EmittedModule:
    """The text of a module, the numbers of its checks, and the lines that coverage counts."""

    text: str
    traps: TrapTable
    coverage_lines: tuple[tuple[str, int], ...]


def emit_module(program: Program, machine: Machine, options: ModuleOptions) -> EmittedModule:
    """The program as LLVM IR. Raises LowerError for names and sizes that cannot be."""
    check_program(program)
    return _Module(program, machine, options).emit()


class _Module:
    def __init__(self, program: Program, machine: Machine, options: ModuleOptions) -> None:
        self.machine = machine
        self.checks = options.checks
        self.debug = DebugInfo(machine.metadata, program, options.optimised) if options.debug_info else None
        self.unlikely = ", !prof " + machine.metadata.node('!{!"branch_weights", i32 1, i32 2000}')
        self._program = program
        self._options = options
        self._traps = TrapTable()
        self._groups: dict[str, str] = {}
        self._coverage: dict[tuple[str, int], int] = {}
        self._outside = _named_by_assembly(program)
        self._functions = {function.symbol: function for function in program.functions if not function.extern}
        symbols = [function.symbol for function in program.functions] + [static.symbol for static in program.statics]
        self._known = frozenset(symbols)
        self._entries = {entry.symbol for entry in program.entries}
        self._dispatchers: dict[str, Table] = {}

    def emit(self) -> EmittedModule:
        """All parts of the module, in an order that depends on the program alone."""
        functions = self._function_lines()
        statics = self._static_lines()
        tables = [line for table in self._dispatchers.values() for line in self._dispatcher_lines(table)]
        tables += [_table_line(table) for table in self._program.tables if table.symbol in self._outside]
        own = {STACK_GUARD_SYMBOL, STACK_GUARD_FAILURE} if self._options.stack_protector else set[str]()
        machine = self.machine.prelude(self._known | own)
        guard = self._stack_guard_lines() if self._options.stack_protector else []
        thunks = [line for function in self._functions.values() for line in self.machine.thunk(function)]
        flags = self.debug.finish() if self.debug is not None else []
        if flags:
            self.machine.metadata.name("llvm.module.flags", flags)
        coverage = [f"@__coverage = global [{len(self._coverage)} x i8] zeroinitializer"]
        parts = [
            statics,
            coverage if self._options.coverage else [],
            machine,
            guard,
            functions,
            thunks,
            tables,
            [f"attributes {reference} = {{ {text} }}" for text, reference in self._groups.items()],
            self.machine.intrinsics.lines(),
            self.machine.metadata.lines(),
        ]
        text = f"source_filename = {string(self._program.name)}\n" + "\n".join(line for part in parts for line in part)
        return EmittedModule(text + "\n", self._traps, tuple(self._coverage))

    # What the emission of a function asks for.

    def trap_number(self, kind: TrapKind, span: Span, message: str) -> int:
        return self._traps.number_of(TrapSite(kind, span, message))

    def trap_instruction(self, number: int) -> str:
        return self.machine.trap_instruction(number)

    def intrinsic(self, name: str, scalar: ValueType | None = None) -> str:
        return self.machine.intrinsics.reference(name, scalar)

    def location(self, scope: str, span: Span) -> str:
        return self.debug.location(scope, span) if self.debug is not None and scope else ""

    def coverage_slot(self, span: Span) -> str | None:
        if not self._options.coverage:
            return None
        number = self._coverage.setdefault((span.file, span.line), len(self._coverage))
        return f"getelementptr (i8, ptr @__coverage, i64 {number})"

    def function(self, function: Function) -> str:
        return function.symbol

    def static(self, static: StaticObject) -> str:
        return static.symbol

    def dispatcher(self, table: Table) -> str:
        self._dispatchers[table.symbol] = table
        return f"{table.symbol}.call"

    def linkage(self, function: Function) -> str:
        if not self._options.is_object:
            return "internal"
        if function.exported or function.symbol in self._entries:
            return "dso_local"
        return "hidden" if function.symbol in self._outside else "internal"

    def placement(self, section: str | None) -> str:
        return f" section {string(section)}" if section is not None and self._options.is_object else ""

    def attributes(self, function: Function) -> str:
        parts = ["nounwind", *self.machine.function_attributes()]
        if function.inline and not function.no_inline:
            parts.append("alwaysinline")
        if function.no_inline and "noinline" not in parts:
            parts.append("noinline")
        if function.no_return:
            parts.append("noreturn")
        if function.no_return or function.cold:
            parts.append("cold")
        if function.cold:
            parts += [part for part in ("optsize", "minsize") if part not in parts]
        if function.no_builtins:
            parts.append('"no-builtins"')
        return self._group(" ".join(parts))

    def _group(self, text: str) -> str:
        return self._groups.setdefault(text, f"#{len(self._groups)}")

    # Parts of the module.

    def _function_lines(self) -> list[str]:
        lines: list[str] = []
        declared: set[str] = set()
        for function in self._program.functions:
            if self.machine.has_body(function):
                lines += emit_function(self, function)
            elif function.symbol not in declared and (function.symbol not in self._functions or not function.extern):
                declared.add(function.symbol)
                lines += self.machine.extern_definition(function)
        return lines

    def _static_lines(self) -> list[str]:
        lines: list[str] = []
        for static in self._program.statics:
            placed = static.section is not None or static.symbol in self._outside
            linkage = "internal"
            if not self._options.is_object:
                linkage = "dso_local"
            elif placed:
                linkage = "hidden"
            debug = self.debug.static(static) if self.debug is not None else ""
            placement = "," + self.placement(static.section) if self.placement(static.section) else ""
            lines.append(static_line(static, linkage, placement, debug))
            for relocation in static.relocations:
                if relocation.target not in self._known:
                    self.machine.outside_symbol(relocation.target)
        return lines

    def _dispatcher_lines(self, table: Table) -> list[str]:
        """A function that calls the entry of an index below the count: with direct calls, so that the stack a call
        takes is known exactly, and LLVM may inline what it calls."""
        first = table.functions[0]
        kinds = [kind for parameter in first.parameters for kind in leaves(parameter.type)]
        arguments = ", ".join(f"{scalar_type(kind)} noundef %arg{number}" for number, kind in enumerate(kinds))
        result = result_type(first.result)
        name = global_name(f"{table.symbol}.call")
        header = f"i64 noundef %index{', ' if arguments else ''}{arguments}"
        attributes = self._group(" ".join(["nounwind", *self.machine.function_attributes()]))
        choices = " ".join(f"i64 {index}, label %call{index}" for index in range(len(table.functions)))
        lines = [
            f"define internal {result} {name}({header}) {attributes} {{",
            "entry:",
            f"  switch i64 %index, label %none [ {choices} ]",
        ]
        for index, function in enumerate(table.functions):
            call = f"call {result} {global_name(function.symbol)}({arguments})"
            lines.append(f"call{index}:")
            if result == "void":
                lines += [f"  {call}", "  ret void"]
            else:
                lines += [f"  %result{index} = {call}", f"  ret {result} %result{index}"]
        return [*lines, "none:", "  unreachable", "}"]

    def _stack_guard_lines(self) -> list[str]:
        lines: list[str] = []
        if STACK_GUARD_SYMBOL not in self._known:
            initial = 0 if _sets_stack_guard(self._program) else INITIAL_STACK_GUARD
            lines.append(f"@{STACK_GUARD_SYMBOL} = hidden global i64 {initial}, align 8")
        if STACK_GUARD_FAILURE not in self._known:
            place = Span("stack protector", 0, 1, 0, 1)
            number = self.trap_number(TrapKind.PANIC, place, "stack guard overwritten")
            trap = self.machine.trap_instruction(number)
            group = self._group("nounwind noreturn cold noinline")
            lines += [f"define hidden void @{STACK_GUARD_FAILURE}() {group} {{", f"  {trap}", "  unreachable", "}"]
        return lines


def _named_by_assembly(program: Program) -> frozenset[str]:
    return frozenset(
        name
        for function in program.functions
        if function.assembly is not None
        for name in function.assembly.bindings.values()
        if isinstance(name, str)
    )


def _sets_stack_guard(program: Program) -> bool:
    """Whether a function names the variable."""
    return any(
        isinstance(node, LinkerAddress) and node.symbol == STACK_GUARD_SYMBOL
        for function in program.functions
        for node in walk(function.body)
    )


def _table_line(table: Table) -> str:
    entries = ", ".join(f"ptr {global_name(function.symbol)}" for function in table.functions)
    return f"{global_name(table.symbol)} = hidden constant [{len(table.functions)} x ptr] [ {entries} ], align 8"
