"""Linux as the primary VM, with partitions at EL1 and EL0 beside it: what the hypervisor is given as its ramdisk."""

import subprocess
from pathlib import Path

from compiler.driver.paths import ROOT
from tests.boot.linux.archive import OLD_BINARY, archive
from tests.boot.machine import guest
from tests.tools import debian_tool

MANIFEST = Path(__file__).parent / "manifest.dts"
PARTITION_MANIFESTS = ROOT / "hypervisor" / "guests" / "manifests"
PARTITIONS = ("echo_el1", "echo_el0", "messenger_el1")
"""Those of `manifest.dts`, in its order; `ffa_module/ffa_check.c` has their UUIDs."""


def hypervisor_ramdisk(kernel: bytes, ramdisk: bytes) -> bytes:
    """The archive that the hypervisor starts Linux from."""
    files = {"manifest.dtb": _tree(MANIFEST), "vmlinuz": kernel, "initrd.img": ramdisk}
    for name in PARTITIONS:
        files[f"{name}.bin"] = guest(name).with_suffix(".bin").read_bytes()
        files[f"{name}.dtb"] = _tree(PARTITION_MANIFESTS / f"{name}.dts")
    return archive(files, OLD_BINARY)


def _tree(source: Path) -> bytes:
    """The device tree of a source."""
    return subprocess.run([debian_tool("dtc"), "-O", "dtb", source], capture_output=True, check=True).stdout
