"""Arithmetic of the dialect against Python's integers: the value that Python gives, or a trap just where none fits.

Each operation at each width runs on all pairs of edge values, in all four ways; at 8 bits on all pairs, natively. The
expected value comes from a few lines of plain Python below, which know nothing of the compiler.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import pytest

from compiler.check import check_source
from compiler.host.faults import TrapError
from compiler.host.native import Native
from compiler.language.types import I8, U8, IntType
from compiler.program.nodes import TrapKind
from tests.differential.scope import INTEGERS, common, widens
from tests.differential.ways import four_ways

Expected = int | TrapKind
Operation = Callable[[int, int, IntType], Expected]
"""Of two operands (the second is ignored by unary ones) and the type that decides; gives what the dialect must."""


def fit(value: int, kind: IntType) -> Expected:
    """The value, or the overflow trap."""
    return value if kind.lowest <= value <= kind.highest else TrapKind.OVERFLOW


def wrapped(value: int, kind: IntType) -> int:
    """The value modulo 2**width."""
    return (value - kind.lowest) % (1 << kind.bits) + kind.lowest


def pattern(value: int, kind: IntType) -> int:
    """The bits of the value as an unsigned number."""
    return value % (1 << kind.bits)


def divided(left: int, right: int, kind: IntType) -> Expected:
    return fit(left // right, kind) if right else TrapKind.DIVIDE


def remainder(left: int, right: int, _kind: IntType) -> Expected:
    return left % right if right else TrapKind.DIVIDE


def shifted_left(left: int, count: int, kind: IntType) -> Expected:
    return fit(left << count, kind) if 0 <= count < kind.bits else TrapKind.SHIFT


def shifted_right(left: int, count: int, kind: IntType) -> Expected:
    return left >> count if 0 <= count < kind.bits else TrapKind.SHIFT


def rotated(value: int, count: int, kind: IntType) -> int:
    bits = f"{pattern(value, kind):0{kind.bits}b}"
    count %= kind.bits
    return wrapped(int(bits[count:] + bits[:count], 2), kind)


BINARY: dict[str, Operation] = {
    "a + b": lambda a, b, kind: fit(a + b, kind),
    "a - b": lambda a, b, kind: fit(a - b, kind),
    "a * b": lambda a, b, kind: fit(a * b, kind),
    "a // b": divided,
    "a % b": remainder,
    "a & b": lambda a, b, kind: a & b,
    "a | b": lambda a, b, kind: a | b,
    "a ^ b": lambda a, b, kind: a ^ b,
    "min(a, b)": lambda a, b, kind: min(a, b),
    "max(a, b)": lambda a, b, kind: max(a, b),
    "wrapping_add(a, b)": lambda a, b, kind: wrapped(a + b, kind),
    "wrapping_sub(a, b)": lambda a, b, kind: wrapped(a - b, kind),
    "wrapping_mul(a, b)": lambda a, b, kind: wrapped(a * b, kind),
    "saturating_add(a, b)": lambda a, b, kind: min(max(a + b, kind.lowest), kind.highest),
    "saturating_sub(a, b)": lambda a, b, kind: min(max(a - b, kind.lowest), kind.highest),
    "multiply_high(a, b)": lambda a, b, kind: (a * b) >> kind.bits,
}
SHIFTS: dict[str, Operation] = {
    "a << b": shifted_left,
    "a >> b": shifted_right,
    "wrapping_shl(a, b)": lambda a, b, kind: wrapped(a << b, kind) if b < kind.bits else TrapKind.SHIFT,
    "rotate_left(a, b)": rotated,
    "rotate_right(a, b)": lambda a, b, kind: rotated(a, -b, kind),
}
UNARY: dict[str, Operation] = {
    "-a": lambda a, _, kind: fit(-a, kind),
    "~a": lambda a, _, kind: wrapped(-1 - a, kind),
    "abs(a)": lambda a, _, kind: fit(abs(a), kind),
    "wrapping_neg(a)": lambda a, _, kind: wrapped(-a, kind),
    "leading_zeros(a)": lambda a, _, kind: kind.bits - pattern(a, kind).bit_length(),
    "trailing_zeros(a)": lambda a, _, kind: f"1{pattern(a, kind):0{kind.bits}b}"[::-1].index("1"),
    "count_ones(a)": lambda a, _, kind: bin(pattern(a, kind)).count("1"),
    "byte_swap(a)": lambda a, _, kind: wrapped(
        int.from_bytes(pattern(a, kind).to_bytes(kind.size, "little"), "big"), kind
    ),
    "reverse_bits(a)": lambda a, _, kind: wrapped(int(f"{pattern(a, kind):0{kind.bits}b}"[::-1], 2), kind),
}


def converted(value: int, _other: int, kind: IntType) -> Expected:
    return value if kind.lowest <= value <= kind.highest else TrapKind.CONVERSION


def truncated(value: int, _other: int, kind: IntType) -> Expected:
    return wrapped(value, kind)


def difference(left: int, right: int, kind: IntType) -> Expected:
    return fit(left - right, kind)


def is_less(left: int, right: int, _kind: IntType) -> Expected:
    return int(left < right)


def unchanged(value: int, _other: int, _kind: IntType) -> Expected:
    return value


@dataclass(frozen=True)
class Case:
    """One operation: a function of the program, its parameters, and what it must give."""

    name: str
    source: str
    parameters: tuple[IntType, ...]
    operation: Operation
    kind: IntType

    def expected(self, row: Sequence[int]) -> Expected:
        """What the call with these arguments must give."""
        return self.operation(row[0], row[-1], self.kind)


def edges(kind: IntType) -> list[int]:
    """Values around which arithmetic goes wrong."""
    found = {0, 1, 2, 3, 7, kind.bits - 1, kind.bits, kind.highest, kind.highest - 1, kind.highest // 2}
    found |= {kind.lowest, kind.lowest + 1, kind.lowest // 2, -1, -2, -7, 1 << (kind.bits // 2), 0x55}
    return sorted(value for value in found if kind.lowest <= value <= kind.highest)


def operations(kind: IntType) -> list[Case]:
    """Every operation on one width."""
    cases: list[Case] = []

    def add(text: str, parameters: tuple[IntType, ...], operation: Operation, of: IntType, result: IntType) -> None:
        name = f"f{len(cases)}_{kind.name}"
        declared = ", ".join(f"{letter}: {parameter.name}" for letter, parameter in zip("ab", parameters, strict=False))
        source = f"def {name}({declared}) -> {result.name}:\n    return {text}\n"
        cases.append(Case(name, source, parameters, operation, of))

    for text, operation in BINARY.items():
        add(text, (kind, kind), operation, kind, kind)
    for text, operation in SHIFTS.items():
        add(text, (kind, U8), operation, kind, kind)
    for text, operation in UNARY.items():
        if text != "abs(a)" or kind.signed:
            add(text, (kind,), operation, kind, kind)
    for other in INTEGERS:
        add(f"truncate({other.name}, a)", (kind,), truncated, other, other)
        add(f"{other.name}(a)", (kind,), converted, other, other)
        both = common(kind, other)
        if both is not None and other != kind:
            add("a - b", (kind, other), difference, both, both)
            add("u8(a < b)", (kind, other), is_less, both, U8)
        if widens(kind, other):
            add("a", (kind,), unchanged, other, other)
    return cases


@cache
def source_of(kind: IntType) -> tuple[str, tuple[Case, ...]]:
    """A program with every operation on one width."""
    cases = operations(kind)
    text = "from compiler.language import *\n\n\n" + "\n\n".join(case.source for case in cases)
    return text, tuple(cases)


@pytest.mark.parametrize("kind", INTEGERS, ids=[kind.name for kind in INTEGERS])
def test_edges_in_four_ways(kind: IntType, record_property: Callable[[str, object], None]) -> None:
    source, cases = source_of(kind)
    ways = four_ways(check_source(source, [case.name for case in cases]))
    count = 0
    wrong: list[str] = []
    for case in cases:
        for row in product(*map(edges, case.parameters)):
            wanted = case.expected(row)
            count += 1
            for name, session in ways.items():
                try:
                    got: Expected = session.call(case.name, *row)
                except TrapError as error:
                    got = error.kind
                if got != wanted:
                    wrong.append(f"{name}: {case.source}  with {row} gave {got}, Python says {wanted}")
    record_property("arithmetic cases", count)
    for session in ways.values():
        session.close()
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong[:5])


@pytest.mark.parametrize("kind", [U8, I8], ids=["u8", "i8"])
def test_all_pairs_of_bytes(kind: IntType) -> None:
    source, cases = source_of(kind)
    binary = [case for case in cases if case.parameters == (kind, kind)]
    values = range(kind.lowest, kind.highest + 1)
    pairs = [(a, b) for a in values for b in values]
    words = array("Q", [number % (1 << 64) for pair in pairs for number in pair])
    with Native(check_source(source, [case.name for case in cases])) as session:
        for case in binary:
            calls = session.call_words(case.name, words, len(pairs))
            for index, pair in enumerate(pairs):
                trap = calls.trap(index)
                got = trap.kind if trap is not None else wrapped(calls.results[index], kind)
                assert got == case.expected(pair), f"{case.source} with {pair}"
