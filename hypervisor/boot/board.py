"""What the loader's device tree says about the machine: memory, CPUs, and where the ramdisk is.

One walk over the tree fills the struct and checks the tree as a whole. Memory ranges come out sorted, without gaps of
zero bytes and without overlap. CPUs that are not enabled and memory that is not are left out (status, Devicetree
Specification 2.3.4).
"""

from __future__ import annotations

from compiler.language import Array, EnumU8, ErrorEnum, Slice, array, checked_add, copy, i64, struct, u64
from hypervisor.boot.fdt import (
    RESERVATION_SIZE,
    WORD_SIZE,
    Cursor,
    Fdt,
    FdtError,
    Step,
    advance,
    cells_at,
    long_at,
    node_is,
    number_at,
    number_of,
    skip_node,
    text_is,
    value_is,
)

MEMORY_COUNT_MAX = 8
RESERVED_COUNT_MAX = 16
CPU_COUNT_MAX = 64
CELLS_MAX = 2
LETTER_C = ord("c")
LETTER_M = ord("m")
LETTER_R = ord("r")
AFFINITY_MASK = 0xFF_00FF_FFFF
DEPTH_OF_SECTIONS = 2
"""Depth of the root's children."""
DEPTH_OF_INTEREST = 3
"""Deeper nodes are not looked at."""


class BoardError(ErrorEnum):
    """What is wrong with what the tree says. A tree that is malformed gives TREE, see Board.tree_error."""

    TREE = -1
    CELLS = -2
    """#address-cells or #size-cells is above 2."""
    REG = -3
    """A reg that is no whole number of entries, or reaches beyond the end of the address space."""
    OVERLAP = -4
    """Two ranges of memory overlap."""
    TOO_MANY = -5
    """More ranges or CPUs than there is room for."""
    NO_MEMORY = -6
    NO_CPUS = -7
    INITRD = -8
    """Start or end of the ramdisk is missing, of a size other than 4 or 8 bytes, or the end lies before the start."""


@struct
class Range:
    """Physical memory."""

    base: u64 = 0
    size_bytes: u64 = 0


@struct
class Place:
    """The value of a property: where it is in the tree; size 0 when there is no such property."""

    offset: u64 = 0
    size_bytes: u64 = 0


@struct
class Board:
    """The machine. Counts say how much of each array is used."""

    memory: Array[Range] = array(MEMORY_COUNT_MAX)
    memory_count: u64 = 0
    reserved: Array[Range] = array(RESERVED_COUNT_MAX)
    """Memory that the firmware keeps: the tree's list of reservations and /reserved-memory, as they are found."""
    reserved_count: u64 = 0
    cpus: Array[u64] = array(CPU_COUNT_MAX)
    """Affinity fields of the enabled CPUs, as in MPIDR_EL1."""
    cpu_count: u64 = 0
    initrd_start: u64 = 0
    initrd_end: u64 = 0
    """Both zero without a ramdisk."""
    initrd_start_place: Place = Place()
    initrd_end_place: Place = Place()
    tree_error: i64 = 0
    """Value of the FdtError, or 0."""


class Section(EnumU8):
    """Which child of the root the walk is in."""

    OTHER = 0
    MEMORY = 1
    CPUS = 2
    RESERVED = 3
    CHOSEN = 4


@struct
class Node:
    """What matters of the properties of one node."""

    address_cells: u64 = 2
    size_cells: u64 = 1
    reg: Place = Place()
    is_enabled: bool = True
    is_other: bool = False
    """Its device_type is another than that of its section."""


