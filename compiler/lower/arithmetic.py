"""Unary and binary operations, comparisons and conversions, with their checks."""

from __future__ import annotations

from compiler.lower.builder import Builder
from compiler.lower.text import Value, constant, scalar_type
from compiler.program.nodes import (
    Binary,
    BinaryOp,
    CheckedBinary,
    CompareOp,
    Constant,
    Conversion,
    Convert,
    Expression,
    Overflow,
    Span,
    TrapKind,
    Unary,
    UnaryOp,
)
from compiler.program.types import Int, Pointer, ValueType

_OVERFLOWING = {BinaryOp.ADD: "add", BinaryOp.SUB: "sub", BinaryOp.MUL: "mul"}
_BITWISE = {BinaryOp.AND: "and", BinaryOp.OR: "or", BinaryOp.XOR: "xor"}
_PREDICATES = {
    CompareOp.EQ: "eq",
    CompareOp.NE: "ne",
    CompareOp.LT: "lt",
    CompareOp.LE: "le",
    CompareOp.GT: "gt",
    CompareOp.GE: "ge",
}


def compare(builder: Builder, op: CompareOp, kind: ValueType, left: str, right: str) -> str:
    """An i1; pointers and unsigned integers compare unsigned."""
    predicate = _PREDICATES[op]
    if op not in (CompareOp.EQ, CompareOp.NE):
        predicate = ("s" if isinstance(kind, Int) and kind.signed else "u") + predicate
    return builder.value(f"icmp {predicate} {scalar_type(kind)} {left}, {right}")


def unary(builder: Builder, node: Unary, operand: str) -> str:
    """The result of a unary operation on an evaluated operand."""
    kind = node.type
    scalar = scalar_type(kind)
    match node.op:
        case UnaryOp.NEGATE:
            return _negate(builder, node, operand)
        case UnaryOp.WRAPPING_NEGATE:
            return builder.value(f"sub {scalar} 0, {operand}")
        case UnaryOp.INVERT:
            return builder.value(f"xor {scalar} {operand}, -1")
        case UnaryOp.NOT:
            return builder.value(f"xor i1 {operand}, true")
        case UnaryOp.LEADING_ZEROS:
            return _count(builder, "llvm.ctlz", kind, operand)
        case UnaryOp.TRAILING_ZEROS:
            return _count(builder, "llvm.cttz", kind, operand)
        case UnaryOp.COUNT_ONES:
            return builder.intrinsic("llvm.ctpop", kind, operand)
        case UnaryOp.BYTE_SWAP:
            is_byte = isinstance(kind, Int) and kind.bits == 8
            return operand if is_byte else builder.intrinsic("llvm.bswap", kind, operand)
        case UnaryOp.REVERSE_BITS:
            return builder.intrinsic("llvm.bitreverse", kind, operand)


def _negate(builder: Builder, node: Unary, operand: str) -> str:
    kind = _int(node.type)
    scalar = scalar_type(kind)
    if kind.signed:
        lowest = builder.value(f"icmp eq {scalar} {operand}, {constant(kind, kind.lowest)}")
        builder.trap_if(lowest, TrapKind.OVERFLOW, node.span)
    else:
        non_zero = builder.value(f"icmp ne {scalar} {operand}, 0")
        builder.trap_if(non_zero, TrapKind.OVERFLOW, node.span)
    return builder.value(f"sub {scalar} 0, {operand}")


def _count(builder: Builder, name: str, kind: ValueType, operand: str) -> str:
    scalar = scalar_type(kind)
    intrinsic = builder.surroundings.intrinsic(name, kind)
    return builder.value(f"call {scalar} {intrinsic}({scalar} {operand}, i1 false)")


def binary(builder: Builder, node: Binary, left: str, right: str) -> str:
    """The result of a binary operation on evaluated operands."""
    kind = node.type
    scalar = scalar_type(kind)
    op = node.op
    if op in _BITWISE:
        return builder.value(f"{_BITWISE[op]} {scalar} {left}, {right}")
    signed = isinstance(kind, Int) and kind.signed
    sign = "s" if signed else "u"
    if op in _OVERFLOWING:
        return _overflowing(builder, node, left, right)
    match op:
        case BinaryOp.MIN | BinaryOp.MAX:
            return builder.intrinsic(f"llvm.{sign}{op.value}", kind, left, right)
        case BinaryOp.FLOOR_DIV | BinaryOp.MOD:
            return _divide(builder, node, left, right)
        case BinaryOp.SHL | BinaryOp.SHR:
            return _shift(builder, node, left, right)
        case BinaryOp.ROTATE_LEFT | BinaryOp.ROTATE_RIGHT:
            name = "llvm.fshl" if op is BinaryOp.ROTATE_LEFT else "llvm.fshr"
            count = _resized(builder, right, node.right.type, kind)
            return builder.intrinsic(name, kind, left, left, count)
        case _:
            return _multiply_high(builder, _int(kind), left, right)


