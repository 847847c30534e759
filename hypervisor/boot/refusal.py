"""The end of a boot that cannot go on: says why, and stops the machine before any guest has run."""

from __future__ import annotations

from typing import NoReturn

from compiler.language import Format, no_inline
from hypervisor.power import stop_machine
from runtime.console import log

STATUS_REFUSED = 2
"""What the run ends with."""


@no_inline
def refuse(reason: Format) -> NoReturn:
    """Print a line and stop."""
    log(reason)
    stop_machine(STATUS_REFUSED)
