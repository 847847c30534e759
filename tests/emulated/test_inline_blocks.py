"""Inline assembly blocks in compiled programs: the same results as their twins, and no call left."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.check import check_source
from compiler.host import Interpreter
from compiler.inspect.disassembly import disassemble
from compiler.inspect.executable import read_executable
from compiler.lower import Optimisation, TargetOptions
from tests.emulated.session import Emulated

SOURCE = '''
from compiler.language import *


@assembly_block("""
    inline
    in x0 = value, x1 = other
    out x0
    clobber nzcv
    begin
        adds    x0, x0, x1
""")
def add_wrapping(value: u64, other: u64) -> u64:
    return wrapping_add(value, other)


@assembly_block("""
    inline
    in x0 = first, x1 = second
    out x0, x1
    begin
        mov     x1, x0
""")
def spread(first: u64, second: u64) -> tuple[u64, u64]:
    return first, first


def weigh(first: u64, second: u64) -> u64:
    total = first
    for index in range(3):
        total = add_wrapping(total, second) ^ index
        low, high = spread(total, second)
        total = add_wrapping(low, high) ^ second
    return total


def forward(first: u64, second: u64) -> u64:
    return add_wrapping(first, second)
'''
ENTRIES = ("weigh", "forward")
WORDS = st.integers(0, (1 << 64) - 1)


@pytest.mark.parametrize("level", Optimisation)
def test_blocks_give_what_their_twins_give(level: Optimisation) -> None:
    program = check_source(SOURCE, ENTRIES)
    emulated, host = Emulated(program, TargetOptions(optimisation=level)), Interpreter(program)

    @settings(max_examples=100, deadline=None)
    @given(WORDS, WORDS)
    def agree(first: int, second: int) -> None:
        for name in ENTRIES:
            assert emulated.call(name, first, second) == host.call(name, first, second)

    agree()


@pytest.mark.parametrize("level", Optimisation)
def test_no_call_is_left(level: Optimisation) -> None:
    emulated = Emulated(check_source(SOURCE, ENTRIES), TargetOptions(optimisation=level))
    functions = {function.name: function for function in read_executable(emulated.image.elf).functions}
    weigh = functions["program.weigh"]
    mnemonics = [instruction.mnemonic for instruction in disassemble(weigh.code, weigh.address)]
    assert "bl" not in mnemonics
    assert mnemonics.count("adds") >= 2
    assert "program.spread" not in functions