def _overflowing(builder: Builder, node: Binary, left: str, right: str) -> str:
    kind = _int(node.type)
    sign = "s" if kind.signed else "u"
    name = _OVERFLOWING[node.op]
    scalar = scalar_type(kind)
    checked = node.overflow is Overflow.TRAP and builder.surroundings.checks
    if checked:
        value, overflows = _with_overflow(builder, f"llvm.{sign}{name}.with.overflow", kind, left, right)
        builder.trap_if(overflows, TrapKind.OVERFLOW, node.span)
        return value
    if node.overflow is Overflow.SATURATE:
        return builder.intrinsic(f"llvm.{sign}{name}.sat", kind, left, right)
    flag = f" n{sign}w" if node.overflow is Overflow.PROVEN else ""
    return builder.value(f"{name}{flag} {scalar} {left}, {right}")


def _with_overflow(builder: Builder, name: str, kind: Int, left: str, right: str) -> tuple[str, str]:
    scalar = scalar_type(kind)
    pair = f"{{ {scalar}, i1 }}"
    intrinsic = builder.surroundings.intrinsic(name, kind)
    both = builder.value(f"call {pair} {intrinsic}({scalar} {left}, {scalar} {right})")
    return builder.value(f"extractvalue {pair} {both}, 0"), builder.value(f"extractvalue {pair} {both}, 1")


def checked_binary(builder: Builder, node: CheckedBinary, left: str, right: str) -> Value:
    """(value modulo 2**width, whether it fits)."""
    kind = _int(node.left.type)
    name = f"llvm.{'s' if kind.signed else 'u'}{_OVERFLOWING[node.op]}.with.overflow"
    value, overflows = _with_overflow(builder, name, kind, left, right)
    return value, builder.value(f"xor i1 {overflows}, true")


def _divide(builder: Builder, node: Binary, left: str, right: str) -> str:
    kind = _int(node.type)
    scalar = scalar_type(kind)
    divisor = _constant_of(node.right)
    if divisor is None or divisor == 0:
        if node.overflow is not Overflow.PROVEN:
            zero = builder.value(f"icmp eq {scalar} {right}, 0")
            builder.trap_if(zero, TrapKind.DIVIDE, node.span)
        if divisor == 0:
            return "0"
    if not kind.signed:
        return builder.value(f"{'udiv' if node.op is BinaryOp.FLOOR_DIV else 'urem'} {scalar} {left}, {right}")
    if divisor is not None and divisor > 0 and divisor & (divisor - 1) == 0:
        if node.op is BinaryOp.FLOOR_DIV:
            return builder.value(f"ashr {scalar} {left}, {divisor.bit_length() - 1}")
        return builder.value(f"and {scalar} {left}, {divisor - 1}")
    return _divide_signed(builder, node, left, right)


def _divide_signed(builder: Builder, node: Binary, left: str, right: str) -> str:
    """LLVM's division truncates; where the remainder's sign is not the divisor's, the floor is one lower."""
    kind = _int(node.type)
    scalar = scalar_type(kind)
    is_division = node.op is BinaryOp.FLOOR_DIV
    minus_one = builder.value(f"icmp eq {scalar} {right}, -1")
    if is_division:
        if node.overflow is Overflow.TRAP:
            lowest = builder.value(f"icmp eq {scalar} {left}, {constant(kind, kind.lowest)}")
            overflows = builder.value(f"and i1 {minus_one}, {lowest}")
            builder.trap_if(overflows, TrapKind.OVERFLOW, node.span)
        quotient = builder.value(f"sdiv {scalar} {left}, {right}")
        product = builder.value(f"mul {scalar} {quotient}, {right}")
        remainder = builder.value(f"sub {scalar} {left}, {product}")
    else:
        # The remainder by -1 is 0 for every value, but LLVM leaves that of the least value undefined.
        right = builder.value(f"select i1 {minus_one}, {scalar} 1, {scalar} {right}")
        remainder = builder.value(f"srem {scalar} {left}, {right}")
        quotient = ""
    inexact = builder.value(f"icmp ne {scalar} {remainder}, 0")
    signs = builder.value(f"xor {scalar} {remainder}, {right}")
    differ = builder.value(f"icmp slt {scalar} {signs}, 0")
    adjust = builder.value(f"and i1 {inexact}, {differ}")
    if is_division:
        step = builder.value(f"sext i1 {adjust} to {scalar}")
        return builder.value(f"add {scalar} {quotient}, {step}")
    step = builder.value(f"select i1 {adjust}, {scalar} {right}, {scalar} 0")
    return builder.value(f"add {scalar} {remainder}, {step}")


