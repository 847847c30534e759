"""What FF-A keeps about each partition: its console line. What short paths need is in `core`.

Written only by the CPU that runs the partition.
"""

from __future__ import annotations

from compiler.language import Array, array, static, struct
from hypervisor.core.partition import PARTITION_COUNT_MAX, Partition
from runtime.text import TextBuffer


@struct
class Endpoint:
    """FF-A state of a partition. Zero-filled it is that of one that never ran."""

    line: TextBuffer
    """Characters of FFA_CONSOLE_LOG that are not out yet."""


ENDPOINTS: Array[Endpoint] = static(array(PARTITION_COUNT_MAX))


def endpoint_of(partition: Partition) -> Endpoint:
    """FF-A state of a partition."""
    return ENDPOINTS[partition.index]
