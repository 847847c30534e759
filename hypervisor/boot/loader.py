"""From the loader's registers to partitions that are ready to run, in this order:

the host's device tree, the archive that it names, the manifest in it, memory for the page pool, secondaries from the
top of RAM down, the primary behind the hypervisor. Nothing is undone: what is wrong ends the boot with a message,
before any guest has run.
"""

from __future__ import annotations

from compiler.language import Ordering, PhysAddr, address_of, cold, dsb, ic, isb, static, u64
from hypervisor.arch.aarch64 import boot, vcpu_setup, vector_use
from hypervisor.arch.aarch64.boot import IMAGE_END, IMAGE_START
from hypervisor.arch.aarch64.guest_entry import reset_at
from hypervisor.boot import entries, host, manifest, placement, primary, problems, secondary, windows
from hypervisor.boot.host import BOARD, HOST
from hypervisor.boot.plan import Manifest
from hypervisor.boot.problems import Rule
from hypervisor.boot.refusal import STATUS_REFUSED, refuse
from hypervisor.core.cpu import CPU_COUNT_MAX, CPUS
from hypervisor.core.partition import Partition, PartitionKind, name_of
from hypervisor.core.vcpu import VCPUS, Vcpu, VcpuState
from hypervisor.firmware import firmware
from hypervisor.memory import page_table
from hypervisor.memory.descriptors import Regime
from hypervisor.memory.exact_map import add_pool_memory
from hypervisor.memory.linear_map import to_physical
from hypervisor.memory.pages import PAGE_SIZE, MapError
from hypervisor.power import stop_machine
from runtime.console import log

MANIFEST: Manifest = static(Manifest())
POOL_SIZE_PER_SECONDARY = 0x4_0000
POOL_UNIT = 0x20_0000
"""The page pool grows by whole blocks, each enough for several partitions."""


@cold
def load_all(device_tree: u64) -> Vcpu:
    """Load everything; the primary's vCPU of this CPU, which is to run."""
    host.read_tree(device_tree)
    _number_cpus()
    host.open_archive()
    rule = manifest.read_manifest(host.archive_bytes(), MANIFEST)
    if isinstance(rule, Rule):
        problems.report(rule)
        stop_machine(STATUS_REFUSED)
    manifest.report_warnings(MANIFEST)
    firmware.probe()
    _take_memory()
    _extend_pool()
    host_partition = entries.enter_partition(MANIFEST.partitions[0], BOARD.cpu_count)
    for index in range(1, MANIFEST.partition_count):
        _load_secondary(index)
    vcpu = _load_primary(host_partition)
    windows.close_windows()
    ic("ialluis")
    dsb("ish")
    isb()
    return vcpu


def _number_cpus() -> None:
    if BOARD.cpu_count > CPU_COUNT_MAX:
        log(f"device tree: {BOARD.cpu_count} CPUs, of which {CPU_COUNT_MAX} are used")
        BOARD.cpu_count = CPU_COUNT_MAX
    if not boot.number_cpus(BOARD.cpus[0 : BOARD.cpu_count]):
        refuse("device tree: no node in /cpus for the CPU that boots; its reg has to be the affinity of MPIDR_EL1")


def _take_memory() -> None:
    """Enter what is in memory before anything is loaded."""
    image = to_physical(IMAGE_START.address())
    placement.take(image.raw, to_physical(IMAGE_END.address()) - image, is_withheld=True)
    placement.take(HOST.tree.raw, HOST.tree_size, is_withheld=False)
    placement.take(HOST.archive.raw, HOST.archive_size, is_withheld=False)
    for index in range(BOARD.reserved_count):
        reserved = BOARD.reserved[index]
        placement.take(reserved.base, reserved.size_bytes, is_withheld=False)


def _extend_pool() -> None:
    """Give the page pool RAM for the tables of secondaries, from the top."""
    secondary_count = MANIFEST.partition_count - 1
    size_bytes = (secondary_count * POOL_SIZE_PER_SECONDARY + POOL_UNIT - 1) & ~(POOL_UNIT - 1)
    if size_bytes == 0:
        return
    base = placement.highest_place(BOARD, size_bytes, POOL_UNIT)
    if base is None:
        refuse(f"memory: no {size_bytes:#x} bytes of RAM are free for translation tables")
    placement.take(base, size_bytes, is_withheld=True)
    error = add_pool_memory(PhysAddr(base), size_bytes // PAGE_SIZE)
    if isinstance(error, MapError):
        refuse(f"memory: {base:#x} cannot be added to the page pool; error {error.value}")
    if isinstance(vector_use.prepare(BOARD.cpu_count), MapError):
        refuse("memory: no pages for the primary's vector registers")


def _load_secondary(index: u64) -> None:
    plan = MANIFEST.partitions[index]
    partition = entries.enter_partition(plan, plan.vcpu_count)
    base = secondary.load(BOARD, host.archive_bytes(), plan, partition)
    level = "EL0" if partition.kind == PartitionKind.EL0 else "EL1"
    size_kib = plan.mem_size >> 10
    log(f"vm{plan.id} {name_of(partition)}: {level}, {partition.vcpu_count} vCPU, {size_kib} KiB at {base}")


def _load_primary(partition: Partition) -> Vcpu:
    """The primary comes last: it gets the memory that is left."""
    plan = MANIFEST.partitions[0]
    entry = primary.place(BOARD, host.archive_bytes(), plan)
    error = page_table.create(partition.memory, Regime.STAGE_2, 0)
    if isinstance(error, MapError):
        refuse(f"{name_of(partition)}: no pages for its translation tables; error {error.value}")
    primary.map_memory(BOARD, partition.memory)
    primary.patch_tree(BOARD, plan.ramdisk)
    for index in range(partition.vcpu_count):
        cpu = CPUS.of(index)
        vcpu = VCPUS[partition.first_vcpu + index]
        vcpu.cpu = address_of(cpu).address
        cpu.primary = address_of(vcpu)
        vcpu_setup.configure(vcpu, partition.memory, cpu.mpidr)
    log(f"vm{plan.id} {name_of(partition)}: primary, {partition.vcpu_count} vCPU, enters at {entry:#x}")
    return _enter_this_cpu(entry)


def _enter_this_cpu(entry: u64) -> Vcpu:
    cpu = CPUS.this()
    own = cpu.primary
    assert own is not None, "this CPU has no number"
    vcpu = own.value
    reset_at(vcpu, entry, HOST.tree.raw)
    cpu.current = own
    vcpu.state.store(VcpuState.RUNNING, Ordering.RELEASE)
    return vcpu
