"""Zeroing, copying and cleaning in Unicorn, at sizes and places around every edge, against what they have to do.

Unicorn does not do DC ZVA and DC CIVAC: they are events, which stand for their lines here.
"""

from __future__ import annotations

import random
import re

import pytest

from compiler.check import check_program
from compiler.host import Interpreter
from runtime import bulk
from tests.emulated.blocks import Machine, run_block
from tests.emulated.bound import bound_block

PROGRAM = check_program([bulk.zero, bulk.copy_bytes, bulk.clean], name="bulk")
ZERO, COPY, CLEAN = (bound_block(PROGRAM, block) for block in (bulk.zero, bulk.copy_bytes, bulk.clean))
BASE, SOURCE, SIZE = 0x10_0000, 0x20_0000, 0x2000
PROHIBITED = 1 << 4
EDGES = [0, 1, 15, 16, 17, 48, 63, 64, 65, 127, 128, 255, 256, 257, 320, 511, 1024, 1040]


def lines(machine: Machine, operation: str) -> list[int]:
    """The addresses that a cache instruction was given."""
    found = [re.fullmatch(rf"dc {operation} (0x[0-9a-f]+)", event) for event in machine.events]
    return [int(match[1], 16) for match in found if match is not None]


def zeroed(offset: int, size: int, block_size: int, dczid: int) -> bytes:
    """The memory after `zero`, which was full of ones."""
    registers = {"x0": BASE + offset, "x1": size}
    after = run_block(ZERO, Machine(registers, {BASE: b"\xff" * SIZE}, {"DCZID_EL0": dczid}))
    memory = bytearray(after.memory[BASE])
    for address in lines(after, "zva"):
        assert address % block_size == 0
        memory[address - BASE : address - BASE + block_size] = bytes(block_size)
    return bytes(memory)


@pytest.mark.parametrize("block_size", [16, 64, 512, 2048])
@pytest.mark.parametrize("offset", [0, 16, 48, 64, 0x3F0])
def test_zero_clears_what_it_has_to_and_nothing_else(block_size: int, offset: int) -> None:
    sizes = sorted({size & ~15 for size in EDGES} | {block_size * count for count in (1, 2, 3) if block_size < 1024})
    for size in sizes:
        expected = b"\xff" * offset + bytes(size) + b"\xff" * (SIZE - offset - size)
        dczid = (block_size // 4).bit_length() - 1
        assert zeroed(offset, size, block_size, dczid) == expected
        assert zeroed(offset, size, block_size, dczid | PROHIBITED) == expected


@pytest.mark.parametrize("seed", range(4))
def test_copy_moves_every_byte_wherever_it_lies(seed: int) -> None:
    generator = random.Random(seed)
    source = generator.randbytes(SIZE)
    for size in EDGES:
        target_offset, source_offset = generator.randrange(256), generator.randrange(256)
        registers = {"x0": BASE + target_offset, "x1": SOURCE + source_offset, "x2": size}
        after = run_block(COPY, Machine(registers, {BASE: b"\xff" * SIZE, SOURCE: source}))
        copied = source[source_offset : source_offset + size]
        rest = SIZE - target_offset - size
        assert after.memory[BASE] == b"\xff" * target_offset + copied + b"\xff" * rest
        assert after.memory[SOURCE] == source


@pytest.mark.parametrize("line_size", [16, 64, 128])
def test_clean_reaches_every_line_once(line_size: int) -> None:
    ctr = ((line_size // 4).bit_length() - 1) << bulk.LINE_LSB
    for offset in (0, 4, line_size - 1, line_size):
        for size in EDGES:
            after = run_block(CLEAN, Machine({"x0": BASE + offset, "x1": size}, {}, {"CTR_EL0": ctr}))
            first = (BASE + offset) & -line_size
            expected = list(range(first, BASE + offset + size, line_size)) if size > 0 else lines(after, "civac")
            assert lines(after, "civac") == expected


@pytest.mark.parametrize("size", [0, 16, 48, 1040])
def test_the_twins_do_the_same(size: int) -> None:
    with Interpreter(PROGRAM) as session:
        session.memory.map(BASE, SIZE)
        session.memory.map(SOURCE, SIZE)
        source = random.Random(size).randbytes(SIZE)
        session.memory.write(SOURCE, source)
        session.call(bulk.copy_bytes, BASE + 3, SOURCE + 5, size)
        assert session.memory.read(BASE, SIZE) == bytes(3) + source[5 : 5 + size] + bytes(SIZE - 3 - size)
        session.memory.write(BASE, source)
        session.call(bulk.zero, BASE + 16, size)
        assert session.memory.read(BASE, SIZE) == source[:16] + bytes(size) + source[16 + size :]


@pytest.mark.parametrize("page_count", [1, 3])
def test_pages_are_zeroed_by_stores_where_blocks_are_prohibited(page_count: int) -> None:
    size = page_count * 0x1000
    machine = Machine({"x0": BASE, "x1": size}, {BASE - 16: b"\xa5" * (size + 32)}, {"DCZID_EL0": PROHIBITED | 4})
    after = run_block(ZERO, machine)
    assert after.ending == "ret"
    assert after.memory[BASE - 16] == b"\xa5" * 16 + bytes(size) + b"\xa5" * 16
    assert after.events == []


@pytest.mark.parametrize("words_log2", range(10))
def test_pages_are_zeroed_by_blocks_that_follow_each_other_to_the_end(words_log2: int) -> None:
    machine = Machine({"x0": BASE, "x1": SIZE}, {BASE: bytes(16)}, {"DCZID_EL0": words_log2})
    after = run_block(ZERO, machine)
    assert after.ending == "ret"
    step = 4 << words_log2
    assert lines(after, "zva") == list(range(BASE, BASE + SIZE, step))
