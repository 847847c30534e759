"""Manifests: what is read of a sound one, what is said about each wrong one, and that no input does any harm."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.check import check_program
from compiler.host import Interpreter
from compiler.host.native import Native
from compiler.image.cpio import ArchiveFormat, write_archive
from compiler.language import types
from hypervisor.boot import manifest, problems
from hypervisor.boot.plan import Manifest, PartitionKind
from hypervisor.boot.problems import Rule
from runtime.text import TextBuffer
from tests.host.boot.defects import IMAGES, Defect, defects, sound, source
from tests.host.boot.device_trees import compiled
from tests.host.boot.machine import ENGINES

Engine = type[Interpreter] | type[Native]
PROGRAM = check_program(
    [manifest.read_manifest, manifest.read_or_explain, manifest.report_warnings, problems.report], name="manifest"
)
PRINTED = bytearray()


@functools.cache
def session(engine: Engine) -> Any:
    def console_write(text: tuple[int, int]) -> None:
        PRINTED.extend(made.read(*text))

    made: Any = engine(PROGRAM, externs={"console_write": console_write})
    return made


def read(archive: bytes, engine: Engine = Native) -> tuple[Any, str]:
    """The plans, and what is wrong."""
    plans = session(engine).new(Manifest)
    message = session(engine).new(TextBuffer)
    is_right = session(engine).call("read_or_explain", archive, plans, message)
    said = bytes(message.content.bytes_()[: message.count]).decode()
    assert is_right == (not said)
    return plans, said


def words(array: Any, count: int) -> list[int]:
    return [array[index] for index in range(count)]


def content(archive: bytes, file: Any) -> bytes:
    return archive[file.offset : file.offset + file.size_bytes]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("form", ArchiveFormat)
def test_the_plans_of_a_sound_manifest(engine: Engine, form: ArchiveFormat) -> None:
    archive = sound(form)
    plans, said = read(archive, engine)
    assert (said, plans.partition_count, plans.has_spmc) == ("", 4, True)
    primary, echo, storage, plain = (plans.partitions[index] for index in range(4))
    assert [plan.id for plan in (primary, echo, storage, plain)] == [1, 2, 3, 4]
    kinds = [PartitionKind.PRIMARY, PartitionKind.EL1, PartitionKind.EL0, PartitionKind.EL1]
    assert [plan.kind for plan in (primary, echo, storage, plain)] == kinds
    names = [bytes(plan.name.bytes_()[: plan.name_size]) for plan in (primary, echo, storage, plain)]
    assert names == [b"linux", b"echo", b"storage", b"plain"]
    assert [plan.is_ffa for plan in (primary, echo, storage, plain)] == [False, True, True, False]
    assert (echo.vcpu_count, echo.mem_size, storage.mem_size) == (2, 0x10_0000, 0x20_0000)
    assert words(primary.smc_whitelist, primary.smc_count) == [0x8400_0000, 0xC400_0003]
    assert [plan.is_smc_permissive for plan in (primary, echo)] == [False, True]
    sizes = [plan.image.size_bytes for plan in (primary, echo, storage, plain)]
    assert sizes == [IMAGES[name] for name in ("linux.bin", "echo.bin", "storage.bin", "plain.bin")]
    assert primary.ramdisk.size_bytes == IMAGES["rootfs.cpio"]
    assert content(archive, echo.tree) == compiled(source("echo"), "-f")
    assert content(archive, echo.tree_name) == b"echo.dtb"
    assert plain.tree.size_bytes == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_what_the_partition_manifests_say(engine: Engine) -> None:
    plans, _ = read(sound(), engine)
    _, echo, storage, plain = (plans.partitions[index] for index in range(4))
    assert [plan.ffa_version for plan in (echo, storage, plain)] == [0x1_0001, 0x1_0002, 0x1_0002]
    assert (echo.entrypoint_offset, echo.load_address, echo.boot_order) == (0x40, 0x5000_0000, 1)
    assert (echo.has_gp_register, echo.gp_register, echo.has_notifications) == (True, 2, True)
    assert (storage.has_gp_register, storage.has_notifications, storage.ns_interrupts_action) == (False, False, 2)
    services = [echo.services[index] for index in range(echo.service_count)]
    assert [words(service.uuid, 4) for service in services] == [
        [0x1111_1111, 0x2222_2222, 0x3333_3333, 0x4444_4444],
        [0x5555_5555, 0x6666_6666, 0x7777_7777, 0x8888_8888],
    ]
    assert [service.messaging_method for service in services] == [7, 1]
    assert words(storage.services[0].uuid, 4) == [0x0123_4567, 0x89AB_CDEF, 0x0123_4567, 0x89AB_CDEF]
    assert [storage.services[index].messaging_method for index in range(storage.service_count)] == [0x201, 0x400]
    shared, scratch = echo.memory_regions[0], echo.memory_regions[1]
    assert (shared.base, shared.page_count, shared.attributes, shared.is_relative) == (0x6000_0000, 16, 3, False)
    assert (scratch.base, scratch.page_count, scratch.attributes, scratch.is_relative) == (0x8_0000, 1, 1, True)
    uart = echo.device_regions[0]
    assert (uart.base, uart.page_count, uart.attributes, uart.smmu_id) == (0x904_0000, 1, 3, 1)
    interrupts = [uart.interrupts[index] for index in range(uart.interrupt_count)]
    assert [(interrupt.id, interrupt.attributes) for interrupt in interrupts] == [(40, 0x900), (41, 0x901)]
    assert (words(uart.streams, uart.stream_count), uart.is_exclusive) == ([7, 8], True)
    assert (echo.memory_region_count, echo.device_region_count, storage.memory_region_count) == (2, 1, 1)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("defect", defects(), ids=lambda defect: defect.name)
def test_each_defect_has_its_message(engine: Engine, defect: Defect) -> None:
    assert read(defect.archive, engine)[1] == defect.message


def test_the_list_is_long_and_has_every_rule() -> None:
    broken = {session(Native).call("read_manifest", row.archive, session(Native).new(Manifest)) for row in defects()}
    assert broken == set(Rule)
    assert len({row.name for row in defects()}) == len(defects()) >= 100


def test_the_console_shows_the_message() -> None:
    defect = defects()[-1]
    s = session(Interpreter)
    archive = s.new_array(types.INTEGERS["u8"], list(defect.archive))
    rule = s.call("read_manifest", archive, s.new(Manifest))
    PRINTED.clear()
    s.call("report", rule)
    assert PRINTED.decode() == f"{defect.message}\n"


def initrd(manifest_source: str, echo: str = "", storage: str = "") -> bytes:
    """An initrd with other sources."""
    trees = {"manifest": manifest_source, "echo": echo or source("echo"), "storage": storage or source("storage")}
    files = [(f"{name}.dtb", compiled(text)) for name, text in trees.items()]
    return write_archive([*files, *((name, bytes(size)) for name, size in IMAGES.items())])


PRIMARY = 'vm1 { debug_name = "a"; kernel_filename = "linux.bin"; };'
ECHO = (
    'vm2 { is_ffa_partition; hyp_loaded; debug_name = "b"; vcpu_count = <1>; mem_size = <0x100000>; '
    'kernel_filename = "echo.bin"; fdt_filename = "echo.dtb"; };'
)


def hypervisor(content: str, before: str = "", after: str = "") -> str:
    return f'/ {{ {before} hypervisor {{ compatible = "hafnium,hafnium"; {content} }}; {after} }};'


def test_nodes_come_in_any_order_between_others() -> None:
    archive = initrd(
        hypervisor(f"x {{ vm1 {{ }}; }}; {ECHO} vmx {{ }}; {PRIMARY} vm {{ }};", "a { };", "z { y { }; };")
    )
    plans, said = read(archive)
    assert (said, plans.partition_count, plans.partitions[1].kind) == ("", 2, PartitionKind.EL1)


def test_what_is_not_known_is_ignored() -> None:
    partition = source("echo").replace("execution-state", 'x-y = "z"; id = <0x8001>; execution-state')
    partition = partition.replace("device-regions {", "boot-info { ffa_manifest; }; device-regions {")
    assert read(initrd(hypervisor(PRIMARY.replace("};", "later = <1>; mem_size = <1>; };") + ECHO), partition))[1] == ""


def test_a_primary_that_is_loaded_already() -> None:
    plans, said = read(initrd(hypervisor('vm1 { debug_name = "a"; boot_address = <0x40080000>; };')))
    assert (said, plans.partitions[0].boot_address, plans.partitions[0].image.size_bytes) == ("", 0x4008_0000, 0)


def test_a_partition_manifest_may_say_alone_that_it_is_for_el0() -> None:
    text = source("storage")
    assert "exception-level = <6>" in text
    node = ECHO.replace("echo.dtb", "storage.dtb")
    plans, said = read(initrd(hypervisor(PRIMARY + node)))
    assert (said, plans.partitions[1].kind) == ("", PartitionKind.EL0)


def test_a_virtual_machine_at_el0_without_a_manifest() -> None:
    node = 'vm2 { debug_name = "b"; vcpu_count = <1>; mem_size = <0x8000>; exception-level = <6>; '
    plans, said = read(
        initrd(hypervisor(PRIMARY + node + 'kernel_filename = "plain.bin"; fdt_filename = "echo.dtb"; };'))
    )
    assert (said, plans.partitions[1].kind, plans.partitions[1].service_count) == ("", PartitionKind.EL0, 0)


def test_one_messaging_method_for_all_services() -> None:
    partition = source("echo").replace("<0x7>, <0x1>", "<0x3>")
    plans, said = read(initrd(hypervisor(PRIMARY + ECHO), partition))
    assert said == ""
    assert [plans.partitions[1].services[index].messaging_method for index in range(2)] == [3, 3]


def test_defaults() -> None:
    partition = (
        '/ { compatible = "arm,ffa-manifest-1.0"; ffa-version = <0x10000>; uuid = <1 0 0 0>; messaging-method = <1>; '
        "execution-ctx-count = <1>; exception-level = <0>; };"
    )
    plans, said = read(initrd(hypervisor(PRIMARY + ECHO), partition))
    plan = plans.partitions[1]
    assert (said, plan.boot_order, plan.ns_interrupts_action) == ("", 0xFFFF, 2)
    assert (plan.entrypoint_offset, plan.load_address, plan.has_gp_register) == (0, 0, False)


def test_what_has_no_effect_is_a_warning() -> None:
    plans, said = read(initrd(hypervisor(PRIMARY + ECHO)), Interpreter)
    assert said == ""
    PRINTED.clear()
    session(Interpreter).call("report_warnings", plans)
    assert PRINTED.decode() == (
        "b: load-address 0x50000000 is ignored; the hypervisor places it\n"
        "b: execution-ctx-count is ignored; vcpu_count is 1\n"
    )


def test_sixteen_partitions() -> None:
    nodes = "".join(ECHO.replace("vm2", f"vm{number}") for number in range(2, 17))
    partition = source("echo").replace("boot-order = <1>;", "").replace("memory-regions {", "x {")
    plans, said = read(initrd(hypervisor(PRIMARY + nodes), partition.replace("device-regions {", "y {")))
    assert (said, plans.partition_count, plans.partitions[15].id) == ("", 16, 16)


SOUND = sound()
START = SOUND.index(b"manifest.dtb")
END = SOUND.index(b"storage.dtb\0\0\0") + len(compiled(source("storage"))) + 64
changes = st.lists(st.tuples(st.integers(0, END), st.integers(0, 255)), min_size=1, max_size=6)


@settings(max_examples=1500, deadline=None)
@given(changes, st.integers(0, 3 * len(SOUND)))
def test_a_damaged_initrd_is_read_or_refused(made: list[tuple[int, int]], length: int) -> None:
    data = bytearray(SOUND)
    for offset, value in made:
        data[offset] = value
    read(bytes(data[:length]))


@settings(max_examples=150, deadline=None)
@given(changes)
def test_both_engines_say_the_same_of_a_damaged_initrd(made: list[tuple[int, int]]) -> None:
    data = bytearray(SOUND)
    for offset, value in made:
        data[offset] = value
    native, interpreted = read(bytes(data)), read(bytes(data), Interpreter)
    assert native[1] == interpreted[1]
    assert native[0].bytes_() == interpreted[0].bytes_()


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(["manifest", "echo", "storage"]),
    st.lists(
        st.tuples(st.integers(0, 1 << 16), st.sampled_from([0, 1, 2, 3, 4, 5, 9, 0xFF, 0x7FFF_FFFF, 0xFFFF_FFFF])),
        min_size=1,
        max_size=3,
    ),
)
def test_trees_with_other_words_are_read_or_refused(tree: str, made: list[tuple[int, int]]) -> None:
    trees = {name: bytearray(compiled(source(name), "-f")) for name in ("manifest", "echo", "storage")}
    for offset, value in made:
        at = offset % (len(trees[tree]) // 4) * 4
        trees[tree][at : at + 4] = value.to_bytes(4, "big")
    files = [(f"{name}.dtb", bytes(data)) for name, data in trees.items()]
    read(write_archive([*files, *((name, bytes(size)) for name, size in IMAGES.items())]))
