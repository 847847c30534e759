"""Reads the memory and device regions of a partition manifest into its plan."""

from __future__ import annotations

from compiler.language import Array, constant, u8, u32, u64
from hypervisor.boot.fdt import Cursor, Fdt, Step
from hypervisor.boot.plan import (
    DEVICE_REGION_COUNT_MAX,
    INTERRUPT_COUNT_MAX,
    MEMORY_REGION_COUNT_MAX,
    STREAM_COUNT_MAX,
    DeviceRegion,
    Manifest,
    PartitionPlan,
)
from hypervisor.boot.problems import PROBLEM, Rule, fail, fail_wanted, next_child
from hypervisor.boot.properties import (
    ADDRESS_MAX,
    PAGE_SIZE,
    VALUES,
    Property,
    cell_of,
    cells,
    check_pages,
    check_texts,
    enter_node,
    flag,
    index_of,
    number,
    read_properties,
    texts,
)

READ = 1
READ_WRITE = 3
READ_EXECUTE = 5
ACCESS_MASK = 7
ATTRIBUTES_END = 16
MEMORY_BINDING = "arm,ffa-manifest-memory-regions"
DEVICE_BINDING = "arm,ffa-manifest-device-regions"
BINDING_ROWS: Array[Property] = constant([texts("compatible")])

_REGION = [
    number("base-address", most=ADDRESS_MAX),
    number("load-address-relative-offset", most=ADDRESS_MAX),
    number("pages-count", least=1, is_required=True),
    number("attributes", is_required=True),
    cells("interrupts", most=INTERRUPT_COUNT_MAX, entry_cells=2),
    number("smmu-id"),
    cells("stream-ids", most=STREAM_COUNT_MAX),
    flag("exclusive-access"),
]
REGION_ROWS: Array[Property] = constant(_REGION)
BASE = index_of(_REGION, "base-address")
OFFSET = index_of(_REGION, "load-address-relative-offset")
PAGE_COUNT = index_of(_REGION, "pages-count")
ATTRIBUTES = index_of(_REGION, "attributes")
INTERRUPTS = index_of(_REGION, "interrupts")
SMMU = index_of(_REGION, "smmu-id")
STREAMS = index_of(_REGION, "stream-ids")
EXCLUSIVE = index_of(_REGION, "exclusive-access")


def read_regions(tree: Fdt, at: Cursor, plan: PartitionPlan, manifest: Manifest, is_device: bool) -> Rule | None:
    """The node with a child for each region, to its end."""
    depth = at.depth
    first = read_properties(tree, at, BINDING_ROWS)
    if isinstance(first, Rule):
        return first
    step = first
    error = check_texts(tree, "compatible", 0, DEVICE_BINDING if is_device else MEMORY_BINDING)
    while error is None and step == Step.NODE:
        enter_node(at)
        error = _read_region(tree, at, plan, manifest, is_device)
        if error is None:
            following = next_child(tree, at, depth)
            if isinstance(following, Rule):
                return following
            step = following
    return error


def _read_region(tree: Fdt, at: Cursor, plan: PartitionPlan, manifest: Manifest, is_device: bool) -> Rule | None:
    count = plan.device_region_count if is_device else plan.memory_region_count
    limit = DEVICE_REGION_COUNT_MAX if is_device else MEMORY_REGION_COUNT_MAX
    if count == limit:
        PROBLEM.depth -= 1
        return fail(Rule.TOO_MANY, "", limit + 1, limit)
    step = read_properties(tree, at, REGION_ROWS)
    if isinstance(step, Rule):
        return step
    values = VALUES.numbers
    is_relative = VALUES.is_present[OFFSET] and not is_device
    given = u64(VALUES.is_present[BASE]) + u64(is_relative)
    if given != 1:
        return fail(Rule.ONE_OF_TWO, "base-address", given)
    base = values[OFFSET if is_relative else BASE]
    error = _check_region(base, is_relative, is_device, manifest)
    if error is not None:
        return error
    if is_device:
        _take_device(tree, plan.device_regions[count])
        plan.device_region_count += 1
    else:
        region = plan.memory_regions[count]
        region.base = base
        region.is_relative = is_relative
        region.page_count = u32(values[PAGE_COUNT])
        region.attributes = u32(values[ATTRIBUTES])
        plan.memory_region_count += 1
    return None


def _check_region(base: u64, is_relative: bool, is_device: bool, manifest: Manifest) -> Rule | None:
    """Whether the region in VALUES is one, and nobody else's."""
    name = "load-address-relative-offset" if is_relative else "base-address"
    attributes = VALUES.numbers[ATTRIBUTES]
    access = attributes & ACCESS_MASK
    is_wrong = access != READ and access != READ_WRITE and (access != READ_EXECUTE or is_device)
    if is_wrong or attributes >= ATTRIBUTES_END:
        wanted = "1 or 3 (R, RW)" if is_device else "1, 3 or 5 (R, RW, RX)"
        return fail_wanted(Rule.ATTRIBUTES, "attributes", wanted, attributes)
    error = check_pages(name, base)
    if error is not None:
        return error
    if is_relative:
        return None
    end = base + VALUES.numbers[PAGE_COUNT] * PAGE_SIZE
    for index in range(manifest.partition_count):
        plan = manifest.partitions[index]
        for number_of_region in range(plan.memory_region_count):
            memory = plan.memory_regions[number_of_region]
            if not memory.is_relative and _overlaps(base, end, memory.base, memory.page_count):
                return fail(Rule.OVERLAP, name, base, plan.id, memory.base)
        for number_of_region in range(plan.device_region_count):
            device = plan.device_regions[number_of_region]
            if _overlaps(base, end, device.base, device.page_count):
                return fail(Rule.OVERLAP, name, base, plan.id, device.base)
    return None


def _overlaps(start: u64, end: u64, other: u64, page_count: u32) -> bool:
    """Whether a range has bytes of a region that was checked before."""
    return start < other + u64(page_count) * PAGE_SIZE and other < end


def _take_device(tree: Fdt, region: DeviceRegion) -> None:
    values = VALUES.numbers
    region.base = values[BASE]
    region.page_count = u32(values[PAGE_COUNT])
    region.attributes = u32(values[ATTRIBUTES])
    region.smmu_id = u32(values[SMMU])
    region.is_exclusive = VALUES.is_present[EXCLUSIVE]
    region.interrupt_count = u8(values[INTERRUPTS])
    for index in range(region.interrupt_count):
        region.interrupts[index].id = cell_of(tree, INTERRUPTS, 2 * index)
        region.interrupts[index].attributes = cell_of(tree, INTERRUPTS, 2 * index + 1)
    region.stream_count = u8(values[STREAMS])
    for index in range(region.stream_count):
        region.streams[index] = cell_of(tree, STREAMS, index)
