"""The initrd that the hypervisor gets: a manifest, the images and device trees that it names, in one archive.

A file that the manifest names is looked for beside the manifest; a `.dtb` is else made from the `.dts` of that name
there, and a `.bin` is else the guest of that name, which is built. The archive has the manifest as `manifest.dtb`.
It is checked by the hypervisor's own code: nothing is packed that would be refused when it boots.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from compiler.driver.device_trees import canonical_text, compile_tree, source_places
from compiler.driver.errors import ToolError
from compiler.driver.images import all_images, find_image
from compiler.driver.manifest_check import Partition, check_initrd, subject_of
from compiler.driver.pipeline import BuildResult, build, replace_file
from compiler.driver.stages import Stages, Target
from compiler.driver.timing import PhaseLog
from compiler.image.cpio import ArchiveFormat, write_archive

MANIFEST_NAME = "manifest.dtb"
NAMED_FILE = re.compile(r'\b(?:kernel_filename|fdt_filename|ramdisk_filename) = "([^"]*)";')


@dataclass(frozen=True)
class Initrd:
    """An archive on disk, the names of the files in it, and the guests among them that were built; what the hypervisor
    will make of it, and what in it has no effect."""

    file: Path
    names: tuple[str, ...]
    guests: tuple[BuildResult, ...]
    partitions: tuple[Partition, ...]
    warnings: tuple[str, ...]


def make_initrd(
    hypervisor: Target,
    manifest: Path,
    stages: Stages,
    log: PhaseLog,
    *,
    form: ArchiveFormat = ArchiveFormat.BIN,
    out: Path | None = None,
) -> Initrd:
    """Build what a manifest (DTS) names for the hypervisor's platform and profile, pack it into `out` and check it.

    ToolError B206: dtc refuses a source; B207: a file is missing; B208: the hypervisor would refuse the initrd.
    """
    guests: list[BuildResult] = []
    files = [(MANIFEST_NAME, compile_tree(manifest))]
    names = named_files(manifest)
    with log.phase("guests") as phase:
        for name in names:
            files.append((name, _content(hypervisor, manifest, name, stages, guests)))
        phase.cached = all(guest.up_to_date for guest in guests)
        phase.detail = ", ".join(guest.target.image.name for guest in guests)
    content = write_archive(files, form)
    with log.phase("manifest") as phase:
        verdict = check_initrd(hypervisor.root, content)
        if verdict.message:
            raise _refused(manifest, verdict.message)
        phase.detail = f"{len(verdict.partitions)} partitions"
    archive = out or hypervisor.root / "build" / hypervisor.platform.name / f"{manifest.stem}.initrd"
    replace_file(archive, content)
    return Initrd(archive, (MANIFEST_NAME, *names), tuple(guests), verdict.partitions, verdict.warnings)


def named_files(manifest: Path) -> list[str]:
    """Return the names of all files that a manifest asks for, each once, in their order."""
    return list(dict.fromkeys(NAMED_FILE.findall(canonical_text(manifest))))


def _refused(manifest: Path, message: str) -> ToolError:
    """The error that names the place in the source, as near as the message does."""
    subject = subject_of(message)
    beside = manifest.with_name(subject.file).with_suffix(".dts") if subject.file != MANIFEST_NAME else manifest
    if not beside.is_file():
        return ToolError("B208", message, where=manifest, status=1)
    places = source_places(beside)
    where = places.get((subject.node, subject.property)) or places.get((subject.node, "")) or beside
    return ToolError("B208", message, where=where, status=1)


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
