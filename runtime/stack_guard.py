"""The stack guard: a value below each return address that has an array beneath it, checked before the return.

The compiler emits the checks, the variable `__stack_chk_guard` and the panic `__stack_chk_fail`.
"""

from __future__ import annotations

from compiler.language import Ptr, inline, linker_symbol, u64

GUARD = linker_symbol("__stack_chk_guard")
LOW_BYTE = 0xFF


@inline
def set_guard(value: u64) -> None:
    """Replace the build's guard value. Only for functions that do not return: those that run still hold the old one.

    The lowest byte stays zero, which ends text that somebody may try to copy over it.
    """
    Ptr[u64].at(GUARD.address()).value = value & ~LOW_BYTE
