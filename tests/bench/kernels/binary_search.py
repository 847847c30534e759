"""Binary search in a sorted table, and the search of an address among sorted regions."""

from __future__ import annotations

from compiler.language import Slice, export, struct, u64

NOT_FOUND = 0xFFFFFFFFFFFFFFFF


@struct
class Region:
    """Addresses from `base` up to `limit`, exclusive."""

    base: u64
    limit: u64


@export("lower_bound")
def lower_bound(values: Slice[u64], wanted: u64) -> u64:
    """Index of the first value that is not below `wanted`."""
    low: u64 = 0
    high = len(values)
    while low < high:
        middle = low + (high - low) // 2
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@export("find_region")
def find_region(regions: Slice[Region], address: u64) -> u64:
    """Index of the region that holds `address`, or NOT_FOUND."""
    low: u64 = 0
    high = len(regions)
    while low < high:
        middle = low + (high - low) // 2
        region = regions[middle]
        if address < region.base:
            high = middle
        elif address >= region.limit:
            low = middle + 1
        else:
            return middle
    return NOT_FOUND
