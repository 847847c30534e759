"""What FF-A keeps about each partition: its services, its RX and TX buffers. What short paths need is in `core`.

Services are set when the partition is loaded and only read from then on. The rest changes under the lock of the buffer.
"""

from __future__ import annotations

from compiler.language import (
    Array,
    Atomic,
    PhysAddr,
    UntrustedBytes,
    array,
    lock_rank,
    no_inline,
    static,
    struct,
    u16,
    u64,
)
from hypervisor.core.partition import PARTITION_COUNT_MAX, Partition
from hypervisor.memory.descriptors import Access
from hypervisor.memory.linear_map import to_virtual
from hypervisor.memory.pages import PAGE_SIZE
from runtime.locks import RX_BUFFER_RANK, TX_BUFFER_RANK, TicketLock

SERVICE_COUNT_MAX = 4
"""Per partition."""
UUID_WORD_COUNT = 2

RX_FULL_BITS = 1 << 0 | 1 << 32
"""Framework notifications that tell a partition of a message in its RX buffer: from an SP, from a VM."""


@struct
class Service:
    """A service that a partition's manifest names."""

    uuid: Array[u64] = array(UUID_WORD_COUNT)
    """Bytes 0 to 7 and 8 to 15, little-endian, as x registers carry them."""
    methods: u16 = 0
    """The manifest's messaging-method: bits as in the properties of a partition."""


@struct
class Buffer(TicketLock):
    """Memory that a partition and the hypervisor share, and the lock of its state."""

    start: PhysAddr = PhysAddr(0)
    """Where it is; the hypervisor has it mapped. 0: there is none."""
    input_address: u64 = 0
    """Where the partition has it."""
    access: Access = Access.READ_ONLY
    """What the partition could do with the memory before, and can again afterwards."""

    def is_mapped(self) -> bool:
        """Whether there is one."""
        return self.start.raw != 0


@lock_rank(TX_BUFFER_RANK)
@struct
class TxBuffer(Buffer):
    """Written by the partition, read by the hypervisor while it serves a call, under the lock."""


@lock_rank(RX_BUFFER_RANK)
@struct
class RxBuffer(Buffer):
    """Written by the hypervisor while it is not full, read by the partition."""

    is_full: bool = False
    """Whether it is the partition's, until that releases it."""
    used_size: u64 = 0
    """Bytes from its start that are not known to be zero."""

    def is_free(self) -> bool:
        """Whether the hypervisor may write to it."""
        return self.is_mapped() and not self.is_full

    def clear_from(self, size_bytes: u64) -> None:
        """Zero what an earlier message left behind the `size_bytes` bytes of this one."""
        if size_bytes < self.used_size:
            buffer = UntrustedBytes.at(to_virtual(self.start), PAGE_SIZE)
            _ = buffer.zero(size_bytes, self.used_size - size_bytes)
        self.used_size = size_bytes


@struct
class Endpoint:
    """FF-A state of a partition. Zero-filled it is that of one that has no manifest and made no call."""

    tx: TxBuffer
    rx: RxBuffer
    framework_notifications: Atomic[u64] = Atomic(0)
    """Those pending."""
    receives_notifications: bool = False
    """By its manifest."""
    methods: u16 = 0
    """Those of all services together; without any, those of the partition. Bits 0 and 1 are its vCPUs' `methods`."""
    service_count: u64 = 0
    services: Array[Service] = array(SERVICE_COUNT_MAX)
    image_uuid: Array[u64] = array(UUID_WORD_COUNT)


ENDPOINTS: Array[Endpoint] = static(array(PARTITION_COUNT_MAX))


@no_inline
def endpoint_of(partition: Partition) -> Endpoint:
    """FF-A state of a partition."""
    return ENDPOINTS[partition.index]
