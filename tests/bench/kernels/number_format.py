"""Writing numbers as text: decimal and hexadecimal into a buffer, least digits filled with zeros."""

from __future__ import annotations

from compiler.language import Array, Slice, array, export, truncate, u8, u64

DIGITS_MAX = 20


@export("format_decimal")
def format_decimal(target: Slice[u8], value: u64) -> u64:
    """Write `value` in decimal; how many bytes were written (0 when it does not fit)."""
    digits: Array[u8] = array(DIGITS_MAX)
    count: u64 = 0
    rest = value
    while True:
        digits[count] = u8(rest % 10 + 48)
        count += 1
        rest = rest // 10
        if rest == 0:
            break
    if count > len(target):
        return 0
    for i in range(count):
        target[i] = digits[count - 1 - i]
    return count


@export("format_hexadecimal")
def format_hexadecimal(target: Slice[u8], value: u64) -> u64:
    """Write `value` as 16 hexadecimal digits; 0 when they do not fit."""
    if len(target) < 16:
        return 0
    for i in range(16):
        digit = truncate(u8, value >> (60 - 4 * i) & 0xF)
        target[i] = digit + 48 if digit < 10 else digit + 87
    return 16


@export("format_all")
def format_all(target: Slice[u8], values: Slice[u64]) -> u64:
    """Write every value in both forms, one after the other; how many bytes in all."""
    used: u64 = 0
    for value in values:
        used += format_decimal(target[used:], value)
        used += format_hexadecimal(target[used:], value)
    return used
