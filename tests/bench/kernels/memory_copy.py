"""Copying bytes: eight at a time where both sides are aligned, singly at the ends."""

from __future__ import annotations

from compiler.language import Ptr, export, no_builtins, u8, u64


@export("copy_bytes")
@no_builtins
def copy_bytes(target: Ptr[u8], source: Ptr[u8], size_bytes: u64) -> None:
    """Copy `size_bytes` bytes between buffers that do not overlap."""
    done: u64 = 0
    if (target.address.raw | source.address.raw) & 7 == 0:
        wide_target = target.cast(u64)
        wide_source = source.cast(u64)
        words = size_bytes // 8
        for i in range(words):
            wide_target[i] = wide_source[i]
        done = words * 8
    for i in range(done, size_bytes):
        target[i] = source[i]


@export("compare_bytes")
@no_builtins
def compare_bytes(left: Ptr[u8], right: Ptr[u8], size_bytes: u64) -> u64:
    """Offset of the first difference, or `size_bytes`."""
    for i in range(size_bytes):
        if left[i] != right[i]:
            return i
    return size_bytes
