"""The initrd that the hypervisor gets: a manifest, the images and device trees that it names, in one archive.

A file that the manifest names is looked for beside the manifest; a `.dtb` is else made from the `.dts` of that name
there, and a `.bin` is else the guest of that name, which is built. The archive has the manifest as `manifest.dtb`.
"""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from compiler.driver import debian
from compiler.driver.errors import ToolError
from compiler.driver.images import all_images, find_image
from compiler.driver.pipeline import BuildResult, build, replace_file
from compiler.driver.stages import Stages, Target
from compiler.driver.timing import PhaseLog
from compiler.image.cpio import write_archive

MANIFEST_NAME = "manifest.dtb"
NAMED_FILE = re.compile(r'\b(?:kernel_filename|fdt_filename|ramdisk_filename) = "([^"]*)";')


@dataclass(frozen=True)
class Initrd:
    """An archive on disk, the names of the files in it, and the guests among them that were built."""

    file: Path
    names: tuple[str, ...]
    guests: tuple[BuildResult, ...]


def make_initrd(hypervisor: Target, manifest: Path, stages: Stages, log: PhaseLog) -> Initrd:
    """Build what a manifest (DTS) names for the hypervisor's platform and profile, and pack it."""
    guests: list[BuildResult] = []
    files = [(MANIFEST_NAME, compile_tree(manifest))]
    names = named_files(manifest)
    with log.phase("guests") as phase:
        for name in names:
            files.append((name, _content(hypervisor, manifest, name, stages, guests)))
        phase.cached = all(guest.up_to_date for guest in guests)
        phase.detail = ", ".join(guest.target.image.name for guest in guests)
    archive = hypervisor.root / "build" / hypervisor.platform.name / f"{manifest.stem}.initrd"
    replace_file(archive, write_archive(files))
    return Initrd(archive, (MANIFEST_NAME, *names), tuple(guests))


def compile_tree(source: Path, form: str = "dtb") -> bytes:
    """Return what dtc makes of a device tree's source: a blob, or with `form` "dts" its canonical text."""
    debian.require(["run"], "compiling manifests")
    if not source.is_file():
        raise ToolError("B206", f"there is no manifest {source}", fix="name a file in DTS form")
    command = ["dtc", "-q", "-I", "dts", "-O", form, str(source)]
    result = subprocess.run(command, capture_output=True, check=False)
    if result.returncode != 0:
        said = result.stderr.decode(errors="replace").strip()
        raise ToolError("B206", f"dtc does not accept it: {said}", where=source, fix="correct the source", status=1)
    return result.stdout


def named_files(manifest: Path) -> list[str]:
    """Return the names of all files that a manifest asks for, each once, in their order."""
    return list(dict.fromkeys(NAMED_FILE.findall(compile_tree(manifest, "dts").decode())))


def _content(hypervisor: Target, manifest: Path, name: str, stages: Stages, guests: list[BuildResult]) -> bytes:
    beside = manifest.parent / name
    if beside.is_file():
        return beside.read_bytes()
    if beside.suffix == ".dtb" and beside.with_suffix(".dts").is_file():
        return compile_tree(beside.with_suffix(".dts"))
    images = [image.name for image in all_images()]
    if beside.suffix == ".bin" and beside.stem in images:
        guest = build(replace(hypervisor, image=find_image(beside.stem)), stages, PhaseLog())
        guests.append(guest)
        return guest.artefacts["bin"].read_bytes()
    raise ToolError(
        "B207",
        f"the manifest names {name}, which is nowhere",
        where=manifest,
        fix=_fix(manifest, beside, images),
    )


def _fix(manifest: Path, beside: Path, images: Sequence[str]) -> str:
    folder = manifest.parent
    if beside.suffix == ".dtb":
        return f"put {beside.name} or {beside.stem}.dts into {folder}"
    return f"put it into {folder}, or name the .bin of an image: {', '.join(images)}"
