"""Device trees for tests: made by dtc, and read by libfdt through a typed wrapper, as the independent opinion."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.tools import debian_tool

LIBFDT: Any = import_module("libfdt")


@functools.cache
def compiled(source: str, *options: str) -> bytes:
    """The tree that dtc makes of DTS text without its first line."""
    command = [debian_tool("dtc"), "-q", "-I", "dts", "-O", "dtb", *options]
    return subprocess.run(command, input=f"/dts-v1/;\n{source}".encode(), capture_output=True, check=True).stdout


@functools.cache
def qemu_tree(cpu_count: int = 4, machine: str = "virt,virtualization=on,gic-version=3") -> bytes:
    """The tree that QEMU gives an image, before it adds the ramdisk."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "machine.dtb"
        command = [debian_tool("qemu-system-aarch64"), "-machine", f"{machine},dumpdtb={file}", "-cpu", "max"]
        subprocess.run([*command, "-smp", str(cpu_count), "-m", "1024"], capture_output=True, check=True)
        return file.read_bytes()


@dataclass(frozen=True)
class Node:
    """A node with its properties and children in order."""

    name: str
    properties: tuple[tuple[str, bytes], ...]
    children: tuple[Node, ...]

    def child(self, name: str) -> Node:
        """The first child of that name."""
        return next(node for node in self.children if node.name == name)

    def __getitem__(self, name: str) -> bytes:
        return dict(self.properties)[name]


def tree_of(data: bytes) -> Node:
    """The tree as libfdt sees it."""
    fdt = LIBFDT.Fdt(data)
    return _node(fdt, 0)


def reservations_of(data: bytes) -> list[tuple[int, int]]:
    """The list of reservations as libfdt sees it."""
    fdt = LIBFDT.FdtRo(data)
    return [tuple(fdt.get_mem_rsv(index)[-2:]) for index in range(fdt.num_mem_rsv())]


def edited(data: bytes, slack: int, edit: Callable[[Any], None]) -> bytes:
    """The tree after `edit` did something to it with libfdt; `slack` bytes more than it needs."""
    fdt = LIBFDT.Fdt(data)
    fdt.resize(len(data) + 4096)
    edit(fdt)
    fdt.pack()
    fdt.resize(fdt.totalsize() + slack)
    return bytes(fdt.as_bytearray())


def _node(fdt: Any, offset: int) -> Node:
    absent = [LIBFDT.NOTFOUND]
    properties: list[tuple[str, bytes]] = []
    at = fdt.first_property_offset(offset, absent)
    while at >= 0:
        found = fdt.get_property_by_offset(at)
        properties.append((found.name, bytes(found)))
        at = fdt.next_property_offset(at, absent)
    children: list[Node] = []
    at = fdt.first_subnode(offset, absent)
    while at >= 0:
        children.append(_node(fdt, at))
        at = fdt.next_subnode(at, absent)
    return Node(fdt.get_name(offset), tuple(properties), tuple(children))
