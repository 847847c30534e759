"""What the manifests ask for, checked: one PartitionPlan for each partition, in the order of their numbers.

`manifest.read_manifest` fills it during boot; from then on it is only read. Everything in it is a copy, but files,
which are places in the archive. Absent optional properties have their defaults of the manifest bindings (DEN0077,
partition manifest).
"""

from __future__ import annotations

from compiler.language import Array, EnumU8, Slice, array, struct, u8, u16, u32, u64
from hypervisor.boot.cpio import File

PARTITION_COUNT_MAX = 16
NAME_SIZE_MAX = 63
SERVICE_COUNT_MAX = 4
SMC_COUNT_MAX = 32
MEMORY_REGION_COUNT_MAX = 8
DEVICE_REGION_COUNT_MAX = 8
STREAM_COUNT_MAX = 4
INTERRUPT_COUNT_MAX = 4
UUID_WORD_COUNT = 4
BOOT_ORDER_DEFAULT = 0xFFFF
VCPU_COUNT_MAX = 8


class PartitionKind(EnumU8):
    """Where a partition runs."""

    PRIMARY = 0
    EL1 = 1
    EL0 = 2


@struct
class Service:
    """One protocol that a partition offers. `uuid`: as the registers of FFA_PARTITION_INFO_GET carry it."""

    uuid: Array[u32] = array(UUID_WORD_COUNT)
    messaging_method: u32 = 0
    """Bits 0, 1: receives, sends direct requests; 2: indirect messages; 9, 10: as 0, 1 for direct request 2."""


@struct
class MemoryRegion:
    """Memory that a partition wants mapped. `base` counts from the image's load address when it is relative."""

    base: u64 = 0
    page_count: u32 = 0
    attributes: u32 = 0
    """Bits 0 to 2: read, write, execute; 3: non-secure."""
    is_relative: bool = False


@struct
class Interrupt:
    """An interrupt that a device region brings. `attributes`: the word of the binding, as it is given."""

    id: u32 = 0
    attributes: u32 = 0


@struct
class DeviceRegion:
    """A device's registers, its interrupts, and the streams of its DMA upstream of the SMMU `smmu_id`."""

    base: u64 = 0
    page_count: u32 = 0
    attributes: u32 = 0
    smmu_id: u32 = 0
    interrupts: Array[Interrupt] = array(INTERRUPT_COUNT_MAX)
    interrupt_count: u8 = 0
    streams: Array[u32] = array(STREAM_COUNT_MAX)
    stream_count: u8 = 0
    is_exclusive: bool = False


@struct
class PartitionPlan:
    """One partition. Counts say how much of each array is used."""

    id: u16 = 0
    """N of vmN."""
    kind: PartitionKind = PartitionKind.PRIMARY
    is_present: bool = False
    has_level: bool = False
    """Whether manifest.dtb gives the exception level."""
    is_ffa: bool = False
    """Whether it has a partition manifest; without one it offers no service."""
    name: Array[u8] = array(NAME_SIZE_MAX)
    name_size: u8 = 0
    vcpu_count: u16 = 0
    """0 for the primary: one for each CPU."""
    mem_size: u64 = 0
    """Bytes, whole pages; 0 for the primary, which gets what is left."""
    image: File = File()
    """Of no bytes for a primary that the loader has put at `boot_address`."""
    ramdisk: File = File()
    tree: File = File()
    """Of no bytes when there is none."""
    tree_name: File = File()
    """What the tree is called: a place in the archive like all files."""
    boot_address: u64 = 0
    """Physical, of the primary's image; 0 leaves the choice to the hypervisor."""
    entrypoint_offset: u64 = 0
    load_address: u64 = 0
    """What the partition manifest says; ignored, as the hypervisor chooses. 0: it says nothing."""
    smc_whitelist: Array[u32] = array(SMC_COUNT_MAX)
    smc_count: u8 = 0
    is_smc_permissive: bool = False
    gp_register: u8 = 0
    """Register that gets the address of the boot information, if has_gp_register."""
    has_gp_register: bool = False
    has_notifications: bool = False
    has_managed_exit: bool = False
    has_other_vcpu_count: bool = False
    """The partition manifest's execution-ctx-count differs from vcpu_count, which holds."""
    boot_order: u16 = 0
    ffa_version: u32 = 0
    execution_state: u8 = 0
    ns_interrupts_action: u8 = 0
    power_messages: u8 = 0
    availability_messages: u8 = 0
    services: Array[Service] = array(SERVICE_COUNT_MAX)
    service_count: u8 = 0
    memory_regions: Array[MemoryRegion] = array(MEMORY_REGION_COUNT_MAX)
    memory_region_count: u8 = 0
    device_regions: Array[DeviceRegion] = array(DEVICE_REGION_COUNT_MAX)
    device_region_count: u8 = 0


@struct
class Manifest:
    """All partitions; the first `partition_count` plans are present."""

    partitions: Array[PartitionPlan] = array(PARTITION_COUNT_MAX)
    partition_count: u64 = 0
    has_spmc: bool = False
    """Whether there is a secure world to forward to (ffa_tee_enabled)."""


def name_of(plan: PartitionPlan) -> Slice[u8]:
    """The partition's name."""
    return plan.name[0 : plan.name_size]
