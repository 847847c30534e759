"""Pointer authentication of return addresses: the hypervisor's key, and one for each partition.

The CPU has one key A. The vectors load the hypervisor's before a handler runs and the partition's before it goes on,
so a partition cannot compute codes that the hypervisor would accept. All CPUs share the hypervisor's key.
"""

from __future__ import annotations

from compiler.language import inline, isb, static, struct, u64
from hypervisor.arch.aarch64 import features
from hypervisor.arch.aarch64.entropy import random_number
from hypervisor.arch.aarch64.registers import SCTLR_EL2, APIAKeyHi_EL1, APIAKeyLo_EL1


@struct(align=16)
class PointerKey:
    """128 bits."""

    low: u64 = 0
    high: u64 = 0


HYPERVISOR_KEY: PointerKey = static(PointerKey())
"""Written once, by the boot CPU."""


def make() -> None:
    """Choose the hypervisor's key."""
    HYPERVISOR_KEY.low = random_number()
    HYPERVISOR_KEY.high = random_number()


@inline
def enable() -> None:
    """Sign and check return addresses on this CPU from here on.

    Only for functions that do not return: the addresses on the stack so far have no code.
    """
    if features.has_pointer_authentication():
        APIAKeyLo_EL1.write(HYPERVISOR_KEY.low)
        APIAKeyHi_EL1.write(HYPERVISOR_KEY.high)
        SCTLR_EL2.modify(EnIA=1)
        isb()
