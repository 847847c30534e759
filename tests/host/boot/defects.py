"""Initrds that are wrong in one way each, made from one that is right; the ways and the messages are in defects.toml.

The sources of the sound one are in the folder `sound`. A row changes one file: `in` names a source, in which `replace`
becomes `with`; or a compiled tree or "initrd", whose bytes from `at` become `bytes`, or which is `cut` to a
length; `drop` leaves a file out, `resize` gives it another size.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from compiler.image.cpio import ArchiveFormat, write_archive
from tests.host.boot.device_trees import compiled

FOLDER = Path(__file__).parent / "sound"
TREES = ("manifest", "echo", "storage")
IMAGES = {"linux.bin": 0x3000, "rootfs.cpio": 1, "echo.bin": 0x5001, "storage.bin": 0x2000, "plain.bin": 0x1000}


@dataclass(frozen=True)
class Defect:
    """A wrong initrd and what is said about it."""

    name: str
    archive: bytes
    message: str


@cache
def source(name: str) -> str:
    """The source of a tree without its first line."""
    return (FOLDER / f"{name}.dts").read_text(encoding="utf-8").removeprefix("/dts-v1/;\n")


def sound(form: ArchiveFormat = ArchiveFormat.BIN) -> bytes:
    """The initrd that is right."""
    return _archive({}, form)


@cache
def defects() -> tuple[Defect, ...]:
    """All of the list."""
    content = (Path(__file__).parent / "defects.toml").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = tomllib.loads(content)["defect"]
    return tuple(Defect(row["name"], _archive(row), row["message"]) for row in rows)


def _archive(row: dict[str, Any], form: ArchiveFormat = ArchiveFormat.BIN) -> bytes:
    files: dict[str, bytes] = {}
    for tree in TREES:
        text = source(tree)
        if row.get("in") == f"{tree}.dts":
            assert text.count(row["replace"]) >= 1, f"{row['name']}: nothing to replace"
            text = text.replace(row["replace"], row["with"], 1)
        content = compiled(text, "-f")
        files[f"{tree}.dtb"] = _changed(row, content) if row.get("in") == f"{tree}.dtb" else content
    for name, size in IMAGES.items():
        files[name] = bytes(row["resize"][name] if name in row.get("resize", {}) else size)
    files.pop(row.get("drop", ""), None)
    archive = write_archive(list(files.items()), form)
    return _changed(row, archive) if row.get("in") == "initrd" else archive


def _changed(row: dict[str, Any], content: bytes) -> bytes:
    if "cut" in row:
        return content[: row["cut"]]
    new = bytes.fromhex(row["bytes"])
    at = row["at"] if "at" in row else content.index(bytes.fromhex(row["before"]))
    return content[:at] + new + content[at + len(new) :]
