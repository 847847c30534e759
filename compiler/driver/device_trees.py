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
_NODE = re.compile(r"^\t*(?:\S+: )*(?P<name>\S+) \{(?: /\* (?:.*, )?(?P<place>\S+:\d+) \*/)?$")
_END = re.compile(r"^\t*\};")
_PROPERTY = re.compile(r"^\t*(?:\S+: )*(?P<name>[^\s=;]+)(?: = .*)?; /\* (?:.*, )?(?P<place>\S+:\d+) \*/$")
_REFUSAL = re.compile(
    r"^(?:Error: )?(?P<file>[^:\n]+):(?P<line>\d+)\S* (?:ERROR \(\w+\): )?(?P<what>.+)$", re.MULTILINE
)

Places = Mapping[tuple[str, str], str]
"""File and line of each property, by node and name, and of each node, by its path and an empty name."""


def compile_tree(source: Path) -> bytes:
    """Return the tree that dtc makes of a file. ToolError B206: there is none, or dtc refuses it, and where."""
    return _dtc(source, "-O", "dtb")


def canonical_text(source: Path) -> str:
    """Return the source as dtc writes it, with one line for each property."""
    return _dtc(source, "-O", "dts").decode(errors="replace")


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
    if not source.is_file():
        raise ToolError("B206", f"there is no manifest {source}", fix="name a file in DTS form")
    result = subprocess.run([DTC, "-q", "-I", "dts", *options, source], capture_output=True, check=False)
    if result.returncode == 0:
        return result.stdout
    said = result.stderr.decode(errors="replace").strip()
    refusal = _REFUSAL.search(said)
    what = refusal["what"] if refusal else (said.splitlines() or ["it said nothing"])[-1]
    where = f"{refusal['file']}:{refusal['line']}" if refusal else source
    raise ToolError("B206", f"dtc does not accept it: {what}", where=where, fix="correct the source", status=1)
