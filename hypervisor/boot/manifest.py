"""Reads the initrd: manifest.dtb, the files that it names, and the partitions' own manifests.

    rule = manifest.read_manifest(archive, plan)      # archive: the initrd's bytes; plan: a static Manifest of zeros
    if rule is not None:
        problems.report(rule)                         # one line on the console; then stop, before any guest runs
    manifest.report_warnings(plan)

Nothing is assumed of the archive. The rules are Hafnium's, as far as it has them: node /hypervisor, compatible with
"hafnium,hafnium", has a node vmN for each partition, where N is its FF-A ID and vm1 is the primary VM; what is not
known is ignored. The build tool runs the same functions (`./build.py image`).
"""

from __future__ import annotations

from compiler.language import Array, Slice, constant, saturating_sub, string_at, u8, u16, u64, utf8
from hypervisor.boot.cpio import CpioError, Entry, File, find_file, next_entry
from hypervisor.boot.fdt import Cursor, Fdt, Step, node_is
from hypervisor.boot.partition_manifest import LEVEL_EL0, LEVEL_EL1, kind_of, read_partition_manifest
from hypervisor.boot.plan import (
    NAME_SIZE_MAX,
    PARTITION_COUNT_MAX,
    SMC_COUNT_MAX,
    VCPU_COUNT_MAX,
    Manifest,
    PartitionKind,
    PartitionPlan,
    name_of,
)
from hypervisor.boot.problems import (
    PROBLEM,
    Rule,
    enter_file,
    fail,
    fail_text,
    fail_wanted,
    next_child,
    next_step,
    open_file,
    render_problem,
)
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
    text,
    text_of,
    texts,
)
from hypervisor.boot.texts import begins_with, round_up
from hypervisor.ffa.protocol import VERSION_1_2
from runtime.console import log
from runtime.text import TextBuffer

INITRD = "initrd"
MANIFEST_FILE = "manifest.dtb"
TREE_GROWTH = 256
"""Bytes by which a partition's tree may grow when it gets its /memory node."""
DIGIT_ZERO = ord("0")
DIGIT_NINE = ord("9")
PRIMARY_NUMBER = 1

_NODE = [texts("compatible"), flag("ffa_tee_enabled")]
NODE_ROWS: Array[Property] = constant(_NODE)
TEE_ENABLED = index_of(_NODE, "ffa_tee_enabled")

_ANY = [
    text("debug_name", most=NAME_SIZE_MAX, is_required=True),
    text("kernel_filename"),
    text("ramdisk_filename"),
    number("boot_address", most=ADDRESS_MAX),
    cells("smc_whitelist", most=SMC_COUNT_MAX),
    flag("smc_whitelist_permissive"),
]
_PARTITION = [
    *_ANY,
    flag("is_ffa_partition"),
    flag("hyp_loaded"),
    number("vcpu_count", least=1, most=VCPU_COUNT_MAX),
    number("mem_size", least=PAGE_SIZE, most=ADDRESS_MAX),
    number("exception-level"),
    text("fdt_filename"),
]
PRIMARY_ROW_COUNT = len(_ANY)
"""How many rows from the first one matter for the primary."""
PARTITION_ROWS: Array[Property] = constant(_PARTITION)
DEBUG_NAME = index_of(_PARTITION, "debug_name")
IS_FFA = index_of(_PARTITION, "is_ffa_partition")
HYP_LOADED = index_of(_PARTITION, "hyp_loaded")
VCPU_COUNT = index_of(_PARTITION, "vcpu_count")
MEM_SIZE = index_of(_PARTITION, "mem_size")
LEVEL = index_of(_PARTITION, "exception-level")
BOOT_ADDRESS = index_of(_PARTITION, "boot_address")
KERNEL = index_of(_PARTITION, "kernel_filename")
RAMDISK = index_of(_PARTITION, "ramdisk_filename")
TREE = index_of(_PARTITION, "fdt_filename")
SMC_WHITELIST = index_of(_PARTITION, "smc_whitelist")
SMC_PERMISSIVE = index_of(_PARTITION, "smc_whitelist_permissive")


def read_manifest(archive: Slice[u8], manifest: Manifest) -> Rule | None:
    """Fill `manifest`, which is all zero, from the initrd; or say which rule is broken, with the rest in PROBLEM."""
    error = check_archive(archive)
    if error is not None:
        return error
    file = File()
    if find_file(archive, utf8(MANIFEST_FILE), file) is not None:
        return fail_wanted(Rule.NO_FILE, "", MANIFEST_FILE)
    error = _read_tree(archive, file, manifest)
    if error is not None:
        return error
    for index in range(manifest.partition_count):
        plan = manifest.partitions[index]
        if plan.is_ffa and plan.kind != PartitionKind.PRIMARY:
            tree = open_file(bytes_of_file(archive, plan.tree_name), bytes_of_file(archive, plan.tree))
            if isinstance(tree, Rule):
                return tree
            error = read_partition_manifest(tree, plan, manifest)
            if error is not None:
                return error
    return None


