"""Which SMCs of each partition go on to the firmware: the manifest's `smc_whitelist`.

Set when partitions are loaded, before any guest runs.
"""

from __future__ import annotations

from compiler.language import Array, array, no_inline, static, struct, u32, u64
from hypervisor.core.partition import PARTITION_COUNT_MAX, Partition

FUNCTION_COUNT_MAX = 32
"""Function IDs that one partition may list."""


@struct
class Whitelist:
    """One partition's; empty it lets nothing through."""

    functions: Array[u32] = array(FUNCTION_COUNT_MAX)
    count: u64 = 0
    is_permissive: bool = False
    """Lets everything through."""


WHITELISTS: Array[Whitelist] = static(array(PARTITION_COUNT_MAX))


def allow(partition: Partition, function: u32) -> bool:
    """Add a function to a partition's list; False when the list is full."""
    whitelist = WHITELISTS[partition.index]
    if whitelist.count == FUNCTION_COUNT_MAX:
        return False
    whitelist.functions[whitelist.count] = function
    whitelist.count += 1
    return True


def allow_all(partition: Partition) -> None:
    """Let all SMCs of a partition through."""
    WHITELISTS[partition.index].is_permissive = True


@no_inline
def is_allowed(partition: Partition, function: u32) -> bool:
    """Whether an SMC of a partition goes on to the firmware."""
    whitelist = WHITELISTS[partition.index]
    is_found = whitelist.is_permissive
    for listed in whitelist.functions[0 : whitelist.count]:
        is_found = is_found or listed == function
    return is_found
