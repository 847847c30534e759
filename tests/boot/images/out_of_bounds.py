"""Reads behind an array."""

from __future__ import annotations

from compiler.language import Array, array, export, static, u64
from runtime.console import log
from tests.boot.images import harness

ENTRY_POINTS = (harness.image_main,)
TABLE: Array[u64] = static(array(4))


@export("fault")
def fault(zero: u64) -> None:
    """Element 4 of 4."""
    log(f"{TABLE[zero + 4]}")
