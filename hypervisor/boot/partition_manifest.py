"""Reads a partition's own manifest (DEN0077, partition manifest at virtual FF-A instance) into its plan.

Bindings arm,ffa-manifest-1.0 and -1.1: services are listed in `uuid` and `messaging-method`, or each in a child of the
node `services`. Properties that mean nothing in the normal world are checked and kept where the secure world
needs them, and ignored otherwise.
"""

from __future__ import annotations

from compiler.language import Array, Slice, cold, constant, u8, u16, u32, u64, wrapping_shl
from hypervisor.boot.cpio import digit_of
from hypervisor.boot.fdt import Cursor, Fdt, Step, node_is
from hypervisor.boot.plan import (
    BOOT_ORDER_DEFAULT,
    SERVICE_COUNT_MAX,
    UUID_WORD_COUNT,
    Manifest,
    PartitionKind,
    PartitionPlan,
    Service,
)
from hypervisor.boot.problems import PROBLEM, Rule, fail, fail_text, next_child, next_step
from hypervisor.boot.properties import (
    ADDRESS_MAX,
    U16_MAX,
    VALUES,
    Property,
    cell_of,
    cells,
    check_texts,
    enter_node,
    flag,
    index_of,
    number,
    read_properties,
    text,
    text_of,
    texts,
)
from hypervisor.boot.regions import read_regions
from hypervisor.ffa.protocol import OWN_VERSION, VERSION_1_2

VERSION_1_0 = 0x1_0000
LEVEL_EL1 = 0
LEVEL_EL0 = 6
METHODS = 0x607
METHODS_1_2 = 0x600
"""Direct request 2."""
UUID_TEXT_SIZE = 36
HYPHEN = ord("-")
BINDING = "arm,ffa-manifest-1.0"
BINDING_1_1 = "arm,ffa-manifest-1.1"
SERVICES_BINDING = "arm,ffa-manifest-services"

_ROOT = [
    texts("compatible"),
    number("ffa-version", least=VERSION_1_0, most=OWN_VERSION, is_required=True),
    cells("uuid", most=SERVICE_COUNT_MAX, entry_cells=UUID_WORD_COUNT),
    cells("messaging-method", most=SERVICE_COUNT_MAX),
    number("execution-ctx-count", least=1, most=U16_MAX, is_required=True),
    number("exception-level", is_required=True),
    number("execution-state", most=0),
    number("load-address", most=ADDRESS_MAX),
    number("entrypoint-offset", most=ADDRESS_MAX),
    number("xlat-granule", most=0),
    number("boot-order", most=U16_MAX, default=BOOT_ORDER_DEFAULT),
    number("gp-register-num", most=3),
    number("ns-interrupts-action", most=2, default=2),
    number("power-management-messages", most=7),
    number("vm-availability-messages", most=3),
    flag("notification-support"),
    flag("managed-exit"),
]
ROOT_ROWS: Array[Property] = constant(_ROOT)
COMPATIBLE = index_of(_ROOT, "compatible")
FFA_VERSION = index_of(_ROOT, "ffa-version")
UUID = index_of(_ROOT, "uuid")
METHOD = index_of(_ROOT, "messaging-method")
VCPU_COUNT = index_of(_ROOT, "execution-ctx-count")
LEVEL = index_of(_ROOT, "exception-level")
LOAD_ADDRESS = index_of(_ROOT, "load-address")
ENTRYPOINT = index_of(_ROOT, "entrypoint-offset")
BOOT_ORDER = index_of(_ROOT, "boot-order")
GP_REGISTER = index_of(_ROOT, "gp-register-num")
NS_ACTION = index_of(_ROOT, "ns-interrupts-action")
POWER = index_of(_ROOT, "power-management-messages")
AVAILABILITY = index_of(_ROOT, "vm-availability-messages")
NOTIFICATIONS = index_of(_ROOT, "notification-support")
MANAGED_EXIT = index_of(_ROOT, "managed-exit")

_SERVICE = [
    text("uuid", is_required=True),
    number("messaging-method", is_required=True),
]
SERVICE_ROWS: Array[Property] = constant(_SERVICE)
SERVICE_UUID = index_of(_SERVICE, "uuid")
SERVICE_METHOD = index_of(_SERVICE, "messaging-method")
SERVICES_ROWS: Array[Property] = constant([texts("compatible")])


