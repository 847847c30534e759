"""Zeroing of pages: the block clears the same bytes as its twin, with DC ZVA of any block size and without."""

from __future__ import annotations

import pytest

from compiler.asm import AssembledBlock
from compiler.check import check_program
from compiler.driver.stages import assembled_blocks
from hypervisor.arch.aarch64.zero import zero_pages
from tests.emulated.blocks import Machine, run_block

START = 0x8000_0000
PAGE = 0x1000
PROHIBITED = 1 << 4


@pytest.fixture(scope="module")
def block() -> AssembledBlock:
    return assembled_blocks(check_program([zero_pages], name="zero"))[0]


@pytest.mark.parametrize("page_count", [1, 3])
def test_stores_clear_all_and_nothing_else(block: AssembledBlock, page_count: int) -> None:
    size = page_count * PAGE
    machine = Machine({"x0": START, "x1": size}, {START - 16: b"\xa5" * (size + 32)}, {"DCZID_EL0": PROHIBITED | 4})
    after = run_block(block, machine)
    assert after.ending == "ret"
    assert after.memory[START - 16] == b"\xa5" * 16 + bytes(size) + b"\xa5" * 16
    assert after.events == []


@pytest.mark.parametrize("words_log2", range(10))
def test_blocks_of_dc_zva_follow_each_other_to_the_end(block: AssembledBlock, words_log2: int) -> None:
    size = 2 * PAGE
    machine = Machine({"x0": START, "x1": size}, {START: bytes(16)}, {"DCZID_EL0": words_log2})
    after = run_block(block, machine)
    assert after.ending == "ret"
    step = 4 << words_log2
    assert after.events == [f"dc zva {address:#x}" for address in range(START, START + size, step)]
