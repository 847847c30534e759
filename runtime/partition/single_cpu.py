"""For programs at EL1 that have one CPU: nobody starts another."""

from __future__ import annotations

from typing import NoReturn

from compiler.language import export, u64, unreachable


@export("cpu_main")
def cpu_main(_index: u64) -> NoReturn:
    """Never entered."""
    unreachable()
