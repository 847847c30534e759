"""The boot contract, as guests in assembly find it: entry registers, memory, device trees; wrong input stops cleanly.

Device trees are read with libfdt, archives are packed by GNU cpio.
"""

import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.boot.contract_guests import Contract
from tests.host.boot.device_trees import LIBFDT, reservations_of
from tests.tools import debian_tool

CPUS = ["max", "neoverse-n1", "cortex-a57"]
RAM_BASE, RAM_SIZE = 0x4000_0000, 0x4000_0000
RAM_END = RAM_BASE + RAM_SIZE
IMAGE_BASE = 0x4000_1000
MIB = 1 << 20
EL1H = 1 << 2
ALL_MASKED = 0xF << 6
SCTLR_EL1_RESET = 0x30D0_0800
MPIDR_RES1 = 1 << 31
STATUS_REFUSED = 2


def words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 8}Q", data)


def number(tree: Any, node: int, name: str) -> int:
    return int.from_bytes(bytes(tree.getprop(node, name)), "big")


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("cpu_count", [1, 4])
def test_the_primary_is_entered_as_a_kernel_is(tmp_path: Path, cpu: str, cpu_count: int) -> None:
    contract = Contract(tmp_path)
    contract.make()
    outcome = contract.run([*contract.command(cpu, cpu_count), "-append", "one two"])
    assert outcome.status == 0, outcome.console
    x0, x1, x2, x3, level, masks, mpidr, sctlr, entry = words((tmp_path / "results").read_bytes())
    assert (x1, x2, x3) == (0, 0, 0)
    assert (level, masks, mpidr, sctlr) == (EL1H, ALL_MASKED, MPIDR_RES1, SCTLR_EL1_RESET)
    assert entry == 0x4028_0000
    assert RAM_BASE <= x0 < RAM_END and x0 % 8 == 0
    tree = LIBFDT.Fdt((tmp_path / "tree.dtb").read_bytes())
    chosen = tree.path_offset("/chosen")
    assert tree.getprop(chosen, "bootargs").as_str() == "one two"
    assert number(tree, chosen, "linux,initrd-start") == number(tree, chosen, "linux,initrd-end") == 0
    for index in range(cpu_count):
        assert number(tree, tree.path_offset(f"/cpus/cpu@{index}"), "reg") == index
    ((base, size),) = reservations_of((tmp_path / "tree.dtb").read_bytes())
    assert base == IMAGE_BASE and size < MIB


def test_a_ramdisk_is_named_where_it_lies_in_the_archive(tmp_path: Path) -> None:
    contract = Contract(tmp_path, ramdisk=bytes(range(256)) * 5)
    contract.make()
    assert contract.run(contract.command()).status == 0
    tree = LIBFDT.Fdt((tmp_path / "tree.dtb").read_bytes())
    chosen = tree.path_offset("/chosen")
    start, end = number(tree, chosen, "linux,initrd-start"), number(tree, chosen, "linux,initrd-end")
    assert end - start == 5 * 256
    offset = start - 0x4800_0000  # where QEMU puts an initrd with 1 GiB of memory
    assert contract.pack().read_bytes()[offset : offset + 5 * 256] == contract.ramdisk


@pytest.mark.parametrize("cpu", CPUS)
def test_secondaries_have_their_memory_and_the_primary_has_not(tmp_path: Path, cpu: str) -> None:
    sizes = [MIB, 4 * MIB, 0x1_5000]
    bases = [RAM_END - 2 * MIB - MIB, RAM_END - 8 * MIB, RAM_END - 2 * MIB - MIB - 0x1_5000]
    withheld = [IMAGE_BASE, *bases, *(base + size - 4 for base, size in zip(bases, sizes, strict=True)), RAM_END - 4]
    given = [0x4000_0000, 0x4020_0000, bases[1] - 4, bases[1] + 4 * MIB, 0x0900_0018, 0x40_1000_0000]
    contract = Contract(tmp_path, memory_sizes=sizes, probes=[*withheld, *given])
    contract.make()
    outcome = contract.run(contract.command(cpu))
    assert outcome.status == 0, outcome.console
    readable = words((tmp_path / "results").read_bytes())[9:]
    assert readable == (0,) * len(withheld) + (1,) * len(given)
    reserved = reservations_of((tmp_path / "tree.dtb").read_bytes())
    assert set(zip(bases, sizes, strict=True)) <= set(reserved)
    assert all(any(base <= place < base + size for base, size in reserved) for place in withheld)
    for index, (base, size) in enumerate(zip(bases, sizes, strict=True)):
        check_secondary(tmp_path, index + 2, base, size)


def check_secondary(folder: Path, name: int, base: int, size: int) -> None:
    """Image at the beginning, zeros, its own tree with /memory near the end; registers as after a reset."""
    memory = (folder / f"s{name}.memory").read_bytes()
    assert len(memory) == size
    image = (folder / f"s{name}").read_bytes()
    results, block = 8, image.rindex(f"s{name}.memory".encode()) - 24
    x0, x1, x2, x3, level, masks, mpidr, sctlr, entry = words(memory[results : results + 72])
    assert (x1, x2, x3) == (0, 0, 0)
    assert (level, masks, mpidr, sctlr, entry) == (EL1H, ALL_MASKED, MPIDR_RES1, SCTLR_EL1_RESET, base)
    assert memory[:results] == image[:results]
    assert memory[results + 72 : block - 8] == image[results + 72 : block - 8]
    tree_at = x0 - base
    assert size - 0x2000 <= tree_at < size and tree_at % 8 == 0
    assert not any(memory[len(image) : tree_at])
    tree = LIBFDT.Fdt(memory[tree_at:])
    node = tree.path_offset("/memory")
    assert tree.getprop(node, "device_type").as_str() == "memory"
    assert list(tree.getprop(node, "reg").as_uint32_list()) in ([0, base, size], [0, base, 0, size])
    assert not any(memory[tree_at + tree.totalsize() :])


