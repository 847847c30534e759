"""Writes to the hypervisor's own code, which is mapped read-only."""

from __future__ import annotations

from compiler.language import Ptr, export, u32, u64
from hypervisor.memory.exact_map import TEXT_START
from tests.boot.images import harness

ENTRY_POINTS = (harness.image_main,)


@export("fault")
def fault(zero: u64) -> None:
    """Replace the first instruction."""
    Ptr[u32].at(TEXT_START.address() + zero).value = 0
