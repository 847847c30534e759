"""The compiler's stages as the pipeline sees them: what goes in, what comes out, and which module does it.

This is the one place where the driver calls the compiler proper. A stage imports its module when it is
called, so that commands that compile nothing pay for nothing.
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from compiler.driver import child
from compiler.driver.errors import ToolError
from compiler.driver.images import Image, link_constants
from compiler.driver.platforms import Platform

if TYPE_CHECKING:
    from compiler.asm import AsmError, AssembledBlock, SymbolReference
    from compiler.check.ranges import RangeReport
    from compiler.inspect.executable import Executable
    from compiler.link import Script
    from compiler.lower import LoweredObject, TargetOptions, TrapTable
    from compiler.program.program import Program
    from compiler.syntax.diagnostics import Diagnostic


class Profile(Enum):
    """How code is generated; run-time checks are on in both."""

    RELEASE = "release"
    DEBUG = "debug"


@dataclass(frozen=True)
class Target:
    """What an image is built for."""

    root: Path
    image: Image
    platform: Platform
    profile: Profile


PROGRAM_FOLDERS = ("hypervisor/", "runtime/")
"""What holds modules of programs, seen from the root."""


@dataclass(frozen=True)
class Checked:
    """A typed program, and the names of the files whose modules it may have imported.

    `proven_count` is the number of run-time checks that range analysis took out of it, `warnings` what it found.
    """

    program: "Program"
    modules: tuple[str, ...]
    proven_count: int = 0
    warnings: tuple["Diagnostic", ...] = ()


@dataclass(frozen=True)
class Linked:
    """The ELF file, the raw binary that a loader places at the image's base, and the map."""

    elf: bytes
    raw: bytes
    map_text: str


@dataclass(frozen=True)
class StackUse:
    """The most that an image may use of a stack: `stack` is its constant in the linker script, `entry` the function
    that
    it is entered by on the worst path, and `path` the functions of that path."""

    stack: str
    size_bytes: int
    used_bytes: int
    entry: str
    path: tuple[str, ...]


@dataclass(frozen=True)
class Inspected:
    """The listing in text, and the size of each kind of content in bytes (such as "code", "data")."""

    listing: str
    size_bytes: Mapping[str, int]


Objects = Sequence[tuple[str, bytes]]
"""Relocatable objects, each with a name for messages and the map."""


class Stages(Protocol):
    """The stages in their order. They refuse by CompileErrors, LinkError, StackError or ToolError."""

    def check(self, target: Target) -> Checked:
        """Read everything reachable from the image's entry modules and return it typed and checked."""
        ...

    def lower(self, program: "Program", target: Target) -> "Callable[[], LoweredObject]":
        """Start to generate code in a child process: LLVM may end its process, and there is more than one core.

        The function that is returned waits for the code; it is called exactly once.
        """
        ...

    def assemble(self, program: "Program") -> Objects:
        """Encode the program's assembly blocks."""
        ...

    def link(self, objects: Objects, target: Target) -> Linked:
        """Link objects with the image's script."""
        ...

    def guard(self, linked: Linked, program: "Program", traps: "TrapTable", target: Target) -> tuple[StackUse, ...]:
        """Check what was linked, see compiler.driver.guards; return how much of each stack may be used."""
        ...

    def inspect(self, linked: Linked, target: Target) -> Inspected:
        """Measure and list what was linked."""
        ...


class CompilerStages:
    """The stages as this checkout has them."""

    def check(self, target: Target) -> Checked:
        from compiler.check import check_program

        os.environ["TANTALUM_PLATFORM"] = target.platform.name  # read by hypervisor.platform as it is imported
        imported = sys.modules.get("hypervisor.platform")
        if imported is not None and imported.PLATFORM.name != target.platform.name:
            raise RuntimeError(f"this process has imported the programs for {imported.PLATFORM.name} already")
        with contextlib.chdir(target.root):  # files are named as seen from here, wherever the command was typed
            program = check_program([], name=target.image.name, modules=target.image.entry_modules)
        proven = remove_proven(program, target.profile)
        return Checked(program, _imported_files(target.root), proven.removed.total(), tuple(proven.warnings))

    def lower(self, program: "Program", target: Target) -> "Callable[[], LoweredObject]":
        finish = start_lowering(program, target_options(target.profile))
        _prepare(target.root / target.image.linker_script)
        return finish

    def assemble(self, program: "Program") -> Objects:
        return assemble_blocks(program)

    def link(self, objects: Objects, target: Target) -> Linked:
        from compiler.image import LineTableError, RawImageError, flat_binary, link_with_line_table
        from compiler.link import DwarfError

        try:
            image = link_with_line_table(
                objects,
                _script(target.root / target.image.linker_script),
                symbols=link_constants(target.image, target.platform),
                relocatable=target.image.relocatable,
            )
            return Linked(image.elf, flat_binary(image), image.map_text())
        except LineTableError as error:
            raise ToolError("B311", str(error), where=target.image.linker_script, status=1) from None
        except RawImageError as error:
            raise ToolError("B312", str(error), where=target.image.linker_script, status=1) from None
        except DwarfError as error:
            raise ToolError("B313", str(error), fix="report it with the program: a defect of the compiler") from None

    def guard(self, linked: Linked, program: "Program", traps: "TrapTable", target: Target) -> tuple[StackUse, ...]:
        from compiler.driver.guards import check_scan, check_stacks

        executable = _executable(linked.elf)
        check_scan(executable, traps)
        return check_stacks(executable, program, target.image, link_constants(target.image, target.platform))

    def inspect(self, linked: Linked, target: Target) -> Inspected:
        from compiler.inspect.listing import Listing

        executable = _executable(linked.elf)
        return Inspected(Listing(executable, target.root).text, executable.size_bytes)


