"""Linux as the primary VM, with partitions at EL1 and EL0 beside it: what the hypervisor is given as its ramdisk."""

from pathlib import Path

from compiler.driver.device_trees import compile_tree
from compiler.driver.initrd import MANIFEST_NAME
from compiler.driver.paths import ROOT
from compiler.image.cpio import write_archive
from tests.boot.machine import guest

MANIFEST = Path(__file__).parent / "manifest.dts"
PARTITION_MANIFESTS = ROOT / "hypervisor" / "guests" / "manifests"
SERVICES = ("echo_el1", "echo_el0")
LOOPS = ("faulty_el1", "faulty_el0")
PARTITIONS = SERVICES + LOOPS
"""Those of `manifest.dts`, in its order; `ffa_module/ffa_check.c` has their UUIDs."""


def hypervisor_ramdisk(kernel: bytes, ramdisk: bytes) -> bytes:
    """The archive that the hypervisor starts Linux from."""
    files = [(MANIFEST_NAME, compile_tree(MANIFEST)), ("vmlinuz", kernel), ("initrd.img", ramdisk)]
    for name in PARTITIONS:
        files.append((f"{name}.bin", guest(name).with_suffix(".bin").read_bytes()))
        files.append((f"{name}.dtb", compile_tree(PARTITION_MANIFESTS / f"{name}.dts")))
    return write_archive(files)
