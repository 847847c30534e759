"""A primary that switches the machine off at once."""

from __future__ import annotations

from compiler.language import export
from runtime import memory_functions
from runtime.partition import psci

ENTRY_POINTS = (memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)


@export("partition_main")
def partition_main() -> None:
    """The end of the run."""
    psci.system_off()
