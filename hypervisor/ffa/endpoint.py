"""What FF-A keeps about each partition: its version, its run-time model, its console line.

Written only by the CPU that runs the partition.
"""

from __future__ import annotations

from compiler.language import Array, EnumU8, array, static, struct, u32
from hypervisor.core.partition import Partition
from hypervisor.partitions.listing import PARTITION_COUNT
from runtime.text import TextBuffer


class RuntimeModel(EnumU8):
    """Why a partition runs (DEN0077, partition runtime models): it decides which calls it may make."""

    INITIALISING = 0
    """First entry; until FFA_MSG_WAIT."""
    DIRECT_REQUEST = 1
    """Serves a direct request; until the direct response."""
    NONE = 2
    """Waits."""


@struct
class Endpoint:
    """FF-A state of a partition. Zero-filled it is that of one that never ran."""

    line: TextBuffer
    """Characters of FFA_CONSOLE_LOG that are not out yet."""
    version: u32 = 0
    """What FFA_VERSION negotiated; 0 before."""
    version_is_final: bool = False
    """Whether a call other than FFA_VERSION has been made."""
    model: RuntimeModel = RuntimeModel.INITIALISING


ENDPOINTS: Array[Endpoint] = static(array(PARTITION_COUNT))


def endpoint_of(partition: Partition) -> Endpoint:
    """FF-A state of a partition."""
    return ENDPOINTS[partition.index]
