"""Physical memory that the hypervisor reaches only while it boots.

Mapped read-write where the linear map has it, by blocks of 2 MiB wherever the hypervisor's own image is not near;
`close` unmaps all of it before the first guest runs.
"""

from __future__ import annotations

from compiler.language import Array, PhysAddr, VirtAddr, array, cold, static, struct, u64
from hypervisor.arch.aarch64.boot import IMAGE_END, IMAGE_START
from hypervisor.boot.board import Range
from hypervisor.boot.refusal import refuse
from hypervisor.memory.descriptors import Access
from hypervisor.memory.exact_map import HYPERVISOR
from hypervisor.memory.linear_map import to_physical, to_virtual
from hypervisor.memory.page_table import map_range, query, unmap_range
from hypervisor.memory.pages import PAGE_SIZE, MapError

BLOCK_SIZE = 0x20_0000
WINDOW_COUNT_MAX = 32


@struct
class Windows:
    """What is mapped: ranges of whole blocks or pages."""

    ranges: Array[Range] = array(WINDOW_COUNT_MAX)
    count: u64 = 0


WINDOWS: Windows = static(Windows())


@cold
def open_window(start: PhysAddr, size_bytes: u64) -> VirtAddr:
    """Let the hypervisor read and write memory; its own address of it."""
    address = start.raw
    while address < start.raw + size_bytes:
        unit = _unit_at(address)
        base = address & ~(unit - 1)
        if not query(HYPERVISOR, base).is_valid():
            _map(base, unit)
        address = base + unit
    return to_virtual(start)


def close_windows() -> None:
    """Unmap all of them."""
    for index in range(WINDOWS.count):
        window = WINDOWS.ranges[index]
        error = unmap_range(HYPERVISOR, window.base, window.size_bytes)
        assert not isinstance(error, MapError), "memory of the boot cannot be unmapped"
    WINDOWS.count = 0


def _unit_at(address: u64) -> u64:
    """Blocks, or pages where the block would have a part of the image."""
    image_start = to_physical(IMAGE_START.address()).raw
    image_end = to_physical(IMAGE_END.address()).raw
    base = address & ~(BLOCK_SIZE - 1)
    return PAGE_SIZE if base < image_end and image_start < base + BLOCK_SIZE else BLOCK_SIZE


def _map(base: u64, size_bytes: u64) -> None:
    error = map_range(HYPERVISOR, base, PhysAddr(base), size_bytes, Access.READ_WRITE)
    if isinstance(error, MapError):
        refuse(f"memory: {base:#x} cannot be reached; error {error.value}")
    for index in range(WINDOWS.count):
        window = WINDOWS.ranges[index]
        if window.base + window.size_bytes == base:
            window.size_bytes += size_bytes
            return
    if WINDOWS.count == WINDOW_COUNT_MAX:
        refuse(f"memory: {base:#x} cannot be reached; there are too many separate pieces")
    window = WINDOWS.ranges[WINDOWS.count]
    window.base = base
    window.size_bytes = size_bytes
    WINDOWS.count += 1
