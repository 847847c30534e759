"""CRC-32 (IEEE 802.3, reflected) over a byte buffer, with a table made at build time."""

from __future__ import annotations

from compiler.language import Array, Slice, constant, export, u8, u32


def _table_entry(index: int) -> int:
    for _ in range(8):
        index = (index >> 1) ^ (0xEDB88320 if index & 1 else 0)
    return index


TABLE: Array[u32] = constant([_table_entry(index) for index in range(256)])


@export("crc32")
def crc32(data: Slice[u8]) -> u32:
    """CRC-32 of `data`."""
    crc: u32 = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return ~crc
