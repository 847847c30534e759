"""`build`: brings the artefacts of an image up to date. Also what `run` and `asm` call first."""

from typing import Annotated

import typer

from compiler.cli import output
from compiler.cli.progress import PhaseDisplay
from compiler.cli.rejection import DiagnosticsForm, DiagnosticsOption, shown
from compiler.driver.freshness import Freshness
from compiler.driver.images import DEFAULT_IMAGE, find_image
from compiler.driver.paths import ROOT
from compiler.driver.pipeline import BuildResult
from compiler.driver.pipeline import build as run_pipeline
from compiler.driver.platforms import load_platform
from compiler.driver.stages import CompilerStages, Profile, Target
from compiler.driver.timing import PhaseLog

DEFAULT_PLATFORM = "qemu"

PlatformOption = Annotated[str, typer.Option("-p", "--platform", help="See ./build.py list.")]
ImageOption = Annotated[str, typer.Option("-i", "--image", help="See ./build.py list.")]
ProfileOption = Annotated[Profile, typer.Option("--profile", help="How code is generated.")]
VerboseOption = Annotated[bool, typer.Option("-v", "--verbose", help="Show more, such as the commands that are run.")]


def build(
    context: typer.Context,
    platform: PlatformOption = DEFAULT_PLATFORM,
    image: ImageOption = DEFAULT_IMAGE,
    profile: ProfileOption = Profile.RELEASE,
    diagnostics: DiagnosticsOption = DiagnosticsForm.TEXT,
    verbose: VerboseOption = False,
) -> int:
    """Build an image: build/PLATFORM/IMAGE.elf, .bin, .map and .lst."""
    if diagnostics is DiagnosticsForm.JSON:
        bring_up_to_date(platform, image, profile, PhaseLog(), diagnostics)
        return 0
    log = PhaseLog(PhaseDisplay())
    result = bring_up_to_date(platform, image, profile, log)
    if verbose:
        for name in result.inputs.stamps:
            output.say(f"input {name}", "dim")
    text = summary(result)
    output.say(text)
    if not result.up_to_date:
        output.say(f"built in {log.seconds:.2f} s")
    record = Freshness(str(ROOT), context.obj)
    record.record(result.inputs.stamps, result.inputs.taken_at_ns, result.artefacts.values(), text)
    return 0


def bring_up_to_date(
    platform: str, image: str, profile: Profile, log: PhaseLog, form: DiagnosticsForm = DiagnosticsForm.TEXT
) -> BuildResult:
    """Build the named image for the named platform, or find that nothing changed; show errors and warnings."""
    target = Target(ROOT, find_image(image), load_platform(ROOT, platform), profile)
    with shown(form) as warnings:
        result = run_pipeline(target, CompilerStages(), log)
        warnings += log.warnings
    return result


def summary(result: BuildResult) -> str:
    """Return what was built: checks left, worst use of each stack, sizes by content, and as the last line the
    artefacts with their sizes.
    """
    target = result.target
    checks = ", ".join(f"{count} {kind}" for kind, count in result.checks_left.items() if count) or "none"
    contents = ", ".join(f"{kind} {output.size_text(size)}" for kind, size in result.size_bytes.items())
    files = ", ".join(
        f"{path.relative_to(target.root)} ({output.size_text(path.stat().st_size)})"
        for path in result.artefacts.values()
    )
    stacks = "\n".join(
        f"at most {use.used_bytes} of {use.size_bytes} bytes of stack ({use.stack}), entered by {use.entry}"
        for use in result.stacks
    )
    return (
        f"{target.image.name} for {target.platform.name}, {target.profile.value}: {contents}\n"
        f"run-time checks left: {checks}\n"
        f"{stacks}\n"
        f"{files}"
    )