def kind_of(level: u64) -> PartitionKind:
    """What the hypervisor calls an exception level of the bindings."""
    return PartitionKind.EL0 if level == LEVEL_EL0 else PartitionKind.EL1


def read_partition_manifest(tree: Fdt, plan: PartitionPlan, manifest: Manifest) -> Rule | None:
    """Fill the rest of a plan."""
    at = Cursor()
    root = next_step(tree, at)
    if isinstance(root, Rule):
        return root
    first = read_properties(tree, at, ROOT_ROWS)
    if isinstance(first, Rule):
        return first
    step = first
    error = _take_root(tree, plan, manifest)
    if error is None:
        error = _take_services(tree, plan)
    while error is None and step == Step.NODE:
        enter_node(at)
        error = _read_child(tree, at, plan, manifest)
        if error is None:
            following = next_child(tree, at, 1)
            if isinstance(following, Rule):
                return following
            step = following
    if error is None and plan.service_count == 0:
        PROBLEM.depth = 1
        return fail(Rule.MISSING, "uuid")
    if error is not None:
        return error
    rest = next_step(tree, at)
    return rest if isinstance(rest, Rule) else None


def _take_root(tree: Fdt, plan: PartitionPlan, manifest: Manifest) -> Rule | None:
    """The properties of the root, but services."""
    if check_texts(tree, "compatible", COMPATIBLE, BINDING_1_1) is not None:
        error = check_texts(tree, "compatible", COMPATIBLE, BINDING)
        if error is not None:
            return error
    values = VALUES.numbers
    level = values[LEVEL]
    if level != LEVEL_EL1 and level != LEVEL_EL0:
        return fail(Rule.LEVEL, "exception-level", level)
    kind = kind_of(level)
    if plan.has_level and kind != plan.kind:
        return fail(Rule.LEVELS_DIFFER, "exception-level", level, LEVEL_EL0 - level)
    plan.kind = kind
    if kind == PartitionKind.EL0 and (values[VCPU_COUNT] != 1 or plan.vcpu_count != 1):
        return fail(Rule.ONE_VCPU, "execution-ctx-count", max(values[VCPU_COUNT], plan.vcpu_count))
    plan.has_other_vcpu_count = values[VCPU_COUNT] != plan.vcpu_count
    plan.ffa_version = u32(values[FFA_VERSION])
    plan.load_address = values[LOAD_ADDRESS]
    plan.entrypoint_offset = values[ENTRYPOINT]
    if plan.entrypoint_offset % 4 != 0 or plan.entrypoint_offset >= plan.image.size_bytes:
        return fail(Rule.ENTRYPOINT, "entrypoint-offset", plan.entrypoint_offset, plan.image.size_bytes)
    plan.gp_register = u8(values[GP_REGISTER])
    plan.has_gp_register = VALUES.is_present[GP_REGISTER]
    plan.has_notifications = VALUES.is_present[NOTIFICATIONS]
    plan.has_managed_exit = VALUES.is_present[MANAGED_EXIT]
    plan.ns_interrupts_action = u8(values[NS_ACTION])
    plan.power_messages = u8(values[POWER])
    plan.availability_messages = u8(values[AVAILABILITY])
    plan.boot_order = u16(values[BOOT_ORDER])
    return _check_boot_order(plan, manifest)


def _check_boot_order(plan: PartitionPlan, manifest: Manifest) -> Rule | None:
    """Partitions before this one have other places, unless they have none."""
    if plan.boot_order == BOOT_ORDER_DEFAULT:
        return None
    for index in range(plan.id - 1):
        other = manifest.partitions[index]
        if other.is_ffa and other.boot_order == plan.boot_order:
            return fail(Rule.NOT_UNIQUE, "boot-order", plan.boot_order, other.id)
    return None


