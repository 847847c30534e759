"""The hypervisor's console: the platform's PL011."""

from __future__ import annotations

from compiler.language import Slice, export, u8
from hypervisor.drivers import pl011
from hypervisor.memory.linear_map import to_virtual
from hypervisor.platform import PLATFORM

CARRIAGE_RETURN = ord("\r")
NEWLINE = ord("\n")


def initialise() -> None:
    """Set the UART up; output works from here on."""
    pl011.initialise(to_virtual(PLATFORM.uart_base), PLATFORM.uart_clock_hz)


@export("console_write")
def console_write(text: Slice[u8]) -> None:
    """Send bytes; a line feed is preceded by a carriage return."""
    base = to_virtual(PLATFORM.uart_base)
    for byte in text:
        if byte == NEWLINE:
            pl011.put(base, CARRIAGE_RETURN)
        pl011.put(base, byte)
