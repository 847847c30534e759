"""Relocation by the compact table, against the linker's own encoding of random sets of pointers."""

from __future__ import annotations

import random

import pytest

from compiler.check import check_program
from compiler.host import Interpreter
from compiler.link import relr
from runtime import image

PROGRAM = check_program([image.relocate, image.zero_bss], name="image")
DATA, TABLE, SIZE = 0x40_0000, 0x50_0000, 0x8000
MASK = (1 << 64) - 1


@pytest.mark.parametrize("displacement", [0, 0x20_0000, 0xFFFF_FF80_0000_0000, -0x10_0000 & MASK])
@pytest.mark.parametrize("density", [0.01, 0.3, 0.95])
def test_every_listed_pointer_moves_and_nothing_else(displacement: int, density: float) -> None:
    chance = random.Random(density)
    addresses = [DATA + offset for offset in range(0, SIZE, 8) if chance.random() < density]
    listed = set(addresses)
    words = relr.encode(addresses)
    table = b"".join(word.to_bytes(8, "little") for word in words)
    symbols = {"__relr_start": TABLE, "__relr_end": TABLE + len(table), "__bss_start": 0, "__bss_end": 0}
    before = {DATA + offset: chance.getrandbits(64) for offset in range(0, SIZE, 8)}
    place = DATA + displacement & MASK
    with Interpreter(PROGRAM, symbols=symbols) as session:
        session.memory.map(TABLE, 0x1000 * (len(table) // 0x1000 + 1), table)
        session.memory.map(place, SIZE, b"".join(value.to_bytes(8, "little") for value in before.values()))
        session.call(image.relocate, displacement)
        after = session.read(place, SIZE)
    for address, value in before.items():
        expected = value + displacement & MASK if address in listed else value
        assert int.from_bytes(after[address - DATA : address - DATA + 8], "little") == expected


def test_zeroing_keeps_to_its_bounds() -> None:
    symbols = {"__relr_start": 0, "__relr_end": 0, "__bss_start": DATA + 0x10, "__bss_end": DATA + 0x40}
    with Interpreter(PROGRAM, symbols=symbols) as session:
        session.memory.map(DATA, 0x1000, b"\xff" * 0x1000)
        session.call(image.zero_bss)
        assert session.read(DATA, 0x50) == b"\xff" * 0x10 + bytes(0x30) + b"\xff" * 0x10
