"""`asm`: a function's source lines above its instructions, with its size and its stack; as a page or as JSON too."""

from pathlib import Path
from typing import Annotated

import typer

from compiler.cli.build import DEFAULT_PLATFORM, ImageOption, PlatformOption, ProfileOption, bring_up_to_date
from compiler.cli.rejection import DiagnosticsForm, shown
from compiler.cli.schedule import Core, show_schedules
from compiler.driver.errors import ToolError
from compiler.driver.images import DEFAULT_IMAGE, find_image
from compiler.driver.paths import ROOT
from compiler.driver.platforms import load_platform
from compiler.driver.stages import Profile, Target
from compiler.driver.timing import PhaseLog


def asm(
    symbol: Annotated[str | None, typer.Argument(help="A function, or part of its name; without it: sizes.")] = None,
    elf: Annotated[Path | None, typer.Option("--elf", help="Look into this file instead of building.")] = None,
    platform: PlatformOption = DEFAULT_PLATFORM,
    image: ImageOption = DEFAULT_IMAGE,
    profile: ProfileOption = Profile.RELEASE,
    schedule: Annotated[bool, typer.Option("--schedule", help="Show an assembly block's cycles by llvm-mca.")] = False,
    cpu: Annotated[Core | None, typer.Option("--cpu", help="With --schedule: on this core alone.")] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write sources with their instructions to a page.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write the instructions with their lines here.")] = None,
) -> int:
    """Show a function's Python lines above their instructions; without a name, the largest functions."""
    if schedule:
        _schedule(symbol, elf, Target(ROOT, find_image(image), load_platform(ROOT, platform), profile), cpu)
        return 0
    if elf is None:
        elf = bring_up_to_date(platform, image, profile, PhaseLog()).artefacts["elf"]
    from compiler.cli.listings import show  # reads and disassembles: nothing for the other commands to pay for

    show(elf, symbol, html, json)
    return 0


def _schedule(symbol: str | None, elf: Path | None, target: Target, core: Core | None) -> None:
    if symbol is None or elf is not None:
        fix = "write ./build.py asm SYMBOL --schedule, without --elf: blocks are scheduled from their sources"
        raise ToolError("B001", "--schedule is for one assembly block of an image", fix=fix)
    with shown(DiagnosticsForm.TEXT):
        show_schedules(symbol, target, core)
