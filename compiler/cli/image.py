"""`image`: packs an initrd for the hypervisor from a manifest in source form, checked with the hypervisor's rules."""

from pathlib import Path
from typing import Annotated

import typer

from compiler.cli import output
from compiler.cli.build import DEFAULT_PLATFORM, PlatformOption, bring_up_to_date
from compiler.driver.errors import ToolError
from compiler.driver.images import GUESTS
from compiler.driver.initrd import Initrd, make_initrd
from compiler.driver.paths import BUILD_FOLDER, ROOT
from compiler.driver.stages import Profile
from compiler.driver.timing import PhaseLog
from compiler.image.cpio import ArchiveFormat


def image(
    manifest: Annotated[Path, typer.Option("--manifest", help="The manifest's source, a DTS file.")],
    out: Annotated[Path | None, typer.Option("-o", "--output", help="Where to; build/PLATFORM/NAME.img.")] = None,
    form: Annotated[ArchiveFormat, typer.Option("--format", help="Of the cpio archive.")] = ArchiveFormat.BIN,
    platform: PlatformOption = DEFAULT_PLATFORM,
) -> int:
    """Make an initrd: manifest.dtb, the images and device trees that it names, all checked as the hypervisor does."""
    made = make_initrd(ROOT, manifest, form, lambda name: build_guest(name, platform))
    target = out or BUILD_FOLDER / platform / f"{manifest.stem}.img"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(made.content)
    except OSError as error:
        raise ToolError("B102", f"cannot write: {error.strerror}", where=target) from None
    show(made)
    shown = target.relative_to(ROOT) if target.is_relative_to(ROOT) else target
    output.say(f"{shown} ({output.size_text(len(made.content))})")
    return 0


def build_guest(name: str, platform: str) -> bytes | None:
    """Bring a guest up to date; its raw image, or None when no guest is called so."""
    if all(guest.name != name for guest in GUESTS):
        return None
    output.say(f"guest {name}", "dim")
    return bring_up_to_date(platform, name, Profile.RELEASE, PhaseLog()).artefacts["bin"].read_bytes()


def show(made: Initrd) -> None:
    """Print the files, the partitions and what is ignored."""
    for warning in made.warnings:
        output.say(f"warning: {warning}", "yellow")
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
    output.say(", ".join(f"{name} ({output.size_text(size)})" for name, size in made.files))
