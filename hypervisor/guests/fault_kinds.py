"""What a faulty partition can be asked to do wrong."""

from __future__ import annotations

from compiler.language import EnumU64


class FaultKind(EnumU64):
    """x3 of a direct request."""

    NONE = 0
    """Answer: x4 is x4 + 1."""
    ABSENT_MEMORY = 1
    """Read where nobody has memory."""
    FOREIGN_MEMORY = 2
    """Write to the primary's memory, at the address in x4."""
    UNDEFINED = 3
    """An undefined instruction."""
    UNKNOWN_SMC = 4
    """An SMC of a function that does not exist; at EL1 this is answered with -1 and then x4 is x4 + 1."""
    SYSTEM_REGISTER = 5
    """Write a system register of EL2."""
    FAILED_CHECK = 6
    """An assertion of the program."""
    ENDLESS_LOOP = 7
