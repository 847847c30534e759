"""The hypervisor's own map: every page with the one set of permissions that it needs, and nothing else mapped.

Code is read-execute, constants read-only, data read-write; no page is writable and executable. The pages below stacks
stay unmapped. The linker script aligns all of these to pages.

Other memory is mapped where the linear map has it, when it is needed: `map_temporary` while booting, `map_buffer` for
the pages that partitions offer at run time, `add_pool_memory` for good. What was mapped by one call is unmapped by one
call with the same range. Nothing is mapped twice: a range of which a part is mapped is an error.
"""

from __future__ import annotations

from compiler.language import PhysAddr, VirtAddr, linker_symbol, static, u64
from hypervisor.arch.aarch64 import cpu, features
from hypervisor.arch.aarch64.stacks import PANIC_STACK_SLOT_SIZE, STACK_SLOT_SIZE
from hypervisor.core.cpu import CPU_COUNT_MAX
from hypervisor.drivers import gic
from hypervisor.memory import page_table, pages
from hypervisor.memory.address_space import AddressSpace
from hypervisor.memory.descriptors import Access, Regime
from hypervisor.memory.linear_map import to_physical, to_virtual
from hypervisor.memory.page_table import map_range, unmap_range
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
"""Made by the boot CPU before others run."""


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
    error = map_range(HYPERVISOR, PLATFORM.uart_base.raw, PLATFORM.uart_base, PAGE_SIZE, Access.DEVICE)
    if isinstance(error, MapError):
        return error
    return _map_interrupts()


def _map_interrupts() -> MapError | None:
    """Map what of each CPU's redistributor is written to."""
    if features.has_gic_registers():
        for index in range(CPU_COUNT_MAX):
            page = gic.private_frame(index)
            error = map_range(HYPERVISOR, page.raw, page, PAGE_SIZE, Access.DEVICE)
            if isinstance(error, MapError):
                return error
    return None


def map_temporary(physical: PhysAddr, size_bytes: u64, access: Access) -> VirtAddr | MapError:
    """Map the pages around a range of bytes, by blocks where they fit; the hypervisor's address of `physical`."""
    start = physical.align_down(PAGE_SIZE)
    end = (physical + size_bytes).align_up(PAGE_SIZE)
    error = map_range(HYPERVISOR, start.raw, start, end - start, access)
    if isinstance(error, MapError):
        return error
    return to_virtual(physical)


def unmap_temporary(physical: PhysAddr, size_bytes: u64) -> None:
    """Take back what `map_temporary` gave for the same range."""
    start = physical.align_down(PAGE_SIZE)
    end = (physical + size_bytes).align_up(PAGE_SIZE)
    _unmap(start, end - start)


def map_buffer(physical: PhysAddr, page_count: u64, access: Access) -> VirtAddr | MapError:
    """Map whole pages that a partition offers, such as RX and TX buffers; from any CPU at any time."""
    error = map_range(HYPERVISOR, physical.raw, physical, page_count * PAGE_SIZE, access)
    if isinstance(error, MapError):
        return error
    return to_virtual(physical)


def unmap_buffer(physical: PhysAddr, page_count: u64) -> None:
    """Take back what `map_buffer` gave; no CPU can reach the pages any more."""
    _unmap(physical, page_count * PAGE_SIZE)


def add_pool_memory(start: PhysAddr, page_count: u64) -> MapError | None:
    """Let the page pool have RAM that is not mapped yet; it stays mapped."""
    error = map_range(HYPERVISOR, start.raw, start, page_count * PAGE_SIZE, Access.READ_WRITE)
    if isinstance(error, MapError):
        return error
    return pages.add(start, page_count)


def _unmap(physical: PhysAddr, size_bytes: u64) -> None:
    error = unmap_range(HYPERVISOR, physical.raw, size_bytes)
    assert not isinstance(error, MapError), "unmapped range of the hypervisor was not mapped by one call"


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