def _shift(builder: Builder, node: Binary, left: str, right: str) -> str:
    kind = _int(node.type)
    scalar = scalar_type(kind)
    count_value = _constant_of(node.right)
    if node.overflow is not Overflow.PROVEN and (count_value is None or not 0 <= count_value < kind.bits):
        count_type = scalar_type(node.right.type)
        too_far = builder.value(f"icmp uge {count_type} {right}, {kind.bits}")
        builder.trap_if(too_far, TrapKind.SHIFT, node.span)
    count = _resized(builder, right, node.right.type, kind)
    back = "ashr" if kind.signed else "lshr"
    if node.op is BinaryOp.SHR:
        return builder.value(f"{back} {scalar} {left}, {count}")
    if node.overflow is Overflow.PROVEN:
        return builder.value(f"shl {'nsw' if kind.signed else 'nuw'} {scalar} {left}, {count}")
    shifted = builder.value(f"shl {scalar} {left}, {count}")
    if node.overflow is Overflow.TRAP and builder.surroundings.checks:
        restored = builder.value(f"{back} {scalar} {shifted}, {count}")
        lost = builder.value(f"icmp ne {scalar} {restored}, {left}")
        builder.trap_if(lost, TrapKind.OVERFLOW, node.span)
    return shifted


def _multiply_high(builder: Builder, kind: Int, left: str, right: str) -> str:
    narrow, wide = f"i{kind.bits}", f"i{2 * kind.bits}"
    extend = "sext" if kind.signed else "zext"
    a = builder.value(f"{extend} {narrow} {left} to {wide}")
    b = builder.value(f"{extend} {narrow} {right} to {wide}")
    product = builder.value(f"mul {wide} {a}, {b}")
    high = builder.value(f"lshr {wide} {product}, {kind.bits}")
    return builder.value(f"trunc {wide} {high} to {narrow}")


def convert(builder: Builder, node: Convert, operand: str) -> str:
    """The operand of a conversion in its new type."""
    source, target = node.operand.type, node.type
    match node.kind:
        case Conversion.WIDEN | Conversion.TRUNCATE:
            return _resized(builder, operand, source, target)
        case Conversion.CHECKED:
            _check_fits(builder, operand, _int(source), _int(target), node.span)
            return _resized(builder, operand, source, target)
        case Conversion.BOOL_TO_INT:
            return builder.value(f"zext i1 {operand} to {scalar_type(target)}")
        case Conversion.INT_TO_BOOL:
            return builder.value(f"icmp ne {scalar_type(source)} {operand}, 0")
        case Conversion.POINTER_TO_INT:
            return builder.value(f"ptrtoint ptr {operand} to {scalar_type(target)}")
        case Conversion.INT_TO_POINTER:
            return builder.value(f"inttoptr {scalar_type(source)} {operand} to ptr")


def _check_fits(builder: Builder, operand: str, source: Int, target: Int, span: Span) -> None:
    too_low = source.lowest < target.lowest
    too_high = source.highest > target.highest
    scalar = scalar_type(source)
    if too_low and too_high and target.signed:
        short = builder.value(f"trunc {scalar} {operand} to {scalar_type(target)}")
        long = builder.value(f"sext {scalar_type(target)} {short} to {scalar}")
        misfit = builder.value(f"icmp ne {scalar} {long}, {operand}")
    elif too_high:
        # Read as unsigned, negative values are above every bound of an unsigned target.
        misfit = builder.value(f"icmp ugt {scalar} {operand}, {constant(source, target.highest)}")
    elif too_low:
        misfit = builder.value(f"icmp slt {scalar} {operand}, {constant(source, target.lowest)}")
    else:
        return
    builder.trap_if(misfit, TrapKind.CONVERSION, span)


def _resized(builder: Builder, operand: str, source: ValueType, target: ValueType) -> str:
    if isinstance(source, Pointer) or isinstance(target, Pointer) or not isinstance(source, Int):
        return operand
    old, new = scalar_type(source), scalar_type(target)
    bits = _int(target).bits
    if source.bits == bits:
        return operand
    if source.bits > bits:
        return builder.value(f"trunc {old} {operand} to {new}")
    return builder.value(f"{'sext' if source.signed else 'zext'} {old} {operand} to {new}")


def _constant_of(node: Expression) -> int | None:
    return node.value if isinstance(node, Constant) else None


def _int(kind: ValueType) -> Int:
    if not isinstance(kind, Int):
        raise ValueError(f"{kind} is not an integer type")
    return kind
