"""The readers as programs on the host, under both engines."""

from __future__ import annotations

import functools
from typing import Any

from compiler.check import check_program
from compiler.host import Interpreter
from compiler.host.native import Native
from hypervisor.boot import cpio, fdt_edit
from tests.host.boot import walks

ENGINES = [Interpreter, Native]
PROGRAM = check_program(
    [
        walks.walk_tree,
        walks.read_whole_board,
        walks.patch,
        walks.list_archive,
        fdt_edit.add_reservations,
        fdt_edit.add_memory_node,
        cpio.find_file,
    ],
    name="boot",
)


@functools.cache
def session(engine: type[Interpreter] | type[Native]) -> Any:
    """One session for all tests: the readers keep nothing between calls."""
    return engine(PROGRAM)
