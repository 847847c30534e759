"""What stops a dialect program on the host: its own failed checks, and accesses that the simulated machine refuses."""

from __future__ import annotations

from compiler.program.nodes import Span, TrapKind


class HostError(Exception):
    """A wrong use of the host API: an unknown symbol, an argument of the wrong type."""


class TrapError(Exception):
    """A run-time check of the program failed; on target this is a `brk` that ends in the panic report.

    `kind` says which check, `span` where it stands in the source, `message` is the text of an assert or panic.
    """

    def __init__(self, kind: TrapKind, span: Span, message: str = "") -> None:
        text = f"{kind.text}: {message}" if message else kind.text
        super().__init__(f"{span.file}:{span.line}:{span.column}: {text}")
        self.kind = kind
        self.span = span
        self.message = message


class HostFault(Exception):
    """An access that real hardware would answer with an exception; `address` is what it went to."""

    def __init__(self, address: int, reason: str) -> None:
        super().__init__(f"{reason} (address {address:#x})")
        self.address = address
        self.reason = reason
