"""Adds past the end of a u8."""

from __future__ import annotations

from compiler.language import export, truncate, u8, u64
from runtime.console import log
from tests.boot.images import harness

ENTRY_POINTS = (harness.image_main,)


@export("fault")
def fault(zero: u64) -> None:
    """255 + 1."""
    largest = u8(255 - truncate(u8, zero))
    log(f"{largest + 1}")
