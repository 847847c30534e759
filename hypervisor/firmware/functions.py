"""Function IDs under the SMC Calling Convention that are not FF-A's or PSCI's (DEN0028, 7)."""

from __future__ import annotations

from compiler.language import EnumU32, u32


class SmcccFunction(EnumU32):
    """Calls to the architecture's service."""

    VERSION = 0x8000_0000
    ARCH_FEATURES = 0x8000_0001
    WORKAROUND_1 = 0x8000_8000
    WORKAROUND_2 = 0x8000_7FFF
    WORKAROUND_3 = 0x8000_3FFF
    WORKAROUND_4 = 0x8000_0004


SMC64_BIT = 1 << 30
PSCI_BASE = 0x8400_0000
PSCI_COUNT = 0x20


def is_psci(function: u32) -> bool:
    """Whether a function ID is one of PSCI's, known or not."""
    return PSCI_BASE <= function & ~SMC64_BIT < PSCI_BASE + PSCI_COUNT