def read_or_explain(archive: Slice[u8], manifest: Manifest, message: TextBuffer) -> bool:
    """`read_manifest` for tools: when it is False, `message` says why."""
    rule = read_manifest(archive, manifest)
    if rule is not None:
        render_problem(message, rule)
    return rule is None


def report_warnings(manifest: Manifest) -> None:
    """Print what was accepted but has no effect."""
    for index in range(manifest.partition_count):
        plan = manifest.partitions[index]
        name = string_at(name_of(plan))
        if plan.load_address != 0:
            log(f"{name}: load-address {plan.load_address:#x} is ignored; the hypervisor places it")
        if plan.has_other_vcpu_count:
            log(f"{name}: execution-ctx-count is ignored; vcpu_count is {plan.vcpu_count}")


def bytes_of_file(archive: Slice[u8], file: File) -> Slice[u8]:
    """The content of a file."""
    return archive[file.offset : file.offset + file.size_bytes]


def check_archive(archive: Slice[u8]) -> Rule | None:
    """Whether the archive is right as a whole."""
    enter_file(utf8(INITRD), archive)
    entry = Entry()
    while not entry.is_trailer:
        error = next_entry(archive, entry)
        if error is not None:
            match error:
                case CpioError.NOT_CPIO:
                    return fail(Rule.ARCHIVE_MAGIC, "", entry.start)
                case CpioError.BAD_NUMBER:
                    return fail(Rule.ARCHIVE_NUMBER, "", entry.start)
                case CpioError.BAD_NAME:
                    return fail(Rule.ARCHIVE_NAME, "", entry.start)
                case _:
                    return fail(Rule.ARCHIVE_TRUNCATED, "", entry.start)
    return None


def _read_tree(archive: Slice[u8], file: File, manifest: Manifest) -> Rule | None:
    """manifest.dtb."""
    tree = open_file(utf8(MANIFEST_FILE), bytes_of_file(archive, file))
    if isinstance(tree, Rule):
        return tree
    at = Cursor()
    is_found = False
    while True:
        step = next_step(tree, at)
        if isinstance(step, Rule):
            return step
        if step == Step.END:
            break
        if step == Step.NODE and at.depth == 2 and node_is(tree, at, "hypervisor") and not is_found:
            is_found = True
            error = _read_hypervisor(archive, tree, at, file.offset, manifest)
            if error is not None:
                return error
    if is_found:
        return None
    PROBLEM.depth = 1
    return fail_wanted(Rule.NO_NODE, "", "hypervisor")


def _read_hypervisor(archive: Slice[u8], tree: Fdt, at: Cursor, start: u64, manifest: Manifest) -> Rule | None:
    """The node with the partitions, to its end. `start`: offset of the tree in the archive."""
    depth = at.depth
    first = read_properties(tree, at, NODE_ROWS)
    if isinstance(first, Rule):
        return first
    step = first
    error = check_texts(tree, "compatible", 0, "hafnium,hafnium")
    if error is not None:
        return error
    manifest.has_spmc = VALUES.is_present[TEE_ENABLED]
    while step == Step.NODE:
        enter_node(at)
        number_of_node = _partition_number(tree, at)
        if number_of_node is not None:
            error = _read_partition(archive, tree, at, start, number_of_node, manifest)
            if error is not None:
                return error
        following = next_child(tree, at, depth)
        if isinstance(following, Rule):
            return following
        step = following
    PROBLEM.depth = depth
    if manifest.partition_count == 0:
        return fail_wanted(Rule.NO_NODE, "", "vm1")
    for index in range(manifest.partition_count):
        if not manifest.partitions[index].is_present:
            return fail(Rule.PARTITION_GAP, "", manifest.partition_count, index + 1)
    return None


def _partition_number(tree: Fdt, at: Cursor) -> u64 | None:
    """N of a node vmN; None when it is called something else."""
    if at.name_size < 3 or not begins_with(tree.data[at.name : at.position], utf8("vm")):
        return None
    value: u64 = 0
    for byte in tree.data[at.name + 2 : at.name + at.name_size]:
        if not DIGIT_ZERO <= byte <= DIGIT_NINE:
            return None
        value = min(value * 10 + (byte - DIGIT_ZERO), PARTITION_COUNT_MAX + 1)
    return value