def _take_services(tree: Fdt, plan: PartitionPlan) -> Rule | None:
    """The services that the root lists."""
    count = VALUES.numbers[UUID]
    if count == 0:
        return None
    method_count = VALUES.numbers[METHOD]
    if not VALUES.is_present[METHOD]:
        return fail(Rule.MISSING, "messaging-method")
    if method_count != 1 and method_count != count:
        return fail(Rule.METHOD_COUNT, "messaging-method", method_count, count)
    for index in range(count):
        service = plan.services[index]
        for word in range(UUID_WORD_COUNT):
            service.uuid[word] = cell_of(tree, UUID, index * UUID_WORD_COUNT + word)
        method = cell_of(tree, METHOD, index if method_count > 1 else 0)
        error = _add_service(plan, service, method)
        if error is not None:
            return error
    return None


@cold
def _add_service(plan: PartitionPlan, service: Service, method: u64) -> Rule | None:
    """Check the service that lies behind the last one of a plan, and take it in."""
    if method == 0 or method & ~METHODS != 0:
        return fail(Rule.METHOD_BITS, "messaging-method", method, METHODS)
    if method & METHODS_1_2 != 0 and plan.ffa_version < VERSION_1_2:
        return fail(Rule.METHOD_VERSION, "messaging-method", method, VERSION_1_2)
    service.messaging_method = u32(method)
    number_of_entry = u64(plan.service_count) + 1
    if service.uuid[0] | service.uuid[1] | service.uuid[2] | service.uuid[3] == 0:
        return fail(Rule.UUID_NIL, "uuid", number_of_entry)
    for index in range(plan.service_count):
        other = plan.services[index]
        word: u64 = 0
        while word < UUID_WORD_COUNT and other.uuid[word] == service.uuid[word]:
            word += 1
        if word == UUID_WORD_COUNT:
            return fail(Rule.UUID_TWICE, "uuid", index + 1, number_of_entry)
    plan.service_count += 1
    return None


def _read_child(tree: Fdt, at: Cursor, plan: PartitionPlan, manifest: Manifest) -> Rule | None:
    """A child of the root, not always to its end."""
    if node_is(tree, at, "services"):
        return _read_services(tree, at, plan)
    if node_is(tree, at, "memory-regions"):
        return read_regions(tree, at, plan, manifest, is_device=False)
    if node_is(tree, at, "device-regions"):
        return read_regions(tree, at, plan, manifest, is_device=True)
    return None


def _read_services(tree: Fdt, at: Cursor, plan: PartitionPlan) -> Rule | None:
    """The node with a child for each service."""
    depth = at.depth
    if plan.service_count != 0:
        PROBLEM.depth = 1
        return fail(Rule.SERVICES_TWICE, "uuid")
    first = read_properties(tree, at, SERVICES_ROWS)
    if isinstance(first, Rule):
        return first
    step = first
    error = check_texts(tree, "compatible", 0, SERVICES_BINDING)
    while error is None and step == Step.NODE:
        enter_node(at)
        error = _read_service(tree, at, plan)
        if error is None:
            following = next_child(tree, at, depth)
            if isinstance(following, Rule):
                return following
            step = following
    return error


def _read_service(tree: Fdt, at: Cursor, plan: PartitionPlan) -> Rule | None:
    if plan.service_count == SERVICE_COUNT_MAX:
        PROBLEM.depth -= 1
        return fail(Rule.TOO_MANY, "", SERVICE_COUNT_MAX + 1, SERVICE_COUNT_MAX)
    step = read_properties(tree, at, SERVICE_ROWS)
    if isinstance(step, Rule):
        return step
    service = plan.services[plan.service_count]
    uuid = text_of(tree, SERVICE_UUID)
    if not _read_uuid(uuid, service):
        return fail_text(Rule.UUID_TEXT, "uuid", uuid)
    return _add_service(plan, service, VALUES.numbers[SERVICE_METHOD])


def _read_uuid(text: Slice[u8], service: Service) -> bool:
    """A UUID as RFC 9562 writes it; its digits in order are those of the words, as Hafnium has it."""
    if len(text) != UUID_TEXT_SIZE:
        return False
    count: u64 = 0
    for index, byte in enumerate(text):
        if index == 8 or index == 13 or index == 18 or index == 23:
            if byte != HYPHEN:
                return False
        else:
            digit = digit_of(byte)
            if digit > 15:
                return False
            word = count // 8
            service.uuid[word] = wrapping_shl(service.uuid[word], 4) | u32(digit)
            count += 1
    return True
