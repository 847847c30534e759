"""Flat binaries: the bytes of an image as a loader finds them in memory, and the arm64 boot header.

`linker_scripts/hypervisor.ld` writes the header itself, from its own symbols; `arm64_header` is the same in Python, for
images without that script and as the check on it. Source: Linux, Documentation/arch/arm64/booting.rst, section 4.
"""

from __future__ import annotations

import struct

from compiler.link import LinkedImage

HEADER_BYTES = 64
FLAGS_LITTLE_ENDIAN_4K_ANYWHERE = 0xA
"""Bit 0: big-endian; bits 2-1: page size, 1 for 4 KiB; bit 3: loadable anywhere in memory"""

_HEADER = struct.Struct("<IIQQQQQQII")
_MAGIC = 0x644D5241
_BRANCH = 0x14000000
_SIZE_BYTES_MAX = 1 << 30


class RawImageError(Exception):
    """An image that has no sensible flat form; the message says why and what to do."""


def arm64_header(text_offset: int, image_size: int, flags: int, entry_offset: int = HEADER_BYTES) -> bytes:
    """The 64-byte arm64 boot header, whose first word branches to `entry_offset` bytes after the header's start.

    `text_offset` and `image_size` are in bytes; raises ValueError if the entry cannot be branched to.
    """
    if entry_offset % 4 or not HEADER_BYTES <= entry_offset < 1 << 27:
        raise ValueError(f"entry_offset {entry_offset:#x} is not a multiple of 4 between 0x40 and 0x8000000")
    return _HEADER.pack(_BRANCH | entry_offset >> 2, 0, text_offset, image_size, flags, 0, 0, 0, _MAGIC, 0)


def flat_binary(image: LinkedImage) -> bytes:
    """The image from its lowest load address to the last byte that is stored; zeroed data at the end is left out.

    Gaps between segments are zero. Raises `RawImageError` if the segments lie too far apart for one file.
    """
    stored = [segment for segment in image.segments if segment.data]
    if not stored:
        raise RawImageError("the image holds no bytes to load; link something that is reachable from the entry")
    start = min(segment.physical_address for segment in stored)
    end = max(segment.physical_address + len(segment.data) for segment in stored)
    if end - start > _SIZE_BYTES_MAX:
        raise RawImageError(
            f"the segments lie {end - start:#x} bytes apart, too far for a flat binary; "
            "load the ELF file, or give the sections load addresses (AT) near each other"
        )
    result = bytearray(end - start)
    for segment in stored:
        offset = segment.physical_address - start
        result[offset : offset + len(segment.data)] = segment.data
    return bytes(result)
