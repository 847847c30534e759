"""The simulated 64-bit address space: mapped regions of bytes, and devices that answer accesses.

Everything is little-endian. Regions never overlap. An access must lie within one region, or it is a HostFault.
`loader` and `storer` make the accessors that emitted code calls: one Python function for each width, sign and
alignment, since this is where host execution spends its time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from mmap import mmap
from struct import Struct
from struct import error as struct_error
from typing import NoReturn, Protocol

from compiler.host.faults import HostError, HostFault


class Device(Protocol):
    """A model of a device: `offset` counts from its base, `width` is 1, 2, 4 or 8 bytes."""

    def read(self, offset: int, width: int) -> int:
        """The value that a load gives."""
        ...

    def write(self, offset: int, width: int, value: int) -> None:
        """Take a store."""
        ...


@dataclass(eq=False)
class Region:
    """`size` bytes from `base`: memory when `data` is set (read-only memory when it is `bytes`), else a device."""

    base: int
    size: int
    data: mmap | bytes | None
    device: Device | None = None

    @property
    def end(self) -> int:
        """First address after the region."""
        return self.base + self.size


class AddressSpace(Protocol):
    """What every engine's memory offers."""

    def map(self, address: int, size: int, data: bytes = b"") -> object:
        """Map `size` bytes of zero-filled memory at `address`, beginning with `data`."""
        ...

    def device(self, base: int, size: int, model: Device) -> object:
        """Let `model` answer accesses to `size` bytes at `base`."""
        ...

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes of memory."""
        ...

    def write(self, address: int, data: bytes) -> None:
        """Replace len(data) bytes of memory."""
        ...


Loader = Callable[[int], int]
Storer = Callable[[int, int], None]

_FORMATS = {(1, False): "<B", (2, False): "<H", (4, False): "<I", (8, False): "<Q"} | {
    (1, True): "<b",
    (2, True): "<h",
    (4, True): "<i",
    (8, True): "<q",
}

_OUTSIDE = (struct_error, OverflowError)
_NOT_WRITABLE = (*_OUTSIDE, TypeError)


class Memory:
    """Regions by address."""

    def __init__(self) -> None:
        nothing = Region(0, 0, None)
        self._regions = [nothing]
        self._bases = [nothing.base]

    def map(self, address: int, size: int, data: bytes = b"") -> Region:
        """Map `size` bytes of zero-filled memory at `address`, beginning with `data`."""
        if len(data) > size:
            raise HostError(f"{len(data)} bytes of contents do not fit in a region of {size}")
        region = self._add(Region(address, size, None))
        contents = mmap(-1, size)  # zero-filled, and only the pages that are touched take memory
        contents[: len(data)] = data
        region.data = contents
        return region

    def map_constant(self, address: int, data: bytes) -> Region:
        """Map `data` at `address` as memory that cannot be written."""
        return self._add(Region(address, len(data), data))

    def device(self, base: int, size: int, model: Device) -> Region:
        """Let `model` answer accesses to `size` bytes at `base`."""
        return self._add(Region(base, size, None, model))

    def _add(self, region: Region) -> Region:
        if region.size <= 0 or region.base < 0 or region.end > 1 << 64:
            raise HostError(f"a region of {region.size} bytes at {region.base:#x} is not within 64 bits")
        index = bisect_right(self._bases, region.base)
        neighbours = self._regions[index - 1 : index + 1]
        for other in neighbours:
            if other.size and other.base < region.end and region.base < other.end:
                raise HostError(
                    f"region {region.base:#x}..{region.end:#x} overlaps the one at {other.base:#x}..{other.end:#x}"
                )
        self._regions.insert(index, region)
        self._bases.insert(index, region.base)
        return region

    def find(self, address: int, size: int) -> Region:
        """The region that holds `size` bytes at `address`, or HostFault."""
        region = self._regions[bisect_right(self._bases, address) - 1]
        if not region.base <= address or address + size > region.end:
            raise HostFault(address, f"access of {size} bytes to unmapped memory")
        return region

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes of memory; none at all touches nothing."""
        if size == 0:
            return b""
        region = self.find(address, size)
        if region.data is None:
            raise HostFault(address, f"{size} bytes read from a device as if it were memory")
        offset = address - region.base
        return bytes(region.data[offset : offset + size])

    def write(self, address: int, data: bytes) -> None:
        """Replace len(data) bytes of memory."""
        if not data:
            return
        region = self.find(address, len(data))
        if region.data is None:
            raise HostFault(address, f"{len(data)} bytes written to a device as if it were memory")
        if isinstance(region.data, bytes):
            raise HostFault(address, f"{len(data)} bytes written to read-only memory")
        offset = address - region.base
        region.data[offset : offset + len(data)] = data

    def copy(self, destination: int, source: int, size: int) -> None:
        """Copy `size` bytes; right for overlapping ranges too."""
        self.write(destination, self.read(source, size))

    def fill(self, destination: int, byte: int, size: int) -> None:
        """Set `size` bytes to `byte`."""
        if size:
            self.find(destination, size)
            self.write(destination, bytes((byte,)) * size)

    def load(self, address: int, width: int, signed: bool = False) -> int:
        """A scalar of `width` bytes, from memory or a device."""
        region = self.find(address, width)
        offset = address - region.base
        if region.device is None:
            return int.from_bytes(self.read(address, width), "little", signed=signed)
        value = region.device.read(offset, width) & ((1 << 8 * width) - 1)
        return value - (1 << 8 * width) if signed and value >> (8 * width - 1) else value

    def store(self, address: int, width: int, value: int) -> None:
        """Store the low `width` bytes of `value` to memory or a device."""
        region = self.find(address, width)
        pattern = value & ((1 << 8 * width) - 1)
        if region.device is None:
            self.write(address, pattern.to_bytes(width, "little"))
        else:
            region.device.write(address - region.base, width, pattern)

    def loader(self, width: int, signed: bool, aligned: bool) -> Loader:
        """A function of an address that loads; `aligned`: an address that is no multiple of `width` faults."""
        unpack_from = Struct(_FORMATS[width, signed]).unpack_from
        regions, bases, slow = self._regions, self._bases, self.load
        mask = width - 1 if aligned else 0

        def load(address: int) -> int:
            if address & mask:
                _misaligned(address, width)
            region = regions[bisect_right(bases, address) - 1]
            data = region.data
            if data is not None:
                try:
                    value: int = unpack_from(data, address - region.base)[0]
                    return value
                except _OUTSIDE:
                    pass
            return slow(address, width, signed)

        return load

    def storer(self, width: int, signed: bool, aligned: bool) -> Storer:
        """A function of an address and a value in range that stores; `aligned` as for `loader`."""
        pack_into = Struct(_FORMATS[width, signed]).pack_into
        regions, bases, slow = self._regions, self._bases, self.store
        mask = width - 1 if aligned else 0

        def store(address: int, value: int) -> None:
            if address & mask:
                _misaligned(address, width)
            region = regions[bisect_right(bases, address) - 1]
            data = region.data
            if data is not None:
                try:
                    pack_into(data, address - region.base, value)
                    return
                except _NOT_WRITABLE:
                    pass
            slow(address, width, value)

        return store


def _misaligned(address: int, width: int) -> NoReturn:
    raise HostFault(address, f"misaligned access of {width} bytes")
