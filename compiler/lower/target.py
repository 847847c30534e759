"""From the typed program to an AArch64 object file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from compiler.lower.aarch64 import TRIPLE, Aarch64
from compiler.lower.errors import LowerError
from compiler.lower.llvm import Module, TargetMachine
from compiler.lower.module import ModuleOptions, emit_module
from compiler.lower.options import Optimisation, TargetOptions
from compiler.lower.text import bytes_constant
from compiler.lower.traps import TRAP_TABLE_SECTION, TRAP_TABLE_SYMBOL, TrapTable, encode_table
from compiler.program.nodes import TrapKind
from compiler.program.program import Program

_TRAP_CALL = re.compile(r"call void @llvm\.aarch64\.break\(i32 (\d+)\)")


@dataclass(frozen=True)
class LoweredObject:
    """An object file and what is known about it. `traps`: the checks left in the code; their numbers are the
    immediates of its `brk` instructions. `checks_before`, `checks_left`: distinct sites by kind before and after
    optimisation. `llvm_ir` (optimised) and `assembly` are empty unless asked for."""

    object: bytes
    traps: TrapTable
    checks_before: Mapping[TrapKind, int]
    checks_left: Mapping[TrapKind, int]
    llvm_ir: str = ""
    assembly: str = ""


def lower(
    program: Program, options: TargetOptions, *, want_llvm: bool = False, want_assembly: bool = False
) -> LoweredObject:
    """Compile a program for AArch64.

    The object has the program's exports as global symbols, `__trap_table` in `.rodata.traps`, and DWARF where asked
    for. It needs from elsewhere: assembly blocks, externs, linker symbols, and memcpy, memmove, memset unless the
    program exports them. Raises LowerError for what cannot be compiled.
    """
    machine = TargetMachine(TRIPLE, "generic", options.feature_string(), options.optimisation.level)
    try:
        emitted = emit_module(program, Aarch64(options), _module_options(options))
    except RecursionError as error:
        raise LowerError("an expression is nested too deeply; split it over several statements") from error
    module = Module(emitted.text, machine)
    module.optimise()
    optimised = module.text()
    traps = emitted.traps.keep(int(number) for number in _TRAP_CALL.findall(optimised))
    module.link(_trap_table_module(traps, options))
    return LoweredObject(
        object=module.object_bytes(),
        traps=traps,
        checks_before=emitted.traps.count_by_kind(),
        checks_left=traps.count_by_kind(),
        llvm_ir=optimised if want_llvm else "",
        assembly=module.assembly() if want_assembly else "",
    )


def _module_options(options: TargetOptions) -> ModuleOptions:
    return ModuleOptions(
        checks=options.checks,
        debug_info=options.debug_info,
        optimised=options.optimisation is not Optimisation.DEBUG,
        is_object=True,
        stack_protector=options.stack_protector,
    )


def _trap_table_module(traps: TrapTable, options: TargetOptions) -> str:
    constant = bytes_constant(encode_table(traps, with_places=options.trap_places))
    return f'@{TRAP_TABLE_SYMBOL} = hidden constant {constant}, section "{TRAP_TABLE_SECTION}", align 8\n'
