"""`run`: builds an image, boots it, and ends with the guest's status."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from compiler.cli import output
from compiler.cli.build import (
    DEFAULT_PLATFORM,
    ImageOption,
    PlatformOption,
    ProfileOption,
    VerboseOption,
    bring_up_to_date,
)
from compiler.cli.progress import PhaseDisplay
from compiler.driver import runner
from compiler.driver.images import DEFAULT_IMAGE, alias_offset
from compiler.driver.initrd import Initrd, make_initrd
from compiler.driver.paths import ROOT
from compiler.driver.pipeline import BuildResult
from compiler.driver.stages import CompilerStages, Profile, Target
from compiler.driver.timing import PhaseLog


def run_image(
    platform: PlatformOption = DEFAULT_PLATFORM,
    image: ImageOption = DEFAULT_IMAGE,
    profile: ProfileOption = Profile.RELEASE,
    verbose: VerboseOption = False,
    gdb: Annotated[bool, typer.Option("--gdb", help="Wait for a debugger before the first instruction.")] = False,
    smp: Annotated[int, typer.Option("--smp", help="How many CPUs.")] = 4,
    cpu: Annotated[str | None, typer.Option("--cpu", help="A CPU model of QEMU, such as cortex-a72.")] = None,
    timeout: Annotated[float | None, typer.Option("--timeout", help="Seconds until the guest is stopped.")] = None,
    manifest: Annotated[
        Path | None, typer.Option("--manifest", help="Which guests to boot, a device tree in source form.")
    ] = None,
    icount: Annotated[bool, typer.Option("--icount", help="Count instructions: a run repeats exactly.")] = False,
) -> int:
    """Build an image, boot it, and end with the guest's status (124 after a time-out)."""
    log = PhaseLog(PhaseDisplay())
    result = bring_up_to_date(platform, image, profile, log)
    initrd = pack_guests(result.target, manifest, log)
    elf, raw = (result.artefacts[suffix].relative_to(ROOT) for suffix in ("elf", "bin"))
    options = runner.RunOptions(smp, cpu, gdb, icount, timeout)
    command = runner.run_command(
        result.target.platform, elf, raw, options, initrd.file.relative_to(ROOT) if initrd else None
    )
    if verbose:
        output.say(f"$ {shlex.join(command)}", "dim")
    if gdb:
        output.say(debugger_hint(result, initrd))
    return runner.run(command, timeout)


def pack_guests(target: Target, manifest: Path | None, log: PhaseLog) -> Initrd | None:
    """Build and pack the guests of the manifest, or else those that the image has by default."""
    if manifest is None and target.image.manifest is None:
        return None
    return make_initrd(target, manifest or ROOT / str(target.image.manifest), CompilerStages(), log)


def debugger_hint(result: BuildResult, initrd: Initrd | None) -> str:
    """Say how to attach gdb to the image that waits, and how to add the symbols of its guests."""
    elf = result.artefacts["elf"].relative_to(ROOT)
    command = shlex.join(runner.gdb_command(elf, alias_offset(result.target.image)))
    lines = ["waiting for a debugger; in another terminal, in the folder of build.py:", f"  {command}"]
    if initrd is not None and initrd.guests:
        guests = (guest.artefacts["elf"].relative_to(ROOT) for guest in initrd.guests)
        lines += ["for a guest, with its address from the console:"]
        lines += [f"  (gdb) add-symbol-file {guest} -o ADDRESS" for guest in guests]
    return "\n".join(lines)
