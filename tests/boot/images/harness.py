"""What every test image shares: it starts as the hypervisor does, calls `fault`, and reports if that comes back.

A test image is an entry module that imports this one and exports `fault`.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import export, extern, u64, unreachable
from hypervisor.arch.aarch64 import boot, entry, pointer_keys
from hypervisor.power import stop_machine
from runtime import memory_functions, panic
from runtime.console import log

ENTRY_POINTS = (
    entry.start,
    panic.report_exception,
    memory_functions.memcpy,
    memory_functions.memmove,
    memory_functions.memset,
)
STATUS_SURVIVED = 3


@extern("fault")
def fault(_zero: u64) -> None:
    """The deliberate fault. The argument is zero, which the compiler does not know."""
    unreachable()


@export("image_main")
def image_main(linear_map_offset: u64, _device_tree: u64) -> NoReturn:
    """The boot CPU."""
    boot.prepare(linear_map_offset)
    pointer_keys.enable()
    fault(boot.IMAGE_START.address().raw & 1)
    log("the fault was survived")
    stop_machine(STATUS_SURVIVED)


@export("secondary_main")
def secondary_main() -> NoReturn:
    """No other CPU is started."""
    unreachable()
