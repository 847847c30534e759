"""Device-tree sources: compiled by dtc, with the line of every node and property for messages.

dtc is Debian's, from the package device-tree-compiler; it is installed when it is missing and may be.
"""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from compiler.driver import debian
from compiler.driver.errors import ToolError

DTC = "dtc"
DTC_PACKAGE = "device-tree-compiler"
_NODE = re.compile(r"^\t*(?:\S+: )*(?P<name>\S+) \{(?: /\* (?P<place>\S+:\d+) \*/)?$")
_END = re.compile(r"^\t*\};")
_PROPERTY = re.compile(r"^\t*(?:\S+: )*(?P<name>[^\s=;]+)(?: = .*)?;(?: /\* (?P<place>\S+:\d+) \*/)$")
_REFUSAL = re.compile(
    r"^(?:Error: )?(?P<file>[^:\n]+):(?P<line>\d+)\S* (?:ERROR \(\w+\): )?(?P<what>.+)$", re.MULTILINE
)

Places = Mapping[tuple[str, str], str]
"""File and line of each property, by node and name, and of each node, by its path and an empty name."""


def compile_tree(source: Path) -> bytes:
    """Return the tree that dtc makes of a file. ToolError B204: unreadable; B206: dtc refuses it, and where."""
    return _dtc(source, "-O", "dtb")


def source_places(source: Path) -> Places:
    """Return where in the source the nodes and properties of a tree are."""
    places: dict[tuple[str, str], str] = {}
    path: list[str] = []
    for line in _dtc(source, "-O", "dts", "-T").decode(errors="replace").splitlines():
        if node := _NODE.match(line):
            path.append("" if node["name"] == "/" else node["name"])
            places["/".join(path) or "/", ""] = _shown(source, node["place"])
        elif _END.match(line):
            path.pop()
        elif found := _PROPERTY.match(line):
            places["/".join(path) or "/", found["name"]] = _shown(source, found["place"])
    return places


def _shown(source: Path, place: str | None) -> str:
    """A place as seen from the current folder; dtc names files as seen from the source's."""
    return str(source) if place is None else str(source.parent / place)


def _dtc(source: Path, *options: str) -> bytes:
    if shutil.which(DTC) is None:
        debian.install([DTC_PACKAGE], "compiling device trees")
    try:
        content = source.read_bytes()
    except OSError as error:
        raise ToolError("B204", f"cannot read the file: {error.strerror}", where=source) from None
    if b"\0" in content:
        raise ToolError("B206", "the file is no text: a manifest is given as source (DTS)", where=source, status=1)
    result = subprocess.run([DTC, "-q", "-I", "dts", *options, source], capture_output=True, check=False)
    if result.returncode == 0:
        return result.stdout
    said = result.stderr.decode(errors="replace")
    refusal = _REFUSAL.search(said)
    if refusal is None:
        what = said.strip().splitlines()[-1] if said.strip() else "it said nothing"
        raise ToolError("B206", f"dtc does not compile the file: {what}", where=source, status=1)
    raise ToolError(
        "B206",
        f"dtc does not compile the file: {refusal['what']}",
        where=f"{refusal['file']}:{refusal['line']}",
        fix="see the Devicetree Specification, chapter 6, for the source format",
        status=1,
    )
