"""Heap sort: no recursion, no extra memory, many data-dependent indices."""

from __future__ import annotations

from compiler.language import Slice, export, u32, u64


def sift_down(values: Slice[u32], start: u64, end: u64) -> None:
    """Restore the heap below `start` within values[:end]."""
    root = start
    item = values[root]
    while 2 * root + 1 < end:
        child = 2 * root + 1
        if child + 1 < end and values[child] < values[child + 1]:
            child += 1
        if item >= values[child]:
            break
        values[root] = values[child]
        root = child
    values[root] = item


@export("heap_sort")
def heap_sort(values: Slice[u32]) -> None:
    """Sort in ascending order."""
    count = len(values)
    start = count // 2
    while start > 0:
        start -= 1
        sift_down(values, start, count)
    end = count
    while end > 1:
        end -= 1
        values[0], values[end] = values[end], values[0]
        sift_down(values, 0, end)
