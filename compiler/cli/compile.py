"""`compile`: one dialect file on its own, for use with C or anything else that follows AAPCS64."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from compiler.cli import output
from compiler.cli.build import ProfileOption
from compiler.cli.rejection import DiagnosticsForm, DiagnosticsOption, shown
from compiler.driver.errors import ToolError
from compiler.driver.single_file import Emit, FileOptions, compile_file
from compiler.driver.stages import Profile

SUFFIXES = {Emit.ASM: ".s", Emit.LLVM: ".ll", Emit.OBJECT: ".o", Emit.ELF: ".elf"}
TEXT_KINDS = (Emit.ASM, Emit.LLVM)


def compile_program(
    file: Annotated[Path, typer.Argument(help="A file of the dialect.")],
    entry: Annotated[list[str] | None, typer.Option("--entry", help="A function to export; may be repeated.")] = None,
    emit: Annotated[Emit, typer.Option("--emit", help="What to write.")] = Emit.OBJECT,
    out: Annotated[Path | None, typer.Option("-o", "--output", help="Where to; - is standard output.")] = None,
    profile: ProfileOption = Profile.RELEASE,
    checks: Annotated[
        bool, typer.Option("--checks/--no-checks", help="Run-time checks; off only to compare code with C.")
    ] = True,
    diagnostics: DiagnosticsOption = DiagnosticsForm.TEXT,
) -> int:
    """Compile one file; its exported functions follow the AAPCS64 calling convention."""
    with shown(diagnostics) as warnings:
        content = compile_file(file, emit, FileOptions(tuple(entry or ()), profile, checks), warnings)
    if diagnostics is DiagnosticsForm.JSON and out is None:
        return 0
    if out == Path("-") or (out is None and emit in TEXT_KINDS):
        sys.stdout.buffer.write(content)
        return 0
    target = out or Path(file.name).with_suffix(SUFFIXES[emit])
    try:
        target.write_bytes(content)
    except OSError as error:
        raise ToolError("B102", f"cannot write: {error.strerror}", where=target) from None
    output.say(f"{target} ({output.size_text(len(content))})")
    return 0
