"""Executes an instruction that is undefined."""

from __future__ import annotations

from compiler.language import assembly_block, export, u64
from tests.boot.images import harness

ENTRY_POINTS = (harness.image_main,)


@assembly_block(
    """
    begin
        udf     #7
    """
)
def undefined() -> None:
    """Has no meaning."""


@export("fault")
def fault(_zero: u64) -> None:
    """An exception that nothing expects."""
    undefined()
