"""memcpy, memmove and memset: what the compiler may call where code copies or fills.

With the C library's names and meanings (C11, 7.24) and the AAPCS64 calling convention. Written without the operations
that would become calls of themselves.
"""

from __future__ import annotations

from compiler.language import Ptr, export, no_builtins, truncate, u8, u32, u64

WORD_SIZE = 8
BYTES_OF_ONE = 0x0101_0101_0101_0101


@export("memcpy")
@no_builtins
def memcpy(target: Ptr[u8], source: Ptr[u8], size: u64) -> Ptr[u8]:
    """Copy `size` bytes between places that do not overlap, eight at a time where both are aligned."""
    done: u64 = 0
    if (target.address.raw | source.address.raw) % WORD_SIZE == 0:
        target_words = target.cast(u64)
        source_words = source.cast(u64)
        while size - done >= 4 * WORD_SIZE:
            word = done // WORD_SIZE
            first = source_words[word]
            second = source_words[word + 1]
            third = source_words[word + 2]
            fourth = source_words[word + 3]
            target_words[word] = first
            target_words[word + 1] = second
            target_words[word + 2] = third
            target_words[word + 3] = fourth
            done += 4 * WORD_SIZE
        while size - done >= WORD_SIZE:
            target_words[done // WORD_SIZE] = source_words[done // WORD_SIZE]
            done += WORD_SIZE
    while done < size:
        target[done] = source[done]
        done += 1
    return target


@export("memmove")
@no_builtins
def memmove(target: Ptr[u8], source: Ptr[u8], size: u64) -> Ptr[u8]:
    """Copy `size` bytes between places that may overlap."""
    if target.address <= source.address or target.address >= source.address + size:
        return memcpy(target, source, size)
    left = size
    while left > 0:
        left -= 1
        target[left] = source[left]
    return target


@export("memset")
@no_builtins
def memset(target: Ptr[u8], value: u32, size: u64) -> Ptr[u8]:
    """Set `size` bytes, eight at a time where the place is aligned."""
    byte = truncate(u8, value)
    done: u64 = 0
    if target.address.raw % WORD_SIZE == 0:
        words = target.cast(u64)
        pattern = u64(byte) * BYTES_OF_ONE
        while size - done >= WORD_SIZE:
            words[done // WORD_SIZE] = pattern
            done += WORD_SIZE
    while done < size:
        target[done] = byte
        done += 1
    return target
