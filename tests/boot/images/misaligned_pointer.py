"""Makes a pointer from an address that is not aligned for its type."""

from __future__ import annotations

from compiler.language import Array, Ptr, address_of, array, export, static, u64
from runtime.console import log
from tests.boot.images import harness

ENTRY_POINTS = (harness.image_main,)
TABLE: Array[u64] = static(array(4))


@export("fault")
def fault(zero: u64) -> None:
    """A u64 one byte off."""
    log(f"{Ptr[u64].at(address_of(TABLE[0]).address + (zero + 1)).value}")
