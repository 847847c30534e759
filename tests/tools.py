"""Debian tools that tests compare with: found on the path, or a failure that says how to install them."""

import shutil

import pytest

PACKAGES = {
    "aarch64-linux-gnu-as": "binutils-aarch64-linux-gnu",
    "aarch64-linux-gnu-objcopy": "binutils-aarch64-linux-gnu",
    "aarch64-linux-gnu-objdump": "binutils-aarch64-linux-gnu",
    "aarch64-linux-gnu-readelf": "binutils-aarch64-linux-gnu",
    "aarch64-linux-gnu-size": "binutils-aarch64-linux-gnu",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "clang": "clang",
    "cpio": "cpio",
    "dtc": "device-tree-compiler",
    "gdb-multiarch": "gdb-multiarch",
    "ld.lld": "lld",
    "llvm-mca": "llvm",
    "qemu-system-aarch64": "qemu-system-arm",
    "xz": "xz-utils",
}


def debian_tool(name: str) -> str:
    """The path of a tool, or a failed test that names the package to install."""
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"{name} is not installed; run: sudo apt-get install {PACKAGES.get(name, name)}")
    return path
