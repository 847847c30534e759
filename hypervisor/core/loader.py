"""Loads partitions: gives each its address space and its first register values.

A partition's image lies in the hypervisor's, laid out by linker_scripts/partition.ld: header, text, constants, initial
data, all on pages of their own. Text and constants are mapped where they lie; data and stack get pages of the pool.
The images were linked by the same build and are trusted to be well-formed, but their header is checked.
"""

from __future__ import annotations

from compiler.language import PhysAddr, Ptr, address_of, linker_symbol, u64
from hypervisor.arch.aarch64 import cpu
from hypervisor.arch.aarch64.cpu import PartitionMode
from hypervisor.arch.aarch64.entropy import random_number
from hypervisor.core.partition import PARTITIONS, Partition, PartitionId, enter_in_table
from hypervisor.core.partition_image import MAGIC, ImageHeader
from hypervisor.memory import page_table, pages
from hypervisor.memory.descriptors import Access, Regime
from hypervisor.memory.linear_map import to_physical, to_virtual
from hypervisor.memory.page_table import map_range
from hypervisor.memory.pages import PAGE_SIZE, MapError, Page
from hypervisor.partitions.listing import IDS

PARTITIONS_START = linker_symbol("__partitions_start")
PARTITIONS_END = linker_symbol("__partitions_end")


def load_all() -> MapError | None:
    """Load every partition of the image; they lie one behind the other, each a whole number of pages."""
    image = PARTITIONS_START.address()
    for index in range(len(PARTITIONS)):
        assert image < PARTITIONS_END.address(), "the image holds fewer partitions than are listed"
        header = Ptr[ImageHeader].at(image).value
        assert header.magic == MAGIC, "a partition's image has no header"
        partition = PARTITIONS[index]
        partition.index = index
        partition.id = PartitionId(IDS[index])
        partition.image = address_of(header)
        enter_in_table(partition)
        error = _map_image(partition, header, to_physical(image))
        if isinstance(error, MapError):
            return error
        _set_registers(partition, header)
        image = image + round_up(header.data_end)
    return None


def round_up(size_bytes: u64) -> u64:
    """To whole pages."""
    return (size_bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1)


def _map_image(partition: Partition, header: ImageHeader, image: PhysAddr) -> MapError | None:
    regime = Regime.EL0_HOST if cpu.mode() == PartitionMode.VHE else Regime.STAGE_2
    space = partition.memory
    error = page_table.create(space, regime, cpu.executable_bits())
    if isinstance(error, MapError):
        return error
    error = map_range(space, header.base, image, header.text_end, Access.READ_EXECUTE)
    if isinstance(error, MapError):
        return error
    constants_size = header.constants_end - header.text_end
    constants = header.base + header.text_end
    error = map_range(space, constants, image + header.text_end, constants_size, Access.READ_ONLY)
    if isinstance(error, MapError):
        return error
    error = _map_data(partition, header, image)
    if isinstance(error, MapError):
        return error
    return _map_zeros(partition, header.base + header.stack_start, header.stack_end - header.stack_start)


def _map_data(partition: Partition, header: ImageHeader, image: PhysAddr) -> MapError | None:
    """Map private pages for the data, and copy what the image holds of it."""
    offset = header.constants_end
    while offset < header.zeros_end:
        page = pages.allocate()
        if isinstance(page, MapError):
            return page
        if offset < header.data_end:
            _copy(page, image + offset, min(PAGE_SIZE, header.data_end - offset))
        error = map_range(partition.memory, header.base + offset, page, PAGE_SIZE, Access.READ_WRITE)
        if isinstance(error, MapError):
            return error
        offset += PAGE_SIZE
    return None


def _map_zeros(partition: Partition, start: u64, size_bytes: u64) -> MapError | None:
    """Map private pages of zeros."""
    offset: u64 = 0
    while offset < size_bytes:
        page = pages.allocate()
        if isinstance(page, MapError):
            return page
        error = map_range(partition.memory, start + offset, page, PAGE_SIZE, Access.READ_WRITE)
        if isinstance(error, MapError):
            return error
        offset += PAGE_SIZE
    return None


def _copy(target: PhysAddr, source: PhysAddr, size_bytes: u64) -> None:
    """Copy the beginning of a page."""
    target_page = Ptr[Page].at(to_virtual(target)).value
    source_page = Ptr[Page].at(to_virtual(source)).value
    for position in range(size_bytes):
        target_page.content[position] = source_page.content[position]


def _set_registers(partition: Partition, header: ImageHeader) -> None:
    """Entry at the start of the image, at EL0, with no interrupt masked and a stack."""
    vcpu = partition.vcpu
    vcpu.partition_index = partition.index
    vcpu.context.program_counter = header.base
    vcpu.context.stack_pointer = header.base + header.stack_end
    vcpu.context.configuration = cpu.partition_configuration()
    vcpu.context.key_low = random_number()
    vcpu.context.key_high = random_number()
    vcpu.context.translation = partition.memory.translation()
