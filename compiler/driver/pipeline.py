"""From sources to artefacts: load, check, generate, link, guard, inspect; only what changed.

The key of a build is a digest of everything that it depends on: the contents of the files of the compiler, of the
program's modules that were imported, and of all that is no module (platform data, linker scripts); the names of all
files; and the profile. A build whose key is that of the artefacts on disk is done, if these are
unchanged. Artefacts are replaced whole, each by a rename: a reader never sees half a file, and an interrupted build
leaves the earlier one.
"""

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from compiler.driver import freshness
from compiler.driver.errors import ToolError
from compiler.driver.images import Image
from compiler.driver.platforms import Platform
from compiler.driver.stages import PROGRAM_FOLDERS, Inspected, Linked, StackUse, Stages, Target
from compiler.driver.timing import PhaseLog

ARTEFACT_SUFFIXES = ("elf", "bin", "map", "lst")


@dataclass(frozen=True)
class Inputs:
    """Everything that a build may depend on: the files with their stamps, and the digest of each one's content."""

    stamps: freshness.Stamps
    taken_at_ns: int
    digests: Mapping[str, str]


@dataclass(frozen=True)
class BuildResult:
    """What a build left: a path for each suffix of ARTEFACT_SUFFIXES, sizes by content, checks left by kind, and how
    much of each stack may be used."""

    target: Target
    inputs: Inputs
    artefacts: Mapping[str, Path]
    size_bytes: Mapping[str, int]
    checks_left: Mapping[str, int]
    stacks: tuple[StackUse, ...]
    up_to_date: bool


@dataclass(frozen=True)
class Record:
    """What is kept of a build beside its artefacts, to know it again."""

    key: str
    modules: tuple[str, ...]
    checks_left: Mapping[str, int]
    stacks: tuple[StackUse, ...]


def artefact_paths(root: Path, platform: Platform, image: Image) -> dict[str, Path]:
    """Return where the artefacts of an image go."""
    folder = root / "build" / platform.name
    return {suffix: folder / f"{image.name}.{suffix}" for suffix in ARTEFACT_SUFFIXES}


def build(target: Target, stages: Stages, log: PhaseLog) -> BuildResult:
    """Bring the artefacts of the target up to date."""
    with log.phase("load") as phase:
        inputs = load(target.root)
        phase.detail = f"{len(inputs.stamps)} files"
    return _build(target, inputs, stages, log)


def load(root: Path) -> Inputs:
    """Stamp and digest every input. The stamps come first: an edit during the build shows at the next one."""
    taken_at_ns = time.time_ns()
    stamps = freshness.input_stamps(str(root))
    digests: dict[str, str] = {}
    for name in sorted(stamps):
        with contextlib.suppress(FileNotFoundError):
            digests[name] = _digest((root / name).read_bytes())
    return Inputs(stamps, taken_at_ns, digests)


def _build(target: Target, inputs: Inputs, stages: Stages, log: PhaseLog) -> BuildResult:
    earlier = _earlier_result(target, inputs)
    if earlier is not None:
        return earlier
    with log.phase("check") as phase:
        checked = stages.check(target)
        program = checked.program
        log.warnings += checked.warnings
        phase.detail = f"{len(program.functions)} functions from {len(program.sources)} files"
    with log.phase("generate") as phase:
        finish = stages.lower(program, target)
        try:
            blocks = stages.assemble(program)
        finally:
            lowered = finish()
        checks_left = {kind.name.lower(): count for kind, count in lowered.checks_left.items()}
        checks_count = sum(lowered.checks_before.values()) + checked.proven_count
        phase.detail = f"{sum(checks_left.values())} of {checks_count} run-time checks left"
    with log.phase("link"):
        linked = stages.link([(target.image.name, lowered.object), *blocks], target)
    with log.phase("guard") as phase:
        stacks = stages.guard(linked, program, lowered.traps, target)
        phase.detail = ", ".join(f"{use.used_bytes} of {use.size_bytes} bytes of stack" for use in stacks)
    with log.phase("inspect"):
        inspected = stages.inspect(linked, target)
    key = _key(target, inputs, checked.modules)
    return _store(target, inputs, Record(key, checked.modules, checks_left, stacks), linked, inspected)


def _key(target: Target, inputs: Inputs, modules: Sequence[str]) -> str:
    """Return the digest of what a build depends on that imported these modules (file names) of the program."""
    imported = set(modules)
    digest = hashlib.sha256(f"{sys.version} {target.profile.value}".encode())
    for name, content in inputs.digests.items():
        is_other_module = name.startswith(PROGRAM_FOLDERS) and name.endswith(".py") and name not in imported
        digest.update(f"\n{name} {'' if is_other_module else content}".encode())
    return digest.hexdigest()


def _record_file(target: Target) -> Path:
    return target.root / "build" / ".cache" / "builds" / f"{target.platform.name}-{target.image.name}.json"


def _earlier_result(target: Target, inputs: Inputs) -> BuildResult | None:
    """Return the result on disk when it was built from the same inputs and is still what was written."""
    artefacts = artefact_paths(target.root, target.platform, target.image)
    try:
        record = json.loads(_record_file(target).read_text(encoding="utf-8"))
        digests = {suffix: _digest(path.read_bytes()) for suffix, path in artefacts.items()}
        if record["key"] != _key(target, inputs, record["modules"]) or record["digests"] != digests:
            return None
        sizes, checks = record["size_bytes"], record["checks_left"]
        stacks = tuple(_stack_use(row) for row in record["stacks"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return BuildResult(target, inputs, artefacts, sizes, checks, stacks, up_to_date=True)


def _stack_use(row: Mapping[str, Any]) -> StackUse:
    return StackUse(row["stack"], row["size_bytes"], row["used_bytes"], row["entry"], tuple(row["path"]))


def _store(target: Target, inputs: Inputs, record: Record, linked: Linked, inspected: Inspected) -> BuildResult:
    artefacts = artefact_paths(target.root, target.platform, target.image)
    contents = {
        "elf": linked.elf,
        "bin": linked.raw,
        "map": linked.map_text.encode(),
        "lst": inspected.listing.encode(),
    }
    for suffix, content in contents.items():
        replace_file(artefacts[suffix], content)
    digests = {suffix: _digest(content) for suffix, content in contents.items()}
    sizes = dict(inspected.size_bytes)
    replace_file(_record_file(target), json.dumps({**asdict(record), "digests": digests, "size_bytes": sizes}).encode())
    return BuildResult(target, inputs, artefacts, sizes, record.checks_left, record.stacks, up_to_date=False)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def replace_file(file: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        temporary.write_bytes(content)
        temporary.replace(file)
    except OSError as error:
        raise ToolError("B102", f"cannot write: {error.strerror}", where=file, fix="make room or access") from None
