"""What the loader hands over: the host's device tree, and the archive that the tree names."""

from __future__ import annotations

from compiler.language import PhysAddr, Ptr, Slice, byte_swap, slice_of, static, struct, u8, u32, u64
from hypervisor.boot import windows
from hypervisor.boot.board import Board, BoardError, read_board
from hypervisor.boot.fdt import HEADER_SIZE, TOTAL_SIZE_AT, FdtError, open_tree
from hypervisor.boot.refusal import refuse

BOARD: Board = static(Board())


@struct
class Host:
    """Where it is; physical."""

    tree: PhysAddr = PhysAddr(0)
    tree_size: u64 = 0
    archive: PhysAddr = PhysAddr(0)
    archive_size: u64 = 0


HOST: Host = static(Host())


def read_tree(device_tree: u64) -> None:
    """Read the device tree into BOARD."""
    HOST.tree = PhysAddr(device_tree)
    if device_tree == 0 or device_tree % 8 != 0:
        refuse(f"device tree: x0 is {device_tree:#x}; the loader has to pass an address there, a multiple of 8")
    header = windows.open_window(HOST.tree, HEADER_SIZE)
    HOST.tree_size = byte_swap(Ptr[u32].at(header + TOTAL_SIZE_AT).value)
    windows.open_window(HOST.tree, HOST.tree_size)
    tree = open_tree(tree_bytes())
    if isinstance(tree, FdtError):
        refuse(f"device tree: there is none at {HOST.tree}, which the loader passes in x0; error {tree.value}")
    error = read_board(tree, BOARD)
    if isinstance(error, BoardError):
        refuse(f"device tree: {_describe(error)}")


def _describe(error: BoardError) -> str:
    """What is wrong with the tree, and what would be right."""
    match error:
        case BoardError.TREE:
            return "it is damaged"
        case BoardError.CELLS:
            return "#address-cells or #size-cells of a node is above 2"
        case BoardError.REG:
            return "a reg has no whole number of entries, or reaches beyond the address space"
        case BoardError.OVERLAP:
            return "ranges of memory overlap"
        case BoardError.TOO_MANY:
            return "more memory ranges, reservations or CPUs than there is room for"
        case BoardError.NO_MEMORY:
            return "no memory node is enabled"
        case BoardError.NO_CPUS:
            return "no CPU is enabled"
        case BoardError.INITRD:
            return "linux,initrd-start and -end of /chosen have to be two numbers in order"


def open_archive() -> None:
    """Find the archive."""
    HOST.archive = PhysAddr(BOARD.initrd_start)
    HOST.archive_size = BOARD.initrd_end - BOARD.initrd_start
    if HOST.archive_size == 0:
        refuse("device tree: /chosen names no ramdisk; give the loader the archive with manifest.dtb as its initrd")
    windows.open_window(HOST.archive, HOST.archive_size)


def tree_bytes() -> Slice[u8]:
    """The host's device tree."""
    return slice_of(Ptr[u8].at(windows.open_window(HOST.tree, HOST.tree_size)), HOST.tree_size)


def archive_bytes() -> Slice[u8]:
    """The archive."""
    return slice_of(Ptr[u8].at(windows.open_window(HOST.archive, HOST.archive_size)), HOST.archive_size)
