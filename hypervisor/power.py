"""Ends the run of the whole machine."""

from __future__ import annotations

from typing import NoReturn

from compiler.language import export, u64, wfi
from hypervisor.arch.aarch64 import psci
from runtime import semihosting


@export("stop_machine")
def stop_machine(status: u64) -> NoReturn:
    """Tell a semihosting host the status; without one, switch the power off."""
    semihosting.exit(status)
    psci.system_off()
    while True:
        wfi()
