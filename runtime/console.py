"""The console: whole lines, one CPU at a time.

Where the bytes go is the image's business: it exports `console_write`.
"""

from __future__ import annotations

from compiler.language import Format, Slice, extern, no_inline, static, u8, utf8
from runtime.locks import ConsoleLock
from runtime.text import TextBuffer, render

CONSOLE_LOCK: ConsoleLock = static(ConsoleLock())


@extern("console_write")
def console_write(_text: Slice[u8]) -> None:
    """Send bytes; provided by the image."""


@no_inline
def log(message: Format) -> None:
    """Print a line."""
    log_text(message, utf8(""))


@no_inline
def log_text(prefix: Format, text: Slice[u8]) -> None:
    """Print a line: a short message, and bytes of any number behind it."""
    buffer = TextBuffer()
    render(buffer, prefix)
    with CONSOLE_LOCK:
        console_write(buffer.written())
        console_write(text)
        console_write(utf8("\n"))


@no_inline
def log_unlocked(message: Format) -> None:
    """Print a line without waiting for anybody: for reports of what cannot go on."""
    buffer = TextBuffer()
    render(buffer, message)
    console_write(buffer.written())
    console_write(utf8("\n"))