def read_board(tree: Fdt, board: Board) -> BoardError | None:
    """Fill `board`, which is all zero."""
    error = _read_reservations(tree, board)
    if error is not None:
        return error
    nodes: Array[Node] = array(DEPTH_OF_INTEREST + 1)
    section = Section.OTHER
    at = Cursor()
    while True:
        step = advance(tree, at)
        if isinstance(step, FdtError):
            return _malformed(board, step)
        match step:
            case Step.NODE:
                if at.depth == DEPTH_OF_SECTIONS:
                    section = _section_of(tree, at)
                if _is_of_interest(tree, at, section):
                    nodes[at.depth] = Node()
                else:
                    skipped = skip_node(tree, at)
                    if skipped is not None:
                        return _malformed(board, skipped)
            case Step.PROPERTY:
                error = _read_property(tree, at, section, nodes[at.depth], board)
                if error is not None:
                    return error
            case Step.END_NODE:
                error = _end_node(tree, at.depth + 1, section, nodes, board)
                if error is not None:
                    return error
            case Step.END:
                return _complete(board)


def _malformed(board: Board, error: FdtError) -> BoardError:
    board.tree_error = error.value
    return BoardError.TREE


def _complete(board: Board) -> BoardError | None:
    """Whether everything is there."""
    if board.memory_count == 0:
        return BoardError.NO_MEMORY
    if board.cpu_count == 0:
        return BoardError.NO_CPUS
    if board.initrd_end < board.initrd_start:
        return BoardError.INITRD
    if (board.initrd_start_place.size_bytes == 0) != (board.initrd_end_place.size_bytes == 0):
        return BoardError.INITRD
    return None


def _read_reservations(tree: Fdt, board: Board) -> BoardError | None:
    """The list ends with an entry of zeros."""
    position = tree.reservations
    while len(tree.data) - position >= RESERVATION_SIZE:
        base = long_at(tree.data, position)
        size_bytes = long_at(tree.data, position + 8)
        if base == 0 and size_bytes == 0:
            return None
        if checked_add(base, size_bytes) is None:
            return BoardError.REG
        error = _add_reserved(board, base, size_bytes)
        if error is not None:
            return error
        position += RESERVATION_SIZE
    return _malformed(board, FdtError.BAD_BLOCKS)


def _section_of(tree: Fdt, at: Cursor) -> Section:
    """By name; its first letter rules out most nodes of a large tree."""
    first = tree.data[at.name]
    if first == LETTER_M and node_is(tree, at, "memory"):
        return Section.MEMORY
    if first == LETTER_R and node_is(tree, at, "reserved-memory"):
        return Section.RESERVED
    if first != LETTER_C:
        return Section.OTHER
    if node_is(tree, at, "cpus"):
        return Section.CPUS
    return Section.CHOSEN if node_is(tree, at, "chosen") else Section.OTHER


def _is_of_interest(tree: Fdt, at: Cursor, section: Section) -> bool:
    """Whether the properties of the node that the cursor has come to are read."""
    if at.depth < DEPTH_OF_SECTIONS:
        return True
    if at.depth == DEPTH_OF_SECTIONS:
        return section != Section.OTHER
    return section == Section.RESERVED or (section == Section.CPUS and node_is(tree, at, "cpu"))


def _read_property(tree: Fdt, at: Cursor, section: Section, node: Node, board: Board) -> BoardError | None:
    """Keep the property if it matters."""
    if section == Section.CHOSEN:
        return _read_chosen(tree, at, board)
    if text_is(tree, at.name, "reg"):
        node.reg = Place(offset=at.value, size_bytes=at.size_bytes)
    elif text_is(tree, at.name, "status"):
        node.is_enabled = value_is(tree, at, "okay") or value_is(tree, at, "ok")
    elif text_is(tree, at.name, "device_type"):
        node.is_other = not value_is(tree, at, "cpu" if section == Section.CPUS else "memory")
    elif text_is(tree, at.name, "#address-cells"):
        node.address_cells = _cell_count(tree, at)
    elif text_is(tree, at.name, "#size-cells"):
        node.size_cells = _cell_count(tree, at)
    return None


def _cell_count(tree: Fdt, at: Cursor) -> u64:
    """What a #...-cells says; too many when it is no cell itself."""
    return number_at(tree.data, at.value) if at.size_bytes == WORD_SIZE else CELLS_MAX + 1


