"""Memory of native runs: this process's own, with simulated regions mapped at the addresses that the caller names.

Only known ranges (mapped regions, static objects, the heap of host-made objects) are read and written from here. A
wild pointer in the program itself is not caught: it ends the process, as it would any native code.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from bisect import bisect_right
from dataclasses import dataclass

from compiler.host.faults import HostError, HostFault
from compiler.host.memory import Device, Memory, Region

_MAP_FIXED_NOREPLACE = 0x100000
_PAGE_MASK = mmap.PAGESIZE - 1
_FAILED = ctypes.c_void_p(-1).value


@dataclass(frozen=True)
class _Range:
    base: int
    size: int


class NativeMemory:
    """Ranges of this process, and devices."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._mmap = library.mmap
        self._mmap.restype = ctypes.c_void_p
        self._mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        self._munmap = library.munmap
        self._munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        self._ranges: list[_Range] = []
        self._bases: list[int] = []
        self._mapped: list[_Range] = []
        self._devices = Memory()

    def map(self, address: int, size: int, data: bytes = b"") -> None:
        """Map `size` bytes of zero-filled memory at `address`, beginning with `data`; HostError where this process
        cannot have memory (the lowest 64 KiB, addresses from 2**47, what it uses itself)."""
        base = address & ~_PAGE_MASK
        length = (address + size - base + _PAGE_MASK) & ~_PAGE_MASK
        self._map_pages(base, length, fixed=True)
        self.know(address, size)
        self.write(address, data)

    def reserve(self, size: int) -> int:
        """Map `size` bytes anywhere and give their address."""
        base = self._map_pages(0, size, fixed=False)
        self.know(base, size)
        return base

    def _map_pages(self, base: int, length: int, *, fixed: bool) -> int:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | (_MAP_FIXED_NOREPLACE if fixed else 0)
        place = base if 0 <= base < 1 << 64 else 0
        got = self._mmap(place or None, length, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
        if got is None or got == _FAILED or (fixed and got != base):
            reason = os.strerror(ctypes.get_errno())
            raise HostError(f"{length} bytes at {base:#x} cannot be mapped in this process: {reason}")
        self._mapped.append(_Range(got, length))
        return int(got)

    def know(self, base: int, size: int) -> None:
        """Let `size` bytes at `base`, which are there already, be read and written."""
        index = bisect_right(self._bases, base)
        self._bases.insert(index, base)
        self._ranges.insert(index, _Range(base, size))

    def device(self, base: int, size: int, model: Device) -> Region:
        """Let `model` answer device accesses to `size` bytes at `base`."""
        return self._devices.device(base, size, model)

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes of memory."""
        if size == 0:
            return b""
        self._check(address, size)
        return ctypes.string_at(address, size)

    def write(self, address: int, data: bytes) -> None:
        """Replace len(data) bytes of memory."""
        if data:
            self._check(address, len(data))
            ctypes.memmove(address, data, len(data))

    def _check(self, address: int, size: int) -> None:
        index = bisect_right(self._bases, address) - 1
        if index < 0 or address + size > self._ranges[index].base + self._ranges[index].size:
            raise HostFault(address, f"access of {size} bytes to unmapped memory")

    def load(self, address: int, width: int) -> int:
        """A device load: by a model, or of memory."""
        if self._is_memory(address):
            return int.from_bytes(self.read(address, width), "little")
        return self._devices.load(address, width)

    def store(self, address: int, value: int, width: int) -> None:
        """A device store."""
        if self._is_memory(address):
            self.write(address, (value & ((1 << 8 * width) - 1)).to_bytes(width, "little"))
        else:
            self._devices.store(address, width, value)

    def _is_memory(self, address: int) -> bool:
        index = bisect_right(self._bases, address) - 1
        return index >= 0 and address < self._ranges[index].base + self._ranges[index].size

    def close(self) -> None:
        """Give all mapped memory back."""
        for area in self._mapped:
            self._munmap(area.base, area.size)
        self._mapped.clear()
        self._ranges.clear()
        self._bases.clear()
