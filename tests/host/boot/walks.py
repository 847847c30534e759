"""Functions of the dialect that drive the readers, for their tests."""

from __future__ import annotations

from compiler.language import Slice, u8, u64
from hypervisor.boot.board import Board, BoardError, Range, read_board
from hypervisor.boot.cpio import CpioError, Entry, next_entry
from hypervisor.boot.fdt import Cursor, FdtError, Step, advance, open_tree
from hypervisor.boot.fdt_edit import add_reservations, remove_initrd, set_initrd

WORDS_PER_STEP = 5


def walk_tree(data: Slice[u8], events: Slice[u64]) -> u64 | FdtError:
    """Write step, name, size of name, value and size of value of every token; how many there were before the end."""
    tree = open_tree(data)
    if isinstance(tree, FdtError):
        return tree
    at = Cursor()
    count: u64 = 0
    while True:
        step = advance(tree, at)
        if isinstance(step, FdtError):
            return step
        if step == Step.END:
            return count
        first = count * WORDS_PER_STEP
        if first + WORDS_PER_STEP <= len(events):
            events[first] = step.value
            events[first + 1] = at.name
            events[first + 2] = at.name_size
            events[first + 3] = at.value
            events[first + 4] = at.size_bytes
        count += 1


def read_whole_board(data: Slice[u8], board: Board) -> BoardError | None:
    """From bytes to board."""
    tree = open_tree(data)
    if isinstance(tree, FdtError):
        board.tree_error = tree.value
        return BoardError.TREE
    return read_board(tree, board)


def patch(data: Slice[u8], board: Board, start: u64, end: u64, ranges: Slice[Range]) -> FdtError | None:
    """What boot does to the host's tree."""
    if start == end:
        remove_initrd(data, board)
    else:
        error = set_initrd(data, board, start, end)
        if error is not None:
            return error
    return add_reservations(data, ranges)


def list_archive(archive: Slice[u8], entries: Slice[u64]) -> u64 | CpioError:
    """Write name, size of name, data and size of data of every entry; how many there are before the trailer."""
    entry = Entry()
    count: u64 = 0
    while True:
        error = next_entry(archive, entry)
        if error is not None:
            return error
        if entry.is_trailer:
            return count
        if 4 * count + 4 <= len(entries):
            entries[4 * count] = entry.name
            entries[4 * count + 1] = entry.name_size
            entries[4 * count + 2] = entry.data
            entries[4 * count + 3] = entry.size_bytes
        count += 1
