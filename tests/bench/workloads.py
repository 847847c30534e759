"""What each kernel is given to do when the code of the two compilers is compared: calls with their buffers.

A workload is a list of calls made in order on the same buffers; results and final buffer contents of the dialect's
code and of the C code must be equal before their instruction counts are compared.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Buffer:
    """Memory that a call may read and write."""

    name: str
    data: bytes


Argument = int | Buffer


@dataclass(frozen=True)
class CallStep:
    """One call: exported symbol and AAPCS64 arguments (a slice is a Buffer and its element count)."""

    symbol: str
    arguments: tuple[Argument, ...]
    returns: bool = True


@dataclass(frozen=True)
class Workload:
    """A kernel (file name without suffix) and its calls."""

    kernel: str
    title: str
    steps: list[CallStep]


def _crc32(generator: random.Random) -> list[CallStep]:
    return [CallStep("crc32", (Buffer("data", generator.randbytes(1500)), 1500))]


def _sha256(generator: random.Random) -> list[CallStep]:
    state = Buffer("state", struct.pack("<8I", *(generator.getrandbits(32) for _ in range(8))))
    blocks = [Buffer(f"block{i}", generator.randbytes(64)) for i in range(4)]
    return [CallStep("sha256_block", (state, block, 64), returns=False) for block in blocks]


def _bitmap(generator: random.Random) -> list[CallStep]:
    full = Buffer("full", b"\xff" * 8 * 200 + b"\xff\xff\x7f" + b"\xff" * 5)
    ragged = Buffer("ragged", bytes(byte | 0x11 for byte in generator.randbytes(512)) + b"\0" * 8)
    return [CallStep("find_free", (full, 201)), CallStep("find_free_run", (ragged, 65, 40))]


def _ring(generator: random.Random) -> list[CallStep]:
    ring = Buffer("ring", struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0) + bytes(256))
    source, target = Buffer("source", generator.randbytes(200)), Buffer("target", bytes(300))
    return [CallStep("ring_write", (ring, source, 200)), CallStep("ring_read", (ring, target, 300))] * 3


def _sort(generator: random.Random) -> list[CallStep]:
    values = Buffer("values", struct.pack("<300I", *(generator.getrandbits(32) for _ in range(300))))
    return [CallStep("heap_sort", (values, 300), returns=False)]


def _page_table(_generator: random.Random) -> list[CallStep]:
    pool = Buffer("pool", bytes(16 * 4096) + struct.pack("<Q", 1))
    return [
        CallStep("map_pages", (pool, 0x40_0000_0000 - 0x80000, 0x8000_0000, 200)),
        CallStep("walk_pages", (pool, 0x40_0000_0000 - 0x80000, 200)),
        CallStep("walk", (pool, 0x1234_5000)),
    ]


def _memory_copy(generator: random.Random) -> list[CallStep]:
    source, target = Buffer("source", generator.randbytes(1003)), Buffer("target", bytes(1003))
    return [
        CallStep("copy_bytes", (target, source, 1003), returns=False),
        CallStep("compare_bytes", (target, source, 1003)),
    ]


def _call_decoder(generator: random.Random) -> list[CallStep]:
    functions = [
        0x84000063,
        0x84000064,
        0x84000069,
        0x8400006B,
        0x8400006D,
        0x8400006F,
        0xC400006F,
        0xC4000070,
        0x84000099,
    ]
    calls = bytearray()
    for _ in range(60):
        ids = generator.choice([0x0001_8002, 0x8002_0001, 0x8001_8001])
        rest = [generator.getrandbits(64) for _ in range(5)]
        calls += struct.pack("<8Q", generator.choice(functions), ids, generator.choice([0, 0, 0, 1]), *rest)
    return [CallStep("decode_calls", (Buffer("calls", bytes(calls)), 60))]


def _number_format(generator: random.Random) -> list[CallStep]:
    values = struct.pack("<20Q", *(generator.getrandbits(generator.randrange(1, 65)) for _ in range(20)))
    return [CallStep("format_all", (Buffer("text", bytes(1024)), 1024, Buffer("values", values), 20))]


def _binary_search(generator: random.Random) -> list[CallStep]:
    values = sorted(generator.getrandbits(32) for _ in range(500))
    table = Buffer("table", struct.pack("<500Q", *values))
    edges = sorted(generator.sample(range(1, 10_000), 64))
    regions = Buffer("regions", struct.pack("<64Q", *edges))
    steps = [CallStep("lower_bound", (table, 500, generator.getrandbits(32))) for _ in range(20)]
    return steps + [CallStep("find_region", (regions, 32, generator.randrange(10_000))) for _ in range(20)]


_BUILDERS: dict[str, tuple[str, Callable[[random.Random], list[CallStep]]]] = {
    "crc32": ("CRC-32 of 1,500 bytes", _crc32),
    "sha256": ("SHA-256 of 4 blocks", _sha256),
    "bitmap": ("bitmap search", _bitmap),
    "ring": ("ring buffer", _ring),
    "sort": ("heap sort of 300", _sort),
    "page_table": ("page-table map and walk", _page_table),
    "memory_copy": ("memory copy and compare", _memory_copy),
    "call_decoder": ("call decoder", _call_decoder),
    "number_format": ("number format", _number_format),
    "binary_search": ("binary search", _binary_search),
}


def workloads() -> list[Workload]:
    """Every kernel's workload, the same at each call."""
    result: list[Workload] = []
    for kernel, (title, build) in _BUILDERS.items():
        result.append(Workload(kernel, title, build(random.Random(kernel))))
    return result
