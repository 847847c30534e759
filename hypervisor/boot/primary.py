"""The primary VM: its place, its stage 2 and the host's device tree as it finds it.

It gets all RAM but what is withheld, and everything that is not RAM as devices, each at its physical address.
"""

from __future__ import annotations

from compiler.language import Array, PhysAddr, Slice, address_of, array, u8, u64
from hypervisor.arch.aarch64.boot import IMAGE_END
from hypervisor.boot import host, placement, windows
from hypervisor.boot.board import Board, Range
from hypervisor.boot.cpio import File
from hypervisor.boot.fdt import FdtError, open_tree
from hypervisor.boot.fdt_edit import add_reservations, set_initrd
from hypervisor.boot.manifest import bytes_of_file
from hypervisor.boot.placement import PLACEMENT, TAKEN_COUNT_MAX
from hypervisor.boot.plan import PartitionPlan
from hypervisor.boot.refusal import refuse
from hypervisor.memory.address_space import AddressSpace
from hypervisor.memory.descriptors import Access
from hypervisor.memory.linear_map import to_physical
from hypervisor.memory.page_table import map_range
from hypervisor.memory.pages import PAGE_SIZE, MapError
from runtime import bulk

LINUX_MAGIC = 0x644D_5241
LINUX_MAGIC_AT = 0x38
TEXT_OFFSET_AT = 8
IMAGE_SIZE_AT = 16
LINUX_HEADER_SIZE = 64
KERNEL_ALIGNMENT = 0x20_0000
DEFAULT_TEXT_OFFSET = 0x8_0000
"""For images without the header (Linux, Documentation/arch/arm64/booting.rst)."""


def place(board: Board, archive: Slice[u8], plan: PartitionPlan) -> u64:
    """Copy the primary's image to where it runs, unless the loader has put it there; where it is entered.

    That is what the manifest says, or the lowest free place behind the hypervisor that suits a kernel.
    """
    if plan.image.size_bytes == 0:
        return plan.boot_address
    image = bytes_of_file(archive, plan.image)
    text_offset: u64 = DEFAULT_TEXT_OFFSET
    size_bytes: u64 = len(image)
    if size_bytes >= LINUX_HEADER_SIZE and _number(image, LINUX_MAGIC_AT, 4) == LINUX_MAGIC:
        text_offset = _number(image, TEXT_OFFSET_AT, 8) % KERNEL_ALIGNMENT
        size_bytes = max(size_bytes, _number(image, IMAGE_SIZE_AT, 8))
    least = to_physical(IMAGE_END.address()).raw
    if plan.boot_address != 0:
        least = plan.boot_address
        text_offset = least % KERNEL_ALIGNMENT
    base = placement.lowest_place(board, least, size_bytes, KERNEL_ALIGNMENT, text_offset)
    if base is None or (plan.boot_address != 0 and base != plan.boot_address):
        refuse(f"vm1: its image needs {size_bytes:#x} bytes of RAM at {least:#x} or behind; they are not free")
    placement.take(base, size_bytes, is_withheld=False)
    start = windows.open_window(PhysAddr(base), len(image))
    bulk.copy_bytes(start, address_of(image[0]).address, len(image))
    bulk.clean(start, len(image))
    return base


def _number(data: Slice[u8], position: u64, size_bytes: u64) -> u64:
    """A little-endian number at any alignment."""
    number: u64 = 0
    for index in reversed(range(size_bytes)):
        number = number << 8 | data[position + index]
    return number


def map_memory(board: Board, space: AddressSpace) -> None:
    """Fill the primary's stage 2, once all memory is placed."""
    device: u64 = 0
    for index in range(board.memory_count):
        memory = board.memory[index]
        end = memory.base + memory.size_bytes
        _map(space, device, memory.base & ~(PAGE_SIZE - 1), Access.DEVICE)
        device = (end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1)
        _map_ram(space, (memory.base + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1), end & ~(PAGE_SIZE - 1))
    _map(space, device, space.input_size(), Access.DEVICE)


def _map_ram(space: AddressSpace, start: u64, end: u64) -> None:
    """Map a range of RAM but for what is withheld."""
    address = start
    while address < end:
        hole = placement.next_withheld(address, end)
        _map(space, address, hole.base, Access.READ_WRITE_EXECUTE)
        address = hole.base + hole.size_bytes


def _map(space: AddressSpace, start: u64, end: u64, access: Access) -> None:
    if start >= end:
        return
    error = map_range(space, start, PhysAddr(start), end - start, access)
    if isinstance(error, MapError):
        refuse(f"memory: {start:#x} to {end:#x} cannot be mapped for the primary; error {error.value}")


def patch_tree(board: Board, ramdisk: File) -> None:
    """Let the host's device tree name the primary's own ramdisk, and reserve what the primary does not get."""
    tree = host.tree_bytes()
    start: u64 = 0
    end: u64 = 0
    if ramdisk.size_bytes != 0:
        start = host.HOST.archive.raw + ramdisk.offset
        end = start + ramdisk.size_bytes
    error = set_initrd(tree, board, start, end)
    if isinstance(error, FdtError):
        refuse(f"device tree: it cannot name the primary's ramdisk; error {error.value}")
    withheld: Array[Range] = array(TAKEN_COUNT_MAX)
    count: u64 = 0
    for index in range(PLACEMENT.count):
        taken = PLACEMENT.taken[index]
        if taken.is_withheld:
            withheld[count] = Range(base=taken.base, size_bytes=taken.end - taken.base)
            count += 1
    error = add_reservations(tree, withheld[0:count])
    if isinstance(error, FdtError):
        refuse(f"device tree: it has no room for {count} more reservations; error {error.value}")
    patched = open_tree(tree)
    assert not isinstance(patched, FdtError), "the host's device tree is damaged by its editing"
    bulk.clean(address_of(tree[0]).address, max(patched.structure_end, patched.strings_end))
