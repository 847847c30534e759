"""Loads a word from an address that is not aligned: no check of the compiler sees it, the CPU refuses it.

The hypervisor leaves SCTLR_EL2.A clear, because it would act on partitions too; this image sets it.
"""

from __future__ import annotations

from compiler.language import Array, Ptr, address_of, array, export, isb, static, u8, u32, u64
from hypervisor.arch.aarch64.registers import SCTLR_EL2
from runtime.console import log
from tests.boot.images import harness

ENTRY_POINTS = (harness.image_main,)

BYTES: Array[u8] = static(array(64), align=64)


@export("fault")
def fault(zero: u64) -> None:
    """A 32-bit load one byte into a line."""
    SCTLR_EL2.modify(A=1)
    isb()
    start = Ptr[u8].at(address_of(BYTES[0]).address + (zero + 1))
    log(f"{start.cast(u32).value}")
