"""Makes the partitions: fills their entries and vCPUs, loads them, and tells what is where.

Nothing here is undone: what is wrong ends the boot before any guest has run.
"""

from __future__ import annotations

from compiler.language import address_of, u64, utf8
from hypervisor.arch.aarch64 import boot
from hypervisor.arch.aarch64.boot import IMAGE_END, IMAGE_START
from hypervisor.arch.aarch64.guest_entry import reset_at
from hypervisor.arch.aarch64.vcpu_setup import configure
from hypervisor.boot import host, placement, primary
from hypervisor.boot.cpio import File
from hypervisor.boot.host import BOARD, HOST
from hypervisor.boot.refusal import refuse
from hypervisor.core.cpu import CPU_COUNT_MAX, CPUS
from hypervisor.core.partition import PARTITIONS, PartitionId
from hypervisor.core.vcpu import VCPUS, Vcpu, VcpuState
from hypervisor.memory import page_table
from hypervisor.memory.address_space import AddressSpace
from hypervisor.memory.descriptors import Regime
from hypervisor.memory.linear_map import to_physical
from hypervisor.memory.pages import MapError
from runtime.console import log


def load_all(device_tree: u64) -> Vcpu:
    """Load everything; the primary's vCPU of this CPU, which is to be entered."""
    host.read(device_tree)
    if BOARD.cpu_count > CPU_COUNT_MAX:
        refuse(f"boot: the device tree has {BOARD.cpu_count} CPUs; the hypervisor is built for {CPU_COUNT_MAX}")
    if not boot.number_cpus(BOARD.cpus[0 : BOARD.cpu_count]):
        refuse("boot: the device tree has no node for the CPU that boots")
    _take_memory()
    file = File()
    if not host.find_file(utf8("primary"), file):
        refuse("no primary")
    partition = PARTITIONS.partitions[0]
    PARTITIONS.count = 1
    partition.id = PartitionId(1)
    partition.vcpu_count = BOARD.cpu_count
    _make_space(partition.memory, Regime.STAGE_2)
    base = primary.place(BOARD, host.archive_bytes()[file.offset : file.offset + file.size_bytes])
    primary.map_memory(BOARD, partition.memory)
    primary.patch_tree(BOARD, None)
    for index in range(BOARD.cpu_count):
        vcpu = VCPUS[index]
        vcpu.partition = address_of(partition)
        vcpu.partition_id = partition.id
        vcpu.kind = partition.kind
        vcpu.cpu = address_of(CPUS.of(index)).address
        CPUS.of(index).primary = address_of(vcpu)
        configure(vcpu, partition.memory, CPUS.of(index).mpidr)
    this = CPUS.this().primary
    assert this is not None
    reset_at(this.value, base.raw, HOST.tree.raw)
    this.value.state.store(VcpuState.RUNNING)
    CPUS.this().is_online.store(1)
    log(f"primary at {base}")
    return this.value


def _take_memory() -> None:
    image = to_physical(IMAGE_START.address())
    placement.take(image.raw, to_physical(IMAGE_END.address()) - image, is_withheld=True)
    placement.take(HOST.tree.raw, HOST.tree_size, is_withheld=False)
    placement.take(HOST.archive.raw, HOST.archive_size, is_withheld=False)
    for index in range(BOARD.reserved_count):
        placement.take(BOARD.reserved[index].base, BOARD.reserved[index].size_bytes, is_withheld=False)


def _make_space(space: AddressSpace, regime: Regime) -> None:
    error = page_table.create(space, regime, 0)
    if isinstance(error, MapError):
        refuse("boot: no pages left")
