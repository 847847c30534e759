"""Checks an initrd with the hypervisor's own rules: runs `hypervisor.boot.manifest` on the host, as boot runs it.

So that a message here is the message there, and nothing that passes here is refused there.
"""

import contextlib
import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST_MODULE = "hypervisor.boot.manifest"
PLAN_MODULE = "hypervisor.boot.plan"
TEXT_MODULE = "runtime.text"


@dataclass(frozen=True)
class Partition:
    """What the hypervisor will make of a node vmN."""

    id: int
    name: str
    runs_at: str
    vcpu_count: int
    mem_size_bytes: int
    image_size_bytes: int
    service_count: int


@dataclass(frozen=True)
class Verdict:
    """What the hypervisor says. Without a `message` the initrd is right, and `partitions` is what it asks for."""

    message: str
    partitions: tuple[Partition, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Subject:
    """What a message is about: a file of the initrd, and a node and a property of it, or nothing."""

    file: str
    node: str
    property: str


_SUBJECT = re.compile(r"(?P<file>[^:]*): (?:(?P<node>/[^: ]*): )?(?P<property>\S*)")


def subject_of(message: str) -> Subject:
    """Return what a message is about. Where it names no property, that is the first word of what it says."""
    found = _SUBJECT.match(message)
    return Subject(found["file"], found["node"] or "", found["property"]) if found else Subject("", "", "")


def check_initrd(root: Path, archive: bytes) -> Verdict:
    """Return what the hypervisor of this checkout says to an initrd."""
    from compiler.check import check_program
    from compiler.host import Interpreter

    manifest, plan, text = map(importlib.import_module, (MANIFEST_MODULE, PLAN_MODULE, TEXT_MODULE))
    with contextlib.chdir(root):
        program = check_program([manifest.read_or_explain, manifest.report_warnings], name="manifest")
    printed = bytearray()

    def console_write(text: tuple[int, int]) -> None:
        printed.extend(session.read(*text))

    with Interpreter(program, externs={"console_write": console_write}) as session:
        made = session.new(plan.Manifest)
        message = session.new(text.TextBuffer)
        if not session.call("read_or_explain", archive, made, message):
            return Verdict(bytes(message.content.bytes_()[: message.count]).decode(), (), ())
        session.call("report_warnings", made)
        warnings = tuple(printed.decode(errors="replace").splitlines())
        return Verdict("", tuple(_partition(made.partitions[n]) for n in range(made.partition_count)), warnings)


def _partition(plan: Any) -> Partition:
    return Partition(
        id=plan.id,
        name=bytes(plan.name.bytes_()[: plan.name_size]).decode(errors="replace"),
        runs_at="EL1, primary" if plan.kind.name == "PRIMARY" else plan.kind.name,
        vcpu_count=plan.vcpu_count,
        mem_size_bytes=plan.mem_size,
        image_size_bytes=plan.image.size_bytes,
        service_count=plan.service_count,
    )
