"""Writes cpio archives that depend on nothing but the files given: owner, times and inode numbers are fixed.

Old binary (little-endian, as Hafnium's build packs it), odc and newc; byte for byte what GNU cpio writes with
`--reproducible --owner=+0:+0` for files of mode 644 and time 0. Formats: cpio(5) of FreeBSD.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from enum import Enum

TRAILER = "TRAILER!!!"
BLOCK_BYTES = 512
REGULAR_FILE = 0o100644
SIZE_BYTES_MAX = (1 << 32) - 1
"""What old binary and newc have room for."""


class ArchiveFormat(Enum):
    """A format, by GNU cpio's name for it."""

    BIN = "bin"
    ODC = "odc"
    NEWC = "newc"


def write_archive(files: Sequence[tuple[str, bytes]], form: ArchiveFormat = ArchiveFormat.BIN) -> bytes:
    """The archive of files in the order given. Raises ValueError for a file of 4 GiB or more."""
    header, alignment = _FORMATS[form]
    result = bytearray()
    entries = [(name, content, REGULAR_FILE, inode) for inode, (name, content) in enumerate(files)]
    for name, content, mode, inode in [*entries, (TRAILER, b"", 0, 0)]:
        if len(content) > SIZE_BYTES_MAX:
            raise ValueError(f"{name} has {len(content)} bytes; a file in an archive has less than 4 GiB")
        encoded = name.encode() + b"\0"
        result += header(inode, mode, len(encoded), len(content)) + encoded
        result += bytes(-len(result) % alignment) + content
        result += bytes(-len(result) % alignment)
    return bytes(result) + bytes(-len(result) % BLOCK_BYTES)


def _old_binary(inode: int, mode: int, name_size: int, size_bytes: int) -> bytes:
    numbers = (0o070707, 0, inode, mode, 0, 0, 1, 0, 0, 0, name_size, size_bytes >> 16, size_bytes & 0xFFFF)
    return struct.pack("<13H", *numbers)


def _odc(inode: int, mode: int, name_size: int, size_bytes: int) -> bytes:
    fields = ((0, inode, mode, 0, 0, 1, 0), (name_size,))
    first, last = ("".join(f"{number:06o}" for number in part) for part in fields)
    return f"070707{first}{0:011o}{last}{size_bytes:011o}".encode()


def _newc(inode: int, mode: int, name_size: int, size_bytes: int) -> bytes:
    numbers = (inode, mode, 0, 0, 1, 0, size_bytes, 0, 0, 0, 0, name_size, 0)
    return ("070701" + "".join(f"{number:08X}" for number in numbers)).encode()


_FORMATS: dict[ArchiveFormat, tuple[Callable[[int, int, int, int], bytes], int]] = {
    ArchiveFormat.BIN: (_old_binary, 2),
    ArchiveFormat.ODC: (_odc, 1),
    ArchiveFormat.NEWC: (_newc, 4),
}
