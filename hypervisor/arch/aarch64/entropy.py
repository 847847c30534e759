"""Unpredictable numbers for keys and guard values.

From the CPU's generator (FEAT_RNG) where it has one. Otherwise from the counter, stirred: no two starts give the same
numbers, but somebody who knows the time of the start to the tick could compute them.
"""

from __future__ import annotations

from compiler.language import Atomic, Ordering, assembly_block, static, struct, u64, wrapping_add, wrapping_mul
from hypervisor.arch.aarch64 import features
from hypervisor.arch.aarch64.registers import CNTPCT_EL0, RNDR

STEP = 0x9E37_79B9_7F4A_7C15
FIRST_FACTOR = 0xBF58_476D_1CE4_E5B9
SECOND_FACTOR = 0x94D0_49BB_1331_11EB
"""Constants of SplitMix64 (Steele, Lea, Flood, 2014)."""


@struct
class Sequence:
    """How many numbers were asked for."""

    position: Atomic[u64] = Atomic(0)


SEQUENCE: Sequence = static(Sequence())


@assembly_block(
    """
    inline
    out x0
    clobber nzcv
    begin
        mrs     x0, RNDR
    """
)
def read_generator() -> u64:
    """A number of the CPU's generator. A block, because the read changes the flags (DDI 0487, D23.2.148)."""
    return RNDR.read().raw


def random_number() -> u64:
    """64 bits."""
    position = SEQUENCE.position.fetch_add(STEP, Ordering.RELAXED)
    seed = read_generator() if features.has_random_numbers() else CNTPCT_EL0.read().raw
    return stir(wrapping_add(seed, position))


def stir(value: u64) -> u64:
    """Spread every bit over all others: the output function of SplitMix64."""
    value = wrapping_mul(value ^ value >> 30, FIRST_FACTOR)
    value = wrapping_mul(value ^ value >> 27, SECOND_FACTOR)
    return value ^ value >> 31
