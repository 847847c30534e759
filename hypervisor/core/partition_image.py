"""A partition's image as it lies in the hypervisor's, and what its own tables say about its code.

linker_scripts/partition.ld lays it out. The tables are constants that the partition cannot change.
"""

from __future__ import annotations

from compiler.language import Ptr, Slice, Value, address_of, slice_of, struct, u8, u16, u32, u64
from runtime import line_table, trap_table
from runtime.text import TextBuffer
from runtime.trap_table import FailedCheck

MAGIC = 0x4C544E54


@struct
class ImageHeader:
    """The first bytes of an image; it begins with a branch to the entry point. Offsets are from its start."""

    branch: u32
    magic: u32
    base: u64
    """Virtual address that it is linked at."""
    text_end: u64
    constants_end: u64
    data_end: u64
    """End of what the image holds; zeros follow up to zeros_end."""
    zeros_end: u64
    stack_start: u64
    stack_end: u64
    line_table_start: u64
    line_table_end: u64
    trap_table: u64
    """0 when the program has no run-time checks."""


def put_location(buffer: TextBuffer, image: ImageHeader, address: u64) -> None:
    """Append function, file and line of an address in the partition's code; nothing for any other address."""
    if image.base <= address < image.base + image.text_end:
        line_table.put_location(buffer, line_table_of(image), (address - image.base) // 4)


def line_table_of(image: ImageHeader) -> Slice[u8]:
    """The image's line table, where the hypervisor sees it."""
    start = address_of(image).address + image.line_table_start
    return slice_of(Ptr[u8].at(start), image.line_table_end - image.line_table_start)


def find_check(image: ImageHeader, number: u16) -> Value[FailedCheck] | None:
    """The partition's run-time check with this number."""
    if image.trap_table == 0:
        return None
    return trap_table.find_check(address_of(image).address + image.trap_table, number)
