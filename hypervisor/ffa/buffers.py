"""RX and TX buffers: FFA_RXTX_MAP, FFA_RXTX_UNMAP and FFA_RX_RELEASE (DEN0077, RX/TX buffers).

A buffer is memory that its partition owns alone; while it is a buffer the partition neither owns it nor can give it
away, can only read the RX buffer and execute neither, and the hypervisor has it mapped. Either both buffers exist or
none. Locks are taken in the order TX, RX, also where the two are of different partitions.
"""

from __future__ import annotations

from compiler.language import PhysAddr, cold, no_inline, static_assert, u64
from hypervisor.core.vcpu import Vcpu, partition_of
from hypervisor.ffa.endpoint import RX_FULL_BITS, Buffer, Endpoint, endpoint_of
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import Message, low
from hypervisor.memory.address_space import AddressSpace
from hypervisor.memory.descriptors import Access, Ownership, access_of, ownership_of
from hypervisor.memory.exact_map import map_buffer, unmap_buffer
from hypervisor.memory.page_table import change_ownership, common_leaf, protect_range, query
from hypervisor.memory.pages import PAGE_SIZE, MapError

PAGE_COUNT_MAX = 1
"""Pages of a buffer; FFA_FEATURES tells callers of FF-A 1.2 and later."""
static_assert(PAGE_COUNT_MAX == 1, "pages of a partition need not follow each other in physical memory")


@cold
def handle_map(caller: Vcpu, tx_address: u64, rx_address: u64, page_count: u64, reply: Message) -> FfaError | None:
    """Make two pages of the caller its buffers. Addresses are the caller's own: virtual at EL0, else intermediate."""
    if page_count == 0 or page_count > PAGE_COUNT_MAX:
        return FfaError.INVALID_PARAMETERS
    if (tx_address | rx_address) & (PAGE_SIZE - 1) != 0 or tx_address == rx_address:
        return FfaError.INVALID_PARAMETERS
    partition = partition_of(caller)
    endpoint = endpoint_of(partition)
    with endpoint.tx, endpoint.rx:
        error = map_both(partition.memory, endpoint, tx_address, rx_address)
    if isinstance(error, FfaError):
        return error
    reply.succeed(0)
    return None


def handle_unmap(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Give the caller its pages back as they were."""
    if low(call.x1) >> 16 != 0:
        return FfaError.INVALID_PARAMETERS
    partition = partition_of(caller)
    endpoint = endpoint_of(partition)
    with endpoint.tx, endpoint.rx:
        if not endpoint.tx.is_mapped():
            return FfaError.INVALID_PARAMETERS
        unshare(partition.memory, endpoint.tx)
        unshare(partition.memory, endpoint.rx)
        endpoint.rx.is_full = False
        endpoint.rx.used_size = 0
    reply.succeed(0)
    return None


def handle_release(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """The caller has read its RX buffer. It has to know of a message before: FFA_NOTIFICATION_GET comes first."""
    if low(call.x1) & 0xFFFF != 0:
        return FfaError.INVALID_PARAMETERS
    error = release_rx(endpoint_of(partition_of(caller)))
    if isinstance(error, FfaError):
        return error
    reply.succeed(0)
    return None


def release_rx(endpoint: Endpoint) -> FfaError | None:
    """Let the hypervisor have a full RX buffer again."""
    with endpoint.rx:
        if not endpoint.rx.is_full or endpoint.framework_notifications.load() & RX_FULL_BITS != 0:
            return FfaError.DENIED
        endpoint.rx.is_full = False
    return None


def map_both(space: AddressSpace, endpoint: Endpoint, tx_address: u64, rx_address: u64) -> FfaError | None:
    """Both buffers or none, under both locks."""
    if endpoint.tx.is_mapped():
        return FfaError.DENIED
    tx_access = own_access(space, tx_address)
    rx_access = own_access(space, rx_address)
    if tx_access is None or rx_access is None or not is_writable(tx_access):
        return FfaError.INVALID_PARAMETERS
    error = share(space, endpoint.tx, tx_address, tx_access, Access.READ_WRITE, Access.READ_ONLY)
    if isinstance(error, FfaError):
        return error
    error = share(space, endpoint.rx, rx_address, rx_access, Access.READ_ONLY, Access.READ_WRITE)
    if isinstance(error, FfaError):
        unshare(space, endpoint.tx)
        return error
    endpoint.rx.used_size = PAGE_SIZE
    return None


@no_inline
def own_access(space: AddressSpace, address: u64) -> Access | None:
    """What a partition may do with a page of normal memory that it owns alone; None if it does not."""
    leaf = common_leaf(space, address, PAGE_SIZE)
    if isinstance(leaf, MapError):
        return None
    access = access_of(space.regime, leaf)
    if access is None or access == Access.DEVICE or access == Access.DEVICE_READ_ONLY:
        return None
    return access if ownership_of(leaf) == Ownership.OWNED else None


def is_writable(access: Access) -> bool:
    """Whether normal memory can be written to."""
    return access == Access.READ_WRITE or access == Access.READ_WRITE_EXECUTE


def share(
    space: AddressSpace, buffer: Buffer, address: u64, before: Access, access: Access, hypervisor_access: Access
) -> FfaError | None:
    """Make a page a buffer: shared for the partition, which has `access` then, and mapped for the hypervisor."""
    error = change_ownership(space, address, PAGE_SIZE, Ownership.OWNED, Ownership.BORROWED_SHARED)
    if isinstance(error, MapError):
        return error_of(error)
    protect(space, address, access)
    physical = query(space, address).output
    mapped = map_buffer(physical, PAGE_COUNT_MAX, hypervisor_access)
    if isinstance(mapped, MapError):
        take_back(space, address, before)
        return error_of(mapped)
    buffer.start = physical
    buffer.input_address = address
    buffer.access = before
    return None


def unshare(space: AddressSpace, buffer: Buffer) -> None:
    """Undo `share`."""
    unmap_buffer(buffer.start, PAGE_COUNT_MAX)
    take_back(space, buffer.input_address, buffer.access)
    buffer.start = PhysAddr(0)
    buffer.input_address = 0
    buffer.access = Access.READ_ONLY


def take_back(space: AddressSpace, address: u64, access: Access) -> None:
    """Let the partition have its page as it was."""
    protect(space, address, access)
    error = change_ownership(space, address, PAGE_SIZE, Ownership.BORROWED_SHARED, Ownership.OWNED)
    assert not isinstance(error, MapError), "a buffer's page was given away"


def protect(space: AddressSpace, address: u64, access: Access) -> None:
    """Change permissions of a page that has an entry of its own, so that no table is needed."""
    error = protect_range(space, address, PAGE_SIZE, access)
    assert not isinstance(error, MapError), "a buffer's page is not mapped alone"


def error_of(error: MapError) -> FfaError:
    """How a caller learns of a failure that is not in its arguments."""
    return FfaError.NO_MEMORY if error == MapError.NO_PAGES else FfaError.DENIED
