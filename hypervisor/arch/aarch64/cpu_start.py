"""Where firmware has to enter a CPU that the hypervisor starts, or that wakes up without its registers."""

from __future__ import annotations

from compiler.language import PhysAddr, linker_symbol, u64
from hypervisor.memory.exact_map import HYPERVISOR
from hypervisor.memory.linear_map import to_physical

SECONDARY_START = linker_symbol("secondary_start")


def start_address() -> PhysAddr:
    """`entry.secondary_start`, entered with the MMU off."""
    return to_physical(SECONDARY_START.address())


def start_argument(cpu_index: u64) -> u64:
    """What it expects in x0: the root of the hypervisor's map, and the CPU's index in the bits below a page."""
    return HYPERVISOR.root.raw | cpu_index