def _prepare(script: Path) -> None:
    """Do what the later stages need anyway, while the child that generates code works."""
    _script(script)
    for name in ("compiler.image", "compiler.driver.guards", "compiler.inspect.listing"):
        importlib.import_module(name)


@cache
def _executable(elf: bytes) -> "Executable":
    from compiler.inspect.executable import read_executable

    return read_executable(elf)


@cache
def _script(file: Path) -> "Script":
    from compiler.link import load_script

    return load_script(file)


def _imported_files(root: Path) -> tuple[str, ...]:
    """Return the program's files from which this process has imported modules so far."""
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    names = [Path(file).relative_to(root).as_posix() for file in files if file and Path(file).is_relative_to(root)]
    return tuple(sorted(name for name in names if name.startswith(PROGRAM_FOLDERS)))


def remove_proven(program: "Program", profile: Profile) -> "RangeReport":
    """Take the run-time checks that cannot fail out of a release build; tell how many, and which always fail."""
    from compiler.check.ranges import RangeReport, remove_proven_checks

    return remove_proven_checks(program) if profile is Profile.RELEASE else RangeReport()


def target_options(profile: Profile) -> "TargetOptions":
    """Return how images are compiled. Memory may be accessed while the MMU is off, hence no unaligned access."""
    from compiler.lower import Optimisation, TargetOptions

    optimisation = Optimisation.SIZE if profile is Profile.RELEASE else Optimisation.DEBUG
    return TargetOptions(optimisation, trap_places=False, pac=True, bti=True, stack_protector=True, strict_align=True)


def lower_in_child(
    program: "Program", options: "TargetOptions", *, want_llvm: bool = False, want_assembly: bool = False
) -> "LoweredObject":
    """Generate code in a child process. Raises ToolError B307 for what has no code, B302 when LLVM fails."""
    return start_lowering(program, options, want_llvm=want_llvm, want_assembly=want_assembly)()


def start_lowering(
    program: "Program", options: "TargetOptions", *, want_llvm: bool = False, want_assembly: bool = False
) -> "Callable[[], LoweredObject]":
    """Start what `lower_in_child` does; the function that is returned waits for it, and is called exactly once."""
    from compiler.lower import lower

    running = child.start(lower, program, options, want_llvm=want_llvm, want_assembly=want_assembly)
    return lambda: _finish_lowering(running)


def _finish_lowering(running: "child.Child[LoweredObject]") -> "LoweredObject":
    from compiler.lower import LowerError

    try:
        return running.outcome().value
    except LowerError as error:
        where = f"{error.span.file}:{error.span.line}:{error.span.column}" if error.span else ""
        raise ToolError("B307", error.message, where=where, status=1) from None
    except child.ChildCrashed as error:
        raise ToolError(
            "B302",
            f"the code generator ended abnormally ({error.reason}): {error.printed.strip() or 'it said nothing'}",
            fix="this is a defect of the compiler, whatever the program; report it with the program",
            status=3,
        ) from None


def assemble_blocks(program: "Program") -> Objects:
    """Return the blocks of a program as an object. Raises CompileErrors with what is wrong in all of them."""
    from compiler.asm import write_object

    blocks = assembled_blocks(program)
    return [("assembly blocks", write_object(blocks))] if blocks else []


def assembled_blocks(program: "Program") -> "list[AssembledBlock]":
    """Assemble the blocks of a program. Raises CompileErrors with what is wrong in all of them."""
    from compiler.asm import AsmErrors, BlockSource, assemble
    from compiler.syntax.diagnostics import CompileErrors

    blocks: list[AssembledBlock] = []
    diagnostics: list[Diagnostic] = []
    for function in program.functions:
        text = function.assembly
        if text is None:
            continue
        source = BlockSource(function.symbol, text.text, text.file, text.first_line)
        try:
            blocks.append(assemble(source, _resolver(text.bindings)))
        except AsmErrors as errors:
            diagnostics += map(_asm_diagnostic, errors.errors)
    if diagnostics:
        raise CompileErrors(diagnostics)
    return blocks


def _resolver(bindings: Mapping[str, int | str]) -> "Callable[[str], int | SymbolReference]":
    from compiler.asm import ResolveError, SymbolReference

    def resolve(text: str) -> "int | SymbolReference":
        if text not in bindings:
            raise ResolveError(f"`{text}` is neither a number nor a symbol here")
        value = bindings[text]
        return SymbolReference(value) if isinstance(value, str) else value

    return resolve


def _asm_diagnostic(error: "AsmError") -> "Diagnostic":
    from compiler.program.nodes import Span
    from compiler.syntax.diagnostics import Diagnostic, Note

    column = max(error.column, 1)
    span = Span(error.file, error.line, column, error.line, column + 1)
    notes = (Note(error.note),) if error.note else ()
    return Diagnostic(error.code, error.message, span, notes, error.fix or None)
