"""The hypervisor's own map: every page with the one set of permissions that it needs, and nothing else mapped.

Code is read-execute, constants read-only, data read-write; no page is writable and executable. The pages below stacks
stay unmapped. The linker script aligns all of these to pages.
"""

from __future__ import annotations

from compiler.language import VirtAddr, linker_symbol, static, u64
from hypervisor.arch.aarch64 import cpu, features
from hypervisor.arch.aarch64.stacks import PANIC_STACK_SLOT_SIZE, STACK_SLOT_SIZE
from hypervisor.core.cpu import CPU_COUNT_MAX
from hypervisor.memory import page_table
from hypervisor.memory.descriptors import Access, Regime
from hypervisor.memory.linear_map import to_physical
from hypervisor.memory.page_table import AddressSpace, map_range
from hypervisor.memory.pages import PAGE_SIZE, MapError
from hypervisor.platform import PLATFORM

TEXT_START = linker_symbol("__text_start")
TEXT_END = linker_symbol("__text_end")
CONSTANTS_START = linker_symbol("__rodata_start")
CONSTANTS_END = linker_symbol("__rodata_end")
DATA_START = linker_symbol("__data_start")
STACKS_START = linker_symbol("__stacks_start")
PANIC_STACKS_START = linker_symbol("__panic_stacks_start")

HYPERVISOR: AddressSpace = static(AddressSpace())
"""Set by the boot CPU before others run."""


def build() -> MapError | None:
    """Fill HYPERVISOR's tables."""
    regime = Regime.EL2_HOST if features.in_host_mode() else Regime.EL2
    error = page_table.create(HYPERVISOR, regime, cpu.executable_bits())
    if isinstance(error, MapError):
        return error
    error = _map(TEXT_START.address(), TEXT_END.address(), Access.READ_EXECUTE)
    if isinstance(error, MapError):
        return error
    error = _map(CONSTANTS_START.address(), CONSTANTS_END.address(), Access.READ_ONLY)
    if isinstance(error, MapError):
        return error
    error = _map(DATA_START.address(), STACKS_START.address(), Access.READ_WRITE)
    if isinstance(error, MapError):
        return error
    error = _map_stacks(STACKS_START.address(), STACK_SLOT_SIZE)
    if isinstance(error, MapError):
        return error
    error = _map_stacks(PANIC_STACKS_START.address(), PANIC_STACK_SLOT_SIZE)
    if isinstance(error, MapError):
        return error
    return map_range(HYPERVISOR, PLATFORM.uart_base.raw, PLATFORM.uart_base, PAGE_SIZE, Access.DEVICE)


def _map(start: VirtAddr, end: VirtAddr, access: Access) -> MapError | None:
    """Map whole pages of the image where the linear map has them."""
    physical = to_physical(start)
    size = end.align_up(PAGE_SIZE) - start
    return map_range(HYPERVISOR, physical.raw, physical, size, access)


def _map_stacks(start: VirtAddr, slot_size: u64) -> MapError | None:
    """Map each CPU's stack, without the guard page that its slot begins with."""
    for index in range(CPU_COUNT_MAX):
        slot = start + index * slot_size
        error = _map(slot + PAGE_SIZE, slot + slot_size, Access.READ_WRITE)
        if isinstance(error, MapError):
            return error
    return None
