"""The console: whole lines, one CPU at a time.

Where the bytes go is the image's business: it exports `console_write`.
"""

from __future__ import annotations

from compiler.language import Format, Slice, array, extern, no_inline, static, u8
from hypervisor.core.locks import ConsoleLock
from runtime.text import TextBuffer, render

CONSOLE_LOCK: ConsoleLock = static(ConsoleLock())
NEWLINE = 10


@extern("console_write")
def console_write(text: Slice[u8]) -> None:
    """Send bytes; provided by the image."""


@no_inline
def log(message: Format) -> None:
    """Print a line."""
    buffer = TextBuffer()
    render(buffer, message)
    with CONSOLE_LOCK:
        console_write(buffer.written())
