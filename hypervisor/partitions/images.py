"""The programs of the partitions that the image carries, read at build time from their ELF files.

The build links the partitions first and names the folder of their ELF files in the environment variable
TANTALUM_PARTITIONS. Each PT_LOAD segment becomes a row of SEGMENTS, its bytes a part of CONTENT.
"""

from __future__ import annotations

import os
import struct as binary
from dataclasses import dataclass
from pathlib import Path

from compiler.language import Array, BuildError, constant, struct, u8, u64
from hypervisor.memory.descriptors import Access
from hypervisor.partitions.listing import PROGRAMS

PT_LOAD = 1
PF_X = 1
PF_W = 2


@struct
class Image:
    """A partition's program: its entry point, and which of SEGMENTS are its own."""

    entry: u64
    first_segment: u64
    segment_count: u64


@struct
class Segment:
    """Memory of a partition: `content_size` bytes of CONTENT from `content_offset`, then zeros."""

    start: u64
    size: u64
    access: Access
    content_offset: u64
    content_size: u64


@dataclass(frozen=True)
class ElfSegment:
    """A PT_LOAD program header and its bytes."""

    start: int
    size: int
    flags: int
    content: bytes

    @property
    def access(self) -> Access:
        """The least access that the flags ask for."""
        if self.flags & PF_W:
            return Access.READ_WRITE
        return Access.READ_EXECUTE if self.flags & PF_X else Access.READ_ONLY


def read_elf(file: Path) -> tuple[int, list[ElfSegment]]:
    """Entry point and loadable segments of a 64-bit little-endian ELF file (System V ABI, chapter 5)."""
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise BuildError(f"partition image {file} is not there; build the partitions before the hypervisor") from None
    if data[:6] != b"\x7fELF\x02\x01":
        raise BuildError(f"{file} is not a 64-bit little-endian ELF file")
    entry, header_offset = binary.unpack_from("<QQ", data, 24)
    header_size, header_count = binary.unpack_from("<HH", data, 54)
    segments: list[ElfSegment] = []
    for number in range(header_count):
        fields = binary.unpack_from("<IIQQQQQQ", data, header_offset + number * header_size)
        kind, flags, offset, start, _, size_in_file, size, _ = fields
        if kind == PT_LOAD and size > 0:
            if flags & PF_W and flags & PF_X:
                raise BuildError(f"{file}: the segment at {start:#x} is both writable and executable")
            segments.append(ElfSegment(start, size, flags, data[offset : offset + size_in_file]))
    return entry, segments


def load_images() -> tuple[list[Image], list[Segment], bytes]:
    """Images, segments and content of all listed partitions."""
    folder = Path(os.environ.get("TANTALUM_PARTITIONS", ""))
    images: list[Image] = []
    segments: list[Segment] = []
    content = b""
    for program in PROGRAMS:
        entry, parts = read_elf(folder / f"{program}.elf")
        images.append(Image(entry=u64(entry), first_segment=len(segments), segment_count=len(parts)))
        for part in parts:
            segments.append(
                Segment(
                    start=part.start,
                    size=part.size,
                    access=part.access,
                    content_offset=len(content),
                    content_size=len(part.content),
                )
            )
            content += part.content
    return images, segments, content


_IMAGES, _SEGMENTS, _CONTENT = load_images()

IMAGES: Array[Image] = constant(_IMAGES)
SEGMENTS: Array[Segment] = constant(_SEGMENTS)
CONTENT: Array[u8] = constant(list(_CONTENT), section=".partitions", align=16)