def _read_chosen(tree: Fdt, at: Cursor, board: Board) -> BoardError | None:
    is_start = text_is(tree, at.name, "linux,initrd-start")
    if not is_start and not text_is(tree, at.name, "linux,initrd-end"):
        return None
    address = number_of(tree, at)
    if isinstance(address, FdtError):
        return BoardError.INITRD
    if is_start:
        board.initrd_start = address
        board.initrd_start_place = Place(offset=at.value, size_bytes=at.size_bytes)
    else:
        board.initrd_end = address
        board.initrd_end_place = Place(offset=at.value, size_bytes=at.size_bytes)
    return None


def _end_node(tree: Fdt, depth: u64, section: Section, nodes: Slice[Node], board: Board) -> BoardError | None:
    """A node is complete: take its entries over."""
    is_entry = depth == DEPTH_OF_SECTIONS if section == Section.MEMORY else depth > DEPTH_OF_SECTIONS
    node = nodes[depth]
    if not is_entry or not node.is_enabled or node.is_other:
        return None
    parent = nodes[depth - 1]
    if parent.address_cells > CELLS_MAX or parent.size_cells > CELLS_MAX:
        return BoardError.CELLS
    entry_size = (parent.address_cells + parent.size_cells) * WORD_SIZE
    if node.reg.size_bytes == 0 and section == Section.RESERVED:
        return None  # placed by whoever reads the tree
    if entry_size == 0 or node.reg.size_bytes == 0 or node.reg.size_bytes % entry_size != 0:
        return BoardError.REG
    offset = node.reg.offset
    while offset < node.reg.offset + node.reg.size_bytes:
        base = cells_at(tree, offset, parent.address_cells)
        size_bytes = cells_at(tree, offset + parent.address_cells * WORD_SIZE, parent.size_cells)
        error = _add_entry(section, base, size_bytes, board)
        if error is not None:
            return error
        offset += entry_size
    return None


def _add_entry(section: Section, base: u64, size_bytes: u64, board: Board) -> BoardError | None:
    if checked_add(base, size_bytes) is None:
        return BoardError.REG
    match section:
        case Section.CPUS:
            return _add_cpu(board, base)
        case Section.MEMORY:
            return _add_memory(board, base, size_bytes)
        case _:
            return _add_reserved(board, base, size_bytes)


def _add_cpu(board: Board, affinity: u64) -> BoardError | None:
    if affinity & ~AFFINITY_MASK != 0:
        return BoardError.REG
    if board.cpu_count == CPU_COUNT_MAX:
        return BoardError.TOO_MANY
    board.cpus[board.cpu_count] = affinity
    board.cpu_count += 1
    return None


def _add_reserved(board: Board, base: u64, size_bytes: u64) -> BoardError | None:
    if size_bytes == 0:
        return None
    if board.reserved_count == RESERVED_COUNT_MAX:
        return BoardError.TOO_MANY
    board.reserved[board.reserved_count] = Range(base=base, size_bytes=size_bytes)
    board.reserved_count += 1
    return None


def _add_memory(board: Board, base: u64, size_bytes: u64) -> BoardError | None:
    """Insert a range where it belongs."""
    if size_bytes == 0:
        return None
    if board.memory_count == MEMORY_COUNT_MAX:
        return BoardError.TOO_MANY
    index = board.memory_count
    while index > 0 and board.memory[index - 1].base > base:
        board.memory[index] = copy(board.memory[index - 1])
        index -= 1
    board.memory[index] = Range(base=base, size_bytes=size_bytes)
    if index > 0 and board.memory[index - 1].base + board.memory[index - 1].size_bytes > base:
        return BoardError.OVERLAP
    if index < board.memory_count and base + size_bytes > board.memory[index + 1].base:
        return BoardError.OVERLAP
    board.memory_count += 1
    return None
