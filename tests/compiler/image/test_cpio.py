"""Archives against those of Debian's cpio, and read back by it and by the hypervisor's reader."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from compiler.image.cpio import ArchiveFormat, write_archive
from tests.tools import debian_tool

FILES = [("manifest.dtb", b"tree"), ("odd", b"12345"), ("empty", b""), ("kernel.bin", bytes(range(256)) * 300)]


def by_cpio(folder: Path, form: ArchiveFormat) -> bytes:
    """What GNU cpio makes of FILES."""
    for name, content in FILES:
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o644)
        os.utime(folder / name, (0, 0))
    command = [debian_tool("cpio"), "--quiet", "-o", "-H", form.value, "--reproducible", "--owner=+0:+0"]
    names = "".join(f"{name}\n" for name, _ in FILES).encode()
    return subprocess.run(command, input=names, cwd=folder, capture_output=True, check=True).stdout


@pytest.mark.parametrize("form", ArchiveFormat)
def test_the_bytes_are_those_of_cpio(form: ArchiveFormat, tmp_path: Path) -> None:
    expected = by_cpio(tmp_path, form)
    assert write_archive(FILES, form) == expected


@pytest.mark.parametrize("form", ArchiveFormat)
def test_cpio_unpacks_what_is_written(form: ArchiveFormat, tmp_path: Path) -> None:
    archive = write_archive(FILES, form)
    subprocess.run([debian_tool("cpio"), "--quiet", "-i"], input=archive, cwd=tmp_path, check=True)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == dict(FILES)
    assert all(file.stat().st_mode & 0o777 == 0o644 for file in tmp_path.iterdir())
