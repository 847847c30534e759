"""Integers: adaptation of build-time ints, widening, checks, the explicit forms, comparisons and conditions."""

from __future__ import annotations

import pytest

from compiler.program import nodes
from compiler.program.nodes import BinaryOp, Overflow, TrapKind
from compiler.program.program import Program
from compiler.program.walk import walk
from tests.compiler.check.accepted import Running, accept, find, run


def expression(parameters: str, result: str, text: str) -> str:
    """A program whose main returns an expression of its parameters."""
    return f"PAGE = 4096\ndef main({parameters}) -> {result}:\n    return {text}\n"


@pytest.mark.parametrize(
    ("parameters", "result", "text", "arguments", "expected"),
    [
        ("x: u64", "u64", "x & ~(PAGE - 1)", (0x12345,), 0x12000),
        ("x: u32", "u32", "x & ~(PAGE - 1)", (0xFFFFFFFF,), 0xFFFFF000),
        ("x: u8", "u64", "x + 1", (254,), 255),
        ("x: u8, y: u32", "u32", "x + y", (200, 1 << 31), (1 << 31) + 200),
        ("x: u8, y: i16", "i16", "x + y", (200, -300), -100),
        ("x: i64", "i64", "x // 3", (-7,), -3),
        ("x: i64", "i64", "x % 3", (-7,), 2),
        ("x: i64", "i64", "-x", (7,), -7),
        ("x: u16", "u16", "~x", (0x00FF,), 0xFF00),
        ("n: u64", "u32", "1 << n", (31,), 1 << 31),
        ("x: u64, n: u8", "u64", "x >> n", (256, 4), 16),
        ("x: u64", "u64", "x * 2 + 1 if x > 3 else 0", (5,), 11),
        ("x: u64", "bool", "1 < x <= 5 != 3", (4,), True),
        ("x: u64", "bool", "x > 1 and x < 4 or x == 9", (9,), True),
        ("x: u64", "bool", "not (x == 1)", (1,), False),
        ("x: u64", "bool", "x in (1, 2, PAGE)", (4096,), True),
        ("x: u64", "u8", "u8(x)", (255,), 255),
        ("x: bool", "u64", "u64(x) + 1", (True,), 2),
        ("x: u32", "i32", "truncate(i32, x)", (0xFFFFFFFF,), -1),
        ("x: i8", "u64", "truncate(u64, x)", (-1,), (1 << 64) - 1),
        ("x: u8", "u8", "wrapping_add(x, 10)", (250,), 4),
        ("x: u8", "u8", "wrapping_sub(x, 10)", (4,), 250),
        ("x: u8", "u8", "wrapping_mul(x, x)", (20,), 144),
        ("x: u8", "u8", "wrapping_neg(x)", (1,), 255),
        ("x: u8", "u8", "wrapping_shl(x, 7)", (3,), 128),
        ("x: u8", "u8", "saturating_add(x, 10)", (250,), 255),
        ("x: u8", "u8", "saturating_sub(x, 10)", (4,), 0),
        ("x: u8", "u8", "rotate_left(x, 1)", (0x81,), 3),
        ("x: u16", "u16", "byte_swap(x)", (0x1234,), 0x3412),
        ("x: u8", "u8", "reverse_bits(x)", (1,), 128),
        ("x: u32", "u32", "leading_zeros(x) + trailing_zeros(x) + count_ones(x)", (0x10,), 27 + 4 + 1),
        ("x: u64", "u64", "multiply_high(x, x)", (1 << 40,), 1 << 16),
        ("x: u8, y: u8", "u8", "min(x, y, 5) + max(x, 9)", (7, 200), 14),
        ("x: i8", "i8", "abs(x)", (-127,), 127),
        ("x: u64", "u64", "PAGE ** 2 + x", (1,), 4096 * 4096 + 1),
    ],
)
def test_values(
    parameters: str, result: str, text: str, arguments: tuple[int | bool, ...], expected: int | bool
) -> None:
    assert run(expression(parameters, result, text), *arguments) == expected


@pytest.mark.parametrize(
    ("parameters", "result", "text", "arguments", "kind"),
    [
        ("x: u8", "u8", "x + 1", (255,), TrapKind.OVERFLOW),
        ("x: u64", "u64", "x - 1", (0,), TrapKind.OVERFLOW),
        ("x: i8", "i8", "-x", (-128,), TrapKind.OVERFLOW),
        ("x: i8", "i8", "abs(x)", (-128,), TrapKind.OVERFLOW),
        ("x: i8, y: i8", "i8", "x // y", (-128, -1), TrapKind.OVERFLOW),
        ("x: u8", "u8", "x << 1", (128,), TrapKind.OVERFLOW),
        ("x: u8, n: u8", "u8", "x >> n", (1, 8), TrapKind.SHIFT),
        ("x: u8, n: u64", "u8", "wrapping_shl(x, n)", (1, 8), TrapKind.SHIFT),
        ("x: u8, y: u8", "u8", "x % y", (1, 0), TrapKind.DIVIDE),
        ("x: u64", "u8", "u8(x)", (256,), TrapKind.CONVERSION),
        ("x: i8", "u8", "u8(x)", (-1,), TrapKind.CONVERSION),
    ],
)
def test_traps(parameters: str, result: str, text: str, arguments: tuple[int, ...], kind: TrapKind) -> None:
    assert Running(expression(parameters, result, text)).trap(*arguments) == (kind, 3)


def test_checked_forms_give_none() -> None:
    program = Running(
        """
        def main(x: u8, y: u8) -> u64:
            total = checked_add(x, y)
            if total is None:
                return 1000
            less = checked_sub(x, y)
            return u64(total) if less is not None else 2000
        """
    )
    assert [program(200, 100), program(3, 2), program(2, 3)] == [1000, 5, 2000]


def overflows(program: Program, op: BinaryOp) -> list[Overflow]:
    """How each operation of a kind in main is checked."""
    return [n.overflow for n in walk(find(program).body) if isinstance(n, nodes.Binary) and n.op is op]


def test_only_what_can_fail_is_checked() -> None:
    program = accept(expression("x: u64", "u64", "(x // 3 | x % 4) + (x >> 2)"))
    assert overflows(program, BinaryOp.FLOOR_DIV) == [Overflow.PROVEN]
    assert overflows(program, BinaryOp.MOD) == [Overflow.PROVEN]
    assert overflows(program, BinaryOp.SHR) == [Overflow.PROVEN]
    assert overflows(program, BinaryOp.ADD) == [Overflow.TRAP]


def test_constant_expressions_are_folded() -> None:
    program = accept(expression("x: u64", "u64", "x & ~(PAGE * 2 - 1)"))
    constants = [n.value for n in walk(find(program).body) if isinstance(n, nodes.Constant)]
    assert constants == [(1 << 64) - 8192]


def test_a_trap_reports_the_operation_and_not_the_line() -> None:
    program = accept(expression("x: u64, y: u64", "u64", "x * y + 1"))
    product = next(n for n in walk(find(program).body) if isinstance(n, nodes.Binary) and n.op is BinaryOp.MUL)
    assert (product.span.column, product.span.end_column) == (12, 17)
