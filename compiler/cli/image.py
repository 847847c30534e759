"""`image`: packs an initrd for the hypervisor from a manifest in source form, checked with the hypervisor's rules."""

from pathlib import Path
from typing import Annotated

import typer

from compiler.cli import output
from compiler.cli.build import DEFAULT_PLATFORM, PlatformOption, ProfileOption
from compiler.cli.progress import PhaseDisplay
from compiler.cli.rejection import DiagnosticsForm, shown
from compiler.driver.images import DEFAULT_IMAGE, find_image
from compiler.driver.initrd import Initrd, make_initrd
from compiler.driver.paths import ROOT
from compiler.driver.platforms import load_platform
from compiler.driver.stages import CompilerStages, Profile, Target
from compiler.driver.timing import PhaseLog
from compiler.image.cpio import ArchiveFormat


def image(
    manifest: Annotated[Path, typer.Option("--manifest", help="Which guests, a device tree in source form.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to, else build/PLATFORM/NAME.initrd.")
    ] = None,
    form: Annotated[ArchiveFormat, typer.Option("--format", help="Of the cpio archive.")] = ArchiveFormat.BIN,
    platform: PlatformOption = DEFAULT_PLATFORM,
    profile: ProfileOption = Profile.RELEASE,
) -> int:
    """Make an initrd: a manifest and all that it names, compiled, built, and checked as the hypervisor does it."""
    target = Target(ROOT, find_image(DEFAULT_IMAGE), load_platform(ROOT, platform), profile)
    with shown(DiagnosticsForm.TEXT) as warnings:
        log = PhaseLog(PhaseDisplay())
        made = make_initrd(target, manifest, CompilerStages(), log, form=form, out=out)
        warnings += log.warnings
    show(made)
    return 0


def show(made: Initrd) -> None:
    """Print the partitions, what has no effect, and what was packed."""
    output.show_table(
        ["partition", "name", "at", "vCPUs", "memory", "image", "services"],
        [
            (
                f"vm{row.id}",
                row.name,
                row.runs_at,
                str(row.vcpu_count or "all"),
                output.size_text(row.mem_size_bytes) if row.mem_size_bytes else "the rest",
                output.size_text(row.image_size_bytes),
                str(row.service_count),
            )
            for row in made.partitions
        ],
        right=["vCPUs", "memory", "image", "services"],
    )
    for warning in made.warnings:
        output.say(f"warning: {warning}", "yellow")
    file = made.file.relative_to(ROOT) if made.file.is_relative_to(ROOT) else made.file
    output.say(f"{file} ({output.size_text(made.file.stat().st_size)}): {', '.join(made.names)}")
