"""Every operation at every width, compared with what Python's integers give, at O0 and O2, with traps."""

from __future__ import annotations

import operator
from collections.abc import Callable
from pathlib import Path

from compiler.lower import TargetOptions, TrapSite, lower
from compiler.program.nodes import BinaryOp, CompareOp, Conversion, Overflow, TrapKind, UnaryOp
from compiler.program.program import Function
from compiler.program.types import BOOL, I8, I16, I32, I64, U8, U16, U32, U64, Int
from tests.compiler.lower.conftest import Run
from tests.compiler.lower.emulator import Emulator
from tests.compiler.lower.programs import binary, checked, compare, convert, function, give, local, program, read, unary

INTEGERS = (U8, U16, U32, U64, I8, I16, I32, I64)
Expected = int | TrapKind


def _name(kind: Int) -> str:
    return f"{'i' if kind.signed else 'u'}{kind.bits}"


def _samples(kind: Int) -> list[int]:
    values = {kind.lowest, kind.lowest + 1, kind.highest, kind.highest - 1, 0, 1, 2, 3, 7, 8, 100, kind.highest // 3}
    if kind.signed:
        values |= {-1, -2, -7, -8, -100}
    return sorted(values)


def _fit(kind: Int, value: int, trap: TrapKind = TrapKind.OVERFLOW) -> Expected:
    return value if kind.lowest <= value <= kind.highest else trap


def _wrap(kind: Int, value: int) -> int:
    value &= (1 << kind.bits) - 1
    return value - (1 << kind.bits) if kind.signed and value >> (kind.bits - 1) else value


def _python(op: BinaryOp, kind: Int, a: int, b: int) -> Expected:
    match op:
        case BinaryOp.ADD:
            return _fit(kind, a + b)
        case BinaryOp.SUB:
            return _fit(kind, a - b)
        case BinaryOp.MUL:
            return _fit(kind, a * b)
        case BinaryOp.FLOOR_DIV:
            return TrapKind.DIVIDE if b == 0 else _fit(kind, a // b)
        case BinaryOp.MOD:
            return TrapKind.DIVIDE if b == 0 else a % b
        case BinaryOp.AND:
            return a & b
        case BinaryOp.OR:
            return a | b
        case BinaryOp.XOR:
            return a ^ b
        case BinaryOp.MIN:
            return min(a, b)
        case BinaryOp.MAX:
            return max(a, b)
        case BinaryOp.MULTIPLY_HIGH:
            return _wrap(kind, (a * b) >> kind.bits)
        case _:
            return _shift(op, kind, a, b)


def _shift(op: BinaryOp, kind: Int, a: int, count: int) -> Expected:
    if op in (BinaryOp.ROTATE_LEFT, BinaryOp.ROTATE_RIGHT):
        mask = (1 << kind.bits) - 1
        count %= kind.bits
        left = count if op is BinaryOp.ROTATE_LEFT else (kind.bits - count) % kind.bits
        return _wrap(kind, ((a & mask) << left) | ((a & mask) >> (kind.bits - left)))
    if count >= kind.bits:
        return TrapKind.SHIFT
    return _fit(kind, a << count) if op is BinaryOp.SHL else a >> count


SHIFTS = (BinaryOp.SHL, BinaryOp.SHR, BinaryOp.ROTATE_LEFT, BinaryOp.ROTATE_RIGHT)
SHIFT_COUNTS = (0, 1, 3, 7, 8, 15, 16, 31, 32, 63, 64, 255, 1 << 40)


def _binary_functions() -> list[Function]:
    functions: list[Function] = []
    for kind in INTEGERS:
        for op in BinaryOp:
            left, right = local("a", kind), local("b", U64 if op in SHIFTS else kind)
            body = [give(binary(op, read(left), read(right)))]
            functions.append(function(f"{op.name}.{_name(kind)}", [left, right], kind, body, exported=True))
    return functions


def _outcome(kind: Int, outcome: tuple[int, ...] | TrapSite) -> Expected:
    return outcome.kind if isinstance(outcome, TrapSite) else _wrap(kind, outcome[0])


def test_binary_operations_give_what_python_gives(run: Run) -> None:
    call = run(program(*_binary_functions()))
    for kind in INTEGERS:
        for op in BinaryOp:
            for a in _samples(kind):
                for b in SHIFT_COUNTS if op in SHIFTS else _samples(kind):
                    got = _outcome(kind, call(f"{op.name}.{_name(kind)}", a, b))
                    assert got == _python(op, kind, a, b), f"{a} {op.value} {b} as {_name(kind)}"


def test_wrapping_and_saturating(run: Run) -> None:
    functions: list[Function] = []
    cases = [(BinaryOp.ADD, Overflow.SATURATE), (BinaryOp.SUB, Overflow.SATURATE)]
    cases += [(op, Overflow.WRAP) for op in (BinaryOp.ADD, BinaryOp.SUB, BinaryOp.MUL, BinaryOp.SHL)]
    for kind in INTEGERS:
        for op, overflow in cases:
            left, right = local("a", kind), local("b", U64 if op is BinaryOp.SHL else kind)
            body = [give(binary(op, read(left), read(right), overflow))]
            functions.append(
                function(f"{op.name}.{overflow.name}.{_name(kind)}", [left, right], kind, body, exported=True)
            )
    call = run(program(*functions))
    exact: dict[BinaryOp, Callable[[int, int], int]] = {
        BinaryOp.ADD: operator.add,
        BinaryOp.SUB: operator.sub,
        BinaryOp.MUL: operator.mul,
        BinaryOp.SHL: lambda a, b: a << b,
    }
    for kind in INTEGERS:
        for op, overflow in cases:
            for a in _samples(kind):
                for b in range(kind.bits) if op is BinaryOp.SHL else _samples(kind):
                    value = exact[op](a, b)
                    held = max(kind.lowest, min(kind.highest, value))
                    outcome = call(f"{op.name}.{overflow.name}.{_name(kind)}", a, b)
                    expected = held if overflow is Overflow.SATURATE else _wrap(kind, value)
                    assert _outcome(kind, outcome) == expected, f"{a} {op.value} {b} as {_name(kind)}"


def test_checked_operations_tell_whether_the_value_fits(run: Run) -> None:
    functions: list[Function] = []
    operations = (BinaryOp.ADD, BinaryOp.SUB, BinaryOp.MUL)
    for kind in INTEGERS:
        for op in operations:
            left, right = local("a", kind), local("b", kind)
            node = checked(op, read(left), read(right))
            functions.append(
                function(f"{op.name}.{_name(kind)}", [left, right], node.type, [give(node)], exported=True)
            )
    call = run(program(*functions))
    for kind in INTEGERS:
        for op in operations:
            for a in _samples(kind):
                for b in _samples(kind):
                    registers = call(f"{op.name}.{_name(kind)}", a, b)
                    assert isinstance(registers, tuple)
                    expected = _python(op, kind, a, b)
                    assert bool(registers[1] & 1) == isinstance(expected, int)
                    if isinstance(expected, int):
                        assert _wrap(kind, registers[0]) == expected


def _unary(op: UnaryOp, kind: Int, value: int) -> Expected:
    bits = format(value & (1 << kind.bits) - 1, f"0{kind.bits}b")
    match op:
        case UnaryOp.NEGATE:
            return _fit(kind, -value)
        case UnaryOp.WRAPPING_NEGATE:
            return _wrap(kind, -value)
        case UnaryOp.INVERT:
            return _wrap(kind, ~value)
        case UnaryOp.LEADING_ZEROS:
            return len(bits) - len(bits.lstrip("0"))
        case UnaryOp.TRAILING_ZEROS:
            return len(bits) - len(bits.rstrip("0"))
        case UnaryOp.COUNT_ONES:
            return bits.count("1")
        case UnaryOp.BYTE_SWAP:
            unsigned = value & (1 << kind.bits) - 1
            return _wrap(kind, int.from_bytes(unsigned.to_bytes(kind.bits // 8, "little"), "big"))
        case _:
            return _wrap(kind, int(bits[::-1], 2))


def test_unary_operations(run: Run) -> None:
    operations = [op for op in UnaryOp if op is not UnaryOp.NOT]
    functions: list[Function] = []
    for kind in INTEGERS:
        for op in operations:
            a = local("a", kind)
            functions.append(function(f"{op.name}.{_name(kind)}", [a], kind, [give(unary(op, read(a)))], exported=True))
    call = run(program(*functions))
    for kind in INTEGERS:
        for op in operations:
            for value in _samples(kind):
                got = _outcome(kind, call(f"{op.name}.{_name(kind)}", value))
                assert got == _unary(op, kind, value), f"{op.value} {value} as {_name(kind)}"


def test_conversions_between_all_widths(run: Run) -> None:
    functions: list[Function] = []
    for source in INTEGERS:
        a = local("a", source)
        for target in INTEGERS:
            for kind in (Conversion.CHECKED, Conversion.TRUNCATE):
                body = [give(convert(kind, read(a), target))]
                name = f"{kind.name}.{_name(source)}.{_name(target)}"
                functions.append(function(name, [a], target, body, exported=True))
    call = run(program(*functions))
    for source in INTEGERS:
        for target in INTEGERS:
            for value in {
                *_samples(source),
                *(sample for sample in _samples(target) if _fit(source, sample) == sample),
            }:
                pair = f"{_name(source)}.{_name(target)}"
                got = _outcome(target, call(f"CHECKED.{pair}", value))
                assert got == _fit(target, value, TrapKind.CONVERSION), f"{value} from {pair}"
                wrapped = _outcome(target, call(f"TRUNCATE.{pair}", value))
                assert wrapped == _wrap(target, value), f"{value} from {pair}"


def test_comparisons(run: Run) -> None:
    functions: list[Function] = []
    for kind in INTEGERS:
        left, right = local("a", kind), local("b", kind)
        for op in CompareOp:
            body = [give(compare(op, read(left), read(right)))]
            functions.append(function(f"{op.name}.{_name(kind)}", [left, right], BOOL, body, exported=True))
    call = run(program(*functions))
    for kind in INTEGERS:
        for a in _samples(kind):
            for b in _samples(kind):
                expected = (a == b, a != b, a < b, a <= b, a > b, a >= b)
                for op, truth in zip(CompareOp, expected, strict=True):
                    outcome = call(f"{op.name}.{_name(kind)}", a, b)
                    assert isinstance(outcome, tuple)
                    assert bool(outcome[0] & 1) == truth


def test_a_build_without_checks_has_none(tmp_path: Path) -> None:
    lowered = lower(program(*_binary_functions()), TargetOptions(checks=False))
    assert not lowered.traps.sites
    emulator = Emulator(lowered.object, tmp_path)
    assert emulator.call("ADD.u8", 200, 100).registers[0] & 0xFF == 300 - 256
    assert emulator.call("FLOOR_DIV.i32", -7, 2).registers[0] & 0xFFFFFFFF == (-7 // 2) & 0xFFFFFFFF
