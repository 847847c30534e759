"""Images: what the tool can build, each from which entries, with which linker script, on which
platforms.

An image's name is also the name of its artefacts, `build/<platform>/<name>.elf` and so on.
"""

from dataclasses import dataclass
from pathlib import Path

from compiler.driver.errors import ToolError, did_you_mean


@dataclass(frozen=True)
class Image:
    """One image. `kind` names the exception level and world that it is entered in."""

    name: str
    description: str
    kind: str
    entries: tuple[str, ...]  # package.module:function
    linker_script: Path


IMAGES = (
    Image(
        name="hypervisor",
        description="the hypervisor at EL2 with its EL0 partitions",
        kind="NS-EL2",
        entries=("hypervisor.main:main",),
        linker_script=Path("linker_scripts", "hypervisor.ld"),
    ),
)
DEFAULT_IMAGE = "hypervisor"  # what `run` boots: the fullest stack there is


def find_image(name: str) -> Image:
    """Return the named image, or raise ToolError B203."""
    by_name = {image.name: image for image in IMAGES}
    if name not in by_name:
        names = ", ".join(by_name)
        raise ToolError("B203", f"there is no image '{name}'{did_you_mean(name, by_name)}", fix=f"images are: {names}")
    return by_name[name]
