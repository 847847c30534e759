"""Reads cpio archives where they lie: old binary in both byte orders, odc, and newc with or without checksums.

Every entry's header and sizes are checked as it is passed; a file is a place in the archive. Formats: cpio(5) of
FreeBSD and `man 5 cpio` of libarchive.
"""

from __future__ import annotations

from compiler.language import ErrorEnum, Slice, cold, struct, u8, u64, utf8
from hypervisor.boot.texts import begins_with, round_up, same

OLD_MAGIC = 0o070707
OLD_HEADER_SIZE = 26
ODC_HEADER_SIZE = 76
NEWC_HEADER_SIZE = 110
NAME_SIZE_MAX = 4096
TRAILER = "TRAILER!!!"
DIGIT_ZERO = ord("0")
LETTER_A = ord("a")
LOWER_CASE = 0x20


class CpioError(ErrorEnum):
    """What is wrong with an archive."""

    NOT_CPIO = -1
    """No header of a known format where an entry has to begin."""
    TRUNCATED = -2
    """It ends within an entry, or before its trailer."""
    BAD_NUMBER = -3
    """A header has something else where a number has to be."""
    BAD_NAME = -4
    """A name is empty, too long or does not end with NUL."""
    NOT_FOUND = -5


@struct
class File:
    """A file in an archive: offset of its first byte, and its size."""

    offset: u64 = 0
    size_bytes: u64 = 0


@struct
class Entry:
    """One entry: where its name, its data and the next entry are. `start` is where it begins itself."""

    start: u64 = 0
    name: u64 = 0
    name_size: u64 = 0
    """Without the NUL."""
    data: u64 = 0
    size_bytes: u64 = 0
    next: u64 = 0
    is_trailer: bool = False


@cold
def find_file(archive: Slice[u8], name: Slice[u8], file: File) -> CpioError | None:
    """Find the first file of that name. Every entry before it is checked, and all of them when there is none."""
    entry = Entry()
    while True:
        error = next_entry(archive, entry)
        if error is not None:
            return error
        if entry.is_trailer:
            return CpioError.NOT_FOUND
        if same(_without_dot(archive[entry.name : entry.name + entry.name_size]), name):
            file.offset = entry.data
            file.size_bytes = entry.size_bytes
            return None


@cold
def next_entry(archive: Slice[u8], entry: Entry) -> CpioError | None:
    """Go on to the next entry; the first one for an Entry of zeros. Past the trailer there is none."""
    entry.start = entry.next
    rest = len(archive) - entry.start
    at = archive[entry.start : len(archive)]
    if rest < OLD_HEADER_SIZE:
        return CpioError.TRUNCATED
    little = u64(at[0]) | u64(at[1]) << 8
    big = u64(at[0]) << 8 | at[1]
    if little == OLD_MAGIC or big == OLD_MAGIC:
        return _old_entry(at, entry, big == OLD_MAGIC)
    if begins_with(at, utf8("070707")):
        return _odc_entry(at, entry)
    if begins_with(at, utf8("070701")) or begins_with(at, utf8("070702")):
        return _newc_entry(at, entry)
    return CpioError.NOT_CPIO


def _old_entry(at: Slice[u8], entry: Entry, is_big: bool) -> CpioError | None:
    """Half words in the byte order of the magic number; sizes are two of them, the more significant one first."""
    name_size = _half(at, 20, is_big)
    size_bytes = _half(at, 22, is_big) << 16 | _half(at, 24, is_big)
    return _place(at, entry, OLD_HEADER_SIZE, name_size, size_bytes, 2)


def _odc_entry(at: Slice[u8], entry: Entry) -> CpioError | None:
    if len(at) < ODC_HEADER_SIZE:
        return CpioError.TRUNCATED
    name_size = _digits(at[59:65], 8)
    size_bytes = _digits(at[65:76], 8)
    if name_size is None or size_bytes is None:
        return CpioError.BAD_NUMBER
    return _place(at, entry, ODC_HEADER_SIZE, name_size, size_bytes, 1)


def _newc_entry(at: Slice[u8], entry: Entry) -> CpioError | None:
    if len(at) < NEWC_HEADER_SIZE:
        return CpioError.TRUNCATED
    name_size = _digits(at[94:102], 16)
    size_bytes = _digits(at[54:62], 16)
    if name_size is None or size_bytes is None:
        return CpioError.BAD_NUMBER
    return _place(at, entry, NEWC_HEADER_SIZE, name_size, size_bytes, 4)


def _place(
    at: Slice[u8], entry: Entry, header_size: u64, name_size: u64, size_bytes: u64, alignment: u64
) -> CpioError | None:
    """Set the entry. Name and data are padded to `alignment`, counted from the entry's start in newc and otherwise from
    their own: headers are whole multiples. The last padding may be missing."""
    if not 1 <= name_size <= NAME_SIZE_MAX:
        return CpioError.BAD_NAME
    data = round_up(header_size + name_size, alignment)
    if len(at) < data or len(at) - data < size_bytes:
        return CpioError.TRUNCATED
    if at[header_size + name_size - 1] != 0:
        return CpioError.BAD_NAME
    entry.name = entry.start + header_size
    entry.name_size = name_size - 1
    entry.data = entry.start + data
    entry.size_bytes = size_bytes
    entry.next = entry.start + min(round_up(data + size_bytes, alignment), len(at))
    entry.is_trailer = same(at[header_size : header_size + name_size - 1], utf8(TRAILER))
    return None


def _half(at: Slice[u8], offset: u64, is_big: bool) -> u64:
    first = u64(at[offset])
    second = u64(at[offset + 1])
    return first << 8 | second if is_big else second << 8 | first


def _digits(text: Slice[u8], base: u64) -> u64 | None:
    """The number that the digits are; None when one of them is none. There are at most 11."""
    value: u64 = 0
    for byte in text:
        digit = digit_of(byte)
        if digit >= base:
            return None
        value = value * base + digit
    return value


def digit_of(byte: u8) -> u64:
    """Value of a digit; one above every base for anything else."""
    lower = byte | LOWER_CASE
    if DIGIT_ZERO <= byte < DIGIT_ZERO + 10:
        return u64(byte - DIGIT_ZERO)
    if LETTER_A <= lower < LETTER_A + 6:
        return u64(lower - LETTER_A) + 10
    return 99


def _without_dot(name: Slice[u8]) -> Slice[u8]:
    """Without the "./" that `find . | cpio -o` writes."""
    return name[2 : len(name)] if begins_with(name, utf8("./")) else name
