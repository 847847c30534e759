"""One dialect file on its own: assembly text, LLVM IR, an object for other linkers, or a linked ELF.

Its exported functions, and those named as entries, become global symbols that follow AAPCS64 under the name that they
have in the source, so that C can call them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.driver.errors import ToolError
from compiler.driver.paths import ROOT
from compiler.driver.stages import Objects, Profile, assemble_blocks, lower_in_child, remove_proven

if TYPE_CHECKING:
    from compiler.program.program import Program
    from compiler.syntax.diagnostics import Diagnostic

PROGRAM_SCRIPT = Path("linker_scripts", "program.ld")
PROGRAM_BASE = 0x4020_0000  # in DRAM of QEMU's virt machine, above the device tree
STACK_SIZE_BYTES = 0x4000


class Emit(Enum):
    """What comes out."""

    ASM = "asm"
    LLVM = "llvm"
    OBJECT = "object"
    ELF = "elf"


@dataclass(frozen=True)
class FileOptions:
    """What to compile and how. Without `entries` all exported functions are compiled. `checks`: at run time."""

    entries: tuple[str, ...] = ()
    profile: Profile = Profile.RELEASE
    checks: bool = True


def compile_file(file: Path, emit: Emit, options: FileOptions, warnings: "list[Diagnostic]") -> bytes:
    """Compile one file, adding to `warnings`. Raises CompileErrors, LinkError, and ToolError B204, B307 or B308."""
    from compiler.lower import Optimisation, TargetOptions

    program = _check(file, options.entries)
    optimisation = Optimisation.SPEED if options.profile is Profile.RELEASE else Optimisation.DEBUG
    warnings += remove_proven(program, options.profile).warnings
    target = TargetOptions(optimisation, checks=options.checks)
    lowered = lower_in_child(program, target, want_llvm=emit is Emit.LLVM, want_assembly=emit is Emit.ASM)
    match emit:
        case Emit.ASM:
            return lowered.assembly.encode()
        case Emit.LLVM:
            return lowered.llvm_ir.encode()
        case Emit.OBJECT:
            return lowered.object
        case Emit.ELF:
            objects = [(file.name, lowered.object), *assemble_blocks(program)]
            return _link(objects, program.entries[0].symbol)


def _check(file: Path, entries: Sequence[str]) -> "Program":
    from compiler.check import check_program

    try:
        file.read_text(encoding="utf-8")
    except OSError as error:
        raise ToolError("B204", f"cannot read the file: {error.strerror}", where=file) from None
    except UnicodeDecodeError as error:
        raise ToolError("B204", f"the file is not UTF-8: {error}", where=file) from None
    modules = [] if entries else [str(file)]
    named = [f"{file}:{name}" for name in entries]
    program = check_program(named, name=file.stem, modules=modules, follow_imports=False)
    if not program.entries:
        raise ToolError(
            "B308", "the file exports no function", where=file, fix="mark one with @export, or name one with --entry"
        )
    for entry in program.entries:
        if not entry.exported:
            entry.symbol, entry.exported = entry.source_name, True
    return program


def _link(objects: Objects, entry: str) -> bytes:
    from compiler.link import link, load_script

    script = load_script(ROOT / PROGRAM_SCRIPT)
    symbols = {"PROGRAM_BASE": PROGRAM_BASE, "STACK_SIZE": STACK_SIZE_BYTES}
    return link(objects, script, symbols=symbols, entry=entry).elf
