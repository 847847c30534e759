"""Secondary partitions: their memory, what is in it at first, and their first registers.

Image at the beginning, a device tree of its own near the end, everything else zero. A partition has its memory at
its physical address, in stage 2 or, at EL0 with E2H, in the stage 1 table of its own. At EL0 all of it is executable
and read-only at first: the image makes its data writable by FFA_MEM_PERM_SET.
"""

from __future__ import annotations

from compiler.language import Ordering, PhysAddr, Ptr, Slice, address_of, slice_of, u8, u64
from hypervisor.arch.aarch64 import cpu, vcpu_setup
from hypervisor.arch.aarch64.cpu import PartitionMode
from hypervisor.arch.aarch64.guest_entry import reset_at
from hypervisor.boot import placement, windows
from hypervisor.boot.board import Board
from hypervisor.boot.fdt import FdtError
from hypervisor.boot.fdt_edit import add_memory_node
from hypervisor.boot.manifest import TREE_GROWTH, bytes_of_file
from hypervisor.boot.plan import PartitionPlan
from hypervisor.boot.refusal import refuse
from hypervisor.core.partition import Partition, PartitionKind, name_of
from hypervisor.core.vcpu import VCPUS, VcpuState
from hypervisor.memory import page_table
from hypervisor.memory.descriptors import Access, Regime
from hypervisor.memory.pages import PAGE_SIZE, MapError
from runtime import bulk

BLOCK_SIZE = 0x20_0000
ZERO_UNIT = 16


def load(board: Board, archive: Slice[u8], plan: PartitionPlan, partition: Partition) -> PhysAddr:
    """Load a partition that is in the tables; where its memory begins."""
    base = _place(board, plan, partition)
    argument = _fill(archive, plan, partition, base)
    regime = Regime.STAGE_2
    access = Access.READ_WRITE_EXECUTE
    if partition.kind == PartitionKind.EL0:
        access = Access.READ_EXECUTE
        regime = Regime.EL0_HOST if cpu.mode() == PartitionMode.VHE else Regime.STAGE_2
    error = page_table.create(partition.memory, regime, 0)
    if error is None:
        error = page_table.map_range(partition.memory, base.raw, base, plan.mem_size, access)
    if isinstance(error, MapError):
        refuse(f"{name_of(partition)}: its memory at {base} cannot be mapped; error {error.value}")
    _set_registers(plan, partition, base.raw + plan.entrypoint_offset, argument)
    return base


def _place(board: Board, plan: PartitionPlan, partition: Partition) -> PhysAddr:
    """The highest memory that is free; large ones in whole blocks, so that few translations cover them."""
    alignment: u64 = BLOCK_SIZE if plan.mem_size >= BLOCK_SIZE else PAGE_SIZE
    base = placement.highest_place(board, plan.mem_size, alignment)
    if base is None:
        refuse(f"{name_of(partition)}: no {plan.mem_size:#x} bytes of RAM are free; lower mem_size")
    placement.take(base, plan.mem_size, is_withheld=True)
    return PhysAddr(base)


def _fill(archive: Slice[u8], plan: PartitionPlan, partition: Partition, base: PhysAddr) -> u64:
    """Copy image and device tree, zero the rest; what the partition finds in x0."""
    start = windows.open_window(base, plan.mem_size)
    image = bytes_of_file(archive, plan.image)
    zeros = plan.image.size_bytes & ~(ZERO_UNIT - 1)
    bulk.zero(start + zeros, plan.mem_size - zeros)
    bulk.copy_bytes(start, address_of(image[0]).address, plan.image.size_bytes)
    argument = plan.mem_size
    if plan.tree.size_bytes != 0:
        tree = bytes_of_file(archive, plan.tree)
        offset = (plan.mem_size - plan.tree.size_bytes - TREE_GROWTH) & ~(PAGE_SIZE - 1)
        bulk.copy_bytes(start + offset, address_of(tree[0]).address, plan.tree.size_bytes)
        buffer = slice_of(Ptr[u8].at(start + offset), plan.mem_size - offset)
        error = add_memory_node(buffer, base.raw, plan.mem_size)
        if isinstance(error, FdtError):
            refuse(f"{name_of(partition)}: its device tree cannot get a /memory node; error {error.value}")
        argument = base.raw + offset
    bulk.clean(start, plan.mem_size)
    return argument


def _set_registers(plan: PartitionPlan, partition: Partition, entry: u64, argument: u64) -> None:
    for index in range(partition.vcpu_count):
        vcpu_setup.configure(VCPUS[partition.first_vcpu + index], partition.memory, index)
    first = VCPUS[partition.first_vcpu]
    if partition.kind == PartitionKind.EL0:
        vcpu_setup.start_at_el0(first, entry, argument)
    else:
        reset_at(first, entry, argument)
    first.state.store(VcpuState.CREATED, Ordering.RELEASE)