@pytest.mark.parametrize("archive_format", ["bin", "odc", "newc", "crc"])
def test_archives_of_every_format(tmp_path: Path, archive_format: str) -> None:
    contract = Contract(tmp_path, memory_sizes=[MIB])
    contract.make()
    outcome = contract.run(contract.command(initrd=contract.pack(archive_format)))
    assert outcome.status == 0, outcome.console
    assert (tmp_path / "s2.memory").exists()


def test_the_boot_cpu_need_not_be_the_first(tmp_path: Path) -> None:
    """In a tree whose /cpus are in reverse order the CPU that boots is the last."""
    contract = Contract(tmp_path)
    contract.make()
    command = contract.command(cpu_count=3)
    machine = command.index("-machine") + 1
    dump = [*command]
    dump[machine] += ",dumpdtb=host.dtb"
    subprocess.run(dump, cwd=tmp_path, check=True, capture_output=True)
    dtc = debian_tool("dtc")
    source = subprocess.run([dtc, "-q", "-O", "dts", tmp_path / "host.dtb"], check=True, capture_output=True).stdout
    lines = source.decode().splitlines()
    starts = [index for index, line in enumerate(lines) if line.startswith("\t\tcpu@")]
    ends = [lines.index("\t\t};", start) + 1 for start in starts]
    nodes = [lines[start:end] for start, end in zip(starts, ends, strict=True)]
    reverse = [*lines[: starts[0]], *nodes[2], *nodes[1], *nodes[0], *lines[ends[2] :]]
    contract.compile_tree("host.dtb", "\n".join(reverse))
    outcome = contract.run([*command, "-dtb", "host.dtb"])
    assert outcome.status == 0, outcome.console
    assert words((tmp_path / "results").read_bytes())[6] == MPIDR_RES1
    outcome.line(r"vm1 first: primary, 3 vCPU")


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ('vm1 { debug_name = "a"; };', r"manifest\.dtb: /hypervisor/vm1: kernel_filename is missing; add it"),
        ('vm1 { debug_name = "a"; kernel_filename = "b"; };', r'is "b", which the initrd does not have'),
        (
            'vm2 { debug_name = "a"; kernel_filename = "primary"; };',
            r"manifest\.dtb: /hypervisor/vm2: mem_size is missing; add it",
        ),
    ],
    ids=["primary", "file", "secondary"],
)
def test_a_wrong_manifest_stops_before_any_guest(tmp_path: Path, manifest: str, message: str) -> None:
    contract = Contract(tmp_path)
    contract.make()
    contract.write_manifest(f'/dts-v1/; / {{ hypervisor {{ compatible = "hafnium,hafnium"; {manifest} }}; }};')
    outcome = contract.run(contract.command())
    outcome.line(message)
    assert len(outcome.lines) == 2
    assert outcome.status == STATUS_REFUSED
    assert not (tmp_path / "results").exists()


def test_without_an_archive_nothing_runs(tmp_path: Path) -> None:
    contract = Contract(tmp_path)
    contract.make()
    command = contract.command()
    position = command.index("-initrd")
    outcome = contract.run([*command[:position], *command[position + 2 :]])
    outcome.line("^device tree: /chosen names no ramdisk; give the loader the archive with manifest.dtb as its initrd$")
    assert outcome.status == STATUS_REFUSED


def test_memory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    contract = Contract(tmp_path, memory_sizes=[RAM_SIZE])
    contract.make()
    outcome = contract.run(contract.command())
    outcome.line("^s2: no 0x40000000 bytes of RAM are free; lower mem_size$")
    assert outcome.status == STATUS_REFUSED
    assert not (tmp_path / "results").exists()


def test_the_loader_may_place_the_primary(tmp_path: Path) -> None:
    contract = Contract(tmp_path)
    contract.make()
    node = 'vm1 { debug_name = "first"; kernel_filename = "primary"; boot_address = <0x41003000>; };'
    contract.write_manifest(f'/dts-v1/; / {{ hypervisor {{ compatible = "hafnium,hafnium"; {node} }}; }};')
    outcome = contract.run(contract.command())
    outcome.line("^vm1 first: primary, 1 vCPU, enters at 0x41003000$")
    assert words((tmp_path / "results").read_bytes())[8] == 0x4100_3000


def test_more_cpus_than_the_hypervisor_has_stacks_for_are_left_alone(tmp_path: Path) -> None:
    contract = Contract(tmp_path)
    contract.make()
    command = contract.command()
    command[command.index("-smp") + 1] = "10"
    outcome = contract.run(command)
    outcome.line("^device tree: 10 CPUs, of which 8 are used$")
    outcome.line("^vm1 first: primary, 8 vCPU")
    assert outcome.status == 0
