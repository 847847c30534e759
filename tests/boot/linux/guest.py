"""The Linux guest: Debian's kernel, and a first file system with busybox and `init.sh`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.boot.linux import packages
from tests.boot.linux.archive import archive

FOLDER = Path(__file__).parent
KERNEL_PACKAGE = "linux-image-arm64"
KERNEL_NAME = r"linux-image-[\d.]+.*-arm64"
BUSYBOX_PACKAGE = "busybox-static"
IMAGE_MAGIC = b"ARM\x64"
IMAGE_MAGIC_OFFSET = 0x38
EMPTY_FOLDERS = ("bin", "dev")


@dataclass(frozen=True)
class Programs:
    """Files of Debian's arm64 packages."""

    kernel: Path
    busybox: Path


def debian_programs() -> Programs:
    """The newest kernel and busybox when they were first asked for; a test that cannot have them fails."""
    folder = packages.CACHE / "files"
    programs = Programs(folder / "vmlinuz", folder / "busybox")
    with packages.locked():
        if not (programs.kernel.exists() and programs.busybox.exists()):
            try:
                packages.update()
                kernel = packages.dependency(KERNEL_PACKAGE, KERNEL_NAME)
                packages.fetch(BUSYBOX_PACKAGE, {"busybox": "./bin/busybox"}, folder)
                packages.fetch(kernel, {"vmlinuz": "./boot/vmlinuz-*"}, folder)
            except packages.FetchError as error:
                pytest.fail(str(error), pytrace=False)
        _check_image(programs.kernel)
    return programs


def ramdisk(busybox: Path, more: Mapping[str, bytes] | None = None) -> bytes:
    """A first file system for the kernel; `more` files go to its root and are programs."""
    files = {"bin/busybox": busybox.read_bytes(), "init": (FOLDER / "init.sh").read_bytes(), **(more or {})}
    return archive(files, EMPTY_FOLDERS)


def _check_image(kernel: Path) -> None:
    """The hypervisor starts a kernel at its first byte: it has to be the plain image that the arm64 boot protocol
    describes, not compressed.
    """
    with kernel.open("rb") as file:
        header = file.read(IMAGE_MAGIC_OFFSET + len(IMAGE_MAGIC))
    assert header.endswith(IMAGE_MAGIC), f"{kernel} starts with {header[:8].hex(' ')}: it is not a plain arm64 Image"