def _read_partition(archive: Slice[u8], tree: Fdt, at: Cursor, start: u64, id: u64, manifest: Manifest) -> Rule | None:
    """A node vmN, from its properties on."""
    if not 1 <= id <= PARTITION_COUNT_MAX:
        return fail(Rule.PARTITION_NUMBER, "")
    plan = manifest.partitions[id - 1]
    if plan.is_present:
        return fail(Rule.PARTITION_TWICE, "")
    row_count = PRIMARY_ROW_COUNT if id == PRIMARY_NUMBER else len(PARTITION_ROWS)
    step = read_properties(tree, at, PARTITION_ROWS[0:row_count])
    if isinstance(step, Rule):
        return step
    plan.is_present = True
    plan.id = u16(id)
    plan.ffa_version = VERSION_1_2
    manifest.partition_count = max(manifest.partition_count, id)
    name = text_of(tree, DEBUG_NAME)
    for index, byte in enumerate(name):
        plan.name[index] = byte
    plan.name_size = u8(len(name))
    plan.is_smc_permissive = VALUES.is_present[SMC_PERMISSIVE]
    plan.smc_count = u8(VALUES.numbers[SMC_WHITELIST])
    for index in range(plan.smc_count):
        plan.smc_whitelist[index] = cell_of(tree, SMC_WHITELIST, index)
    if id == PRIMARY_NUMBER:
        return _read_primary(archive, tree, plan)
    return _read_secondary(archive, tree, start, plan)


def _read_primary(archive: Slice[u8], tree: Fdt, plan: PartitionPlan) -> Rule | None:
    """What is special of vm1."""
    plan.boot_address = VALUES.numbers[BOOT_ADDRESS]
    if not VALUES.is_present[KERNEL] and plan.boot_address == 0:
        return fail(Rule.MISSING, "kernel_filename")
    error = check_pages("boot_address", plan.boot_address)
    if error is None:
        error = _find(archive, tree, KERNEL, plan.image)
    if error is None:
        error = _find(archive, tree, RAMDISK, plan.ramdisk)
    return error


def _read_secondary(archive: Slice[u8], tree: Fdt, start: u64, plan: PartitionPlan) -> Rule | None:
    """What is special of vm2 and the others."""
    plan.mem_size = VALUES.numbers[MEM_SIZE]
    plan.vcpu_count = u16(VALUES.numbers[VCPU_COUNT])
    plan.is_ffa = VALUES.is_present[IS_FFA]
    plan.has_level = VALUES.is_present[LEVEL]
    level = VALUES.numbers[LEVEL]
    if level != LEVEL_EL1 and level != LEVEL_EL0:
        return fail(Rule.LEVEL, "exception-level", level)
    plan.kind = kind_of(level)
    error = _require(MEM_SIZE)
    if error is None:
        error = _require(VCPU_COUNT)
    if error is None:
        error = check_pages("mem_size", plan.mem_size)
    if error is None:
        error = _require(KERNEL)
    if error is None and plan.is_ffa:
        error = _require(TREE)
    if error is None and plan.is_ffa and not VALUES.is_present[HYP_LOADED]:
        error = fail(Rule.NOT_LOADED_HERE, "hyp_loaded")
    if error is None and plan.kind == PartitionKind.EL0 and plan.vcpu_count != 1:
        error = fail(Rule.ONE_VCPU, "vcpu_count", plan.vcpu_count)
    if error is None:
        error = _find(archive, tree, KERNEL, plan.image)
    if error is None:
        error = _find(archive, tree, TREE, plan.tree)
    if error is not None:
        return error
    plan.tree_name = File(offset=start + VALUES.places[TREE], size_bytes=VALUES.numbers[TREE])
    tree_size = round_up(plan.tree.size_bytes + TREE_GROWTH, PAGE_SIZE) if plan.tree.size_bytes != 0 else 0
    if plan.image.size_bytes + tree_size <= plan.mem_size:
        return None
    needed = round_up(plan.image.size_bytes, PAGE_SIZE) + tree_size
    left = saturating_sub(plan.mem_size, tree_size)
    return fail_text(Rule.FILE_LARGE, "kernel_filename", text_of(tree, KERNEL), plan.image.size_bytes, left, needed)


def _require(index: u64) -> Rule | None:
    """A property that only some partitions need."""
    return None if VALUES.is_present[index] else fail(Rule.MISSING, PARTITION_ROWS[index].name)


def _find(archive: Slice[u8], tree: Fdt, index: u64, file: File) -> Rule | None:
    """The file that a property names, if it is there."""
    if not VALUES.is_present[index]:
        return None
    name = text_of(tree, index)
    if find_file(archive, name, file) is not None:
        return fail_text(Rule.FILE_ABSENT, PARTITION_ROWS[index].name, name)
    if file.size_bytes == 0:
        return fail_text(Rule.FILE_EMPTY, PARTITION_ROWS[index].name, name)
    return None
