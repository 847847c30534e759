"""Text without a heap: a buffer of fixed size, and the interpreter of log messages.

A message arrives as `Format`: literal text with placeholders, and the values. What does not fit is cut off.
"""

from __future__ import annotations

from compiler.language import (
    Array,
    EnumU8,
    Format,
    Ptr,
    Slice,
    VirtAddr,
    array,
    format_text,
    format_values,
    i64,
    no_inline,
    slice_of,
    struct,
    truncate,
    u8,
    u64,
    utf8,
    wrapping_neg,
)

CAPACITY = 256
FIRST_LITERAL_BYTE = 0x08
WIDTH_MASK = 0x7F
ZERO_FILL = 0x80
DIGIT_COUNT_MAX = 20
SPACE = ord(" ")
MINUS = ord("-")
DIGIT_ZERO = ord("0")
LETTER_A = ord("a")


class Placeholder(EnumU8):
    """First byte of a placeholder in the text of a message."""

    DECIMAL = 1
    SIGNED = 2
    HEXADECIMAL = 3
    HEXADECIMAL_BARE = 4
    STRING = 5
    CHARACTER = 6
    BOOL = 7


@struct
class TextBuffer:
    """The first `count` bytes of `content` are text."""

    content: Array[u8] = array(CAPACITY)
    count: u64 = 0

    def clear(self) -> None:
        """Empty it."""
        self.count = 0

    def is_full(self) -> bool:
        """Whether nothing more fits."""
        return self.count == CAPACITY

    @no_inline
    def put(self, byte: u8) -> None:
        """Append a byte, if there is room."""
        if self.count < CAPACITY:
            self.content[self.count] = byte
            self.count += 1

    def put_text(self, text: Slice[u8]) -> None:
        """Append bytes."""
        for byte in text:
            self.put(byte)

    def put_number(self, value: u64, base: u64, options: u8) -> None:
        """Append a number, filled up to the width that `options` gives with spaces or zeros."""
        digits: Array[u8] = array(DIGIT_COUNT_MAX)
        count: u64 = 0
        rest = value
        while count == 0 or rest != 0:
            digits[count] = digit(rest % base)
            rest = rest // base
            count += 1
        fill: u8 = DIGIT_ZERO if options & ZERO_FILL != 0 else SPACE
        for _ in range(count, max(count, u64(options & WIDTH_MASK))):
            self.put(fill)
        for position in reversed(range(count)):
            self.put(digits[position])

    def written(self) -> Slice[u8]:
        """What has been appended."""
        return self.content[0 : self.count]


def digit(value: u64) -> u8:
    """The character of one digit, up to base 16."""
    return u8(DIGIT_ZERO + value) if value < 10 else u8(LETTER_A + value - 10)


def render(buffer: TextBuffer, message: Format) -> None:
    """Append a message with its values filled in."""
    text = utf8(format_text(message))
    values = format_values(message)
    position: u64 = 0
    used: u64 = 0
    while position < len(text):
        byte = text[position]
        if byte >= FIRST_LITERAL_BYTE:
            buffer.put(byte)
            position += 1
        else:
            used += _render_value(buffer, byte, text[position + 1], values[used : len(values)])
            position += 2


def _render_value(buffer: TextBuffer, code: u8, options: u8, values: Slice[u64]) -> u64:
    """Append the next value as a placeholder says; the number of values that it takes."""
    placeholder = Placeholder.decode(code)
    if placeholder is None:
        return 0
    value = values[0]
    match placeholder:
        case Placeholder.DECIMAL:
            buffer.put_number(value, 10, options)
        case Placeholder.SIGNED:
            is_negative = truncate(i64, value) < 0
            if is_negative:
                buffer.put(MINUS)
            buffer.put_number(wrapping_neg(value) if is_negative else value, 10, options)
        case Placeholder.HEXADECIMAL:
            buffer.put_text(utf8("0x"))
            buffer.put_number(value, 16, options)
        case Placeholder.HEXADECIMAL_BARE:
            buffer.put_number(value, 16, options)
        case Placeholder.STRING:
            buffer.put_text(slice_of(Ptr[u8].at(VirtAddr(value)), values[1]))
            return 2
        case Placeholder.CHARACTER:
            buffer.put(truncate(u8, value))
        case Placeholder.BOOL:
            buffer.put_text(utf8("true") if value != 0 else utf8("false"))
    return 1
