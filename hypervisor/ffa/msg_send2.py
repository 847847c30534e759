"""FFA_MSG_SEND2: a message from the sender's TX buffer to the receiver's RX buffer (DEN0077, indirect messaging).

A message begins with a header that tells where the payload is. It is copied as it is, so a receiver goes by that offset
whatever version the sender has. The header is copied once and checked, and that copy is what the receiver gets.
"""

from __future__ import annotations

from compiler.language import (
    Atomic,
    Ordering,
    Ptr,
    UntrustedBytes,
    VirtAddr,
    size_of,
    slice_of,
    static_assert,
    struct,
    truncate,
    u8,
    u16,
    u32,
    u64,
)
from hypervisor.core.partition import Partition, PartitionId, find_partition
from hypervisor.core.vcpu import Vcpu, partition_of
from hypervisor.ffa.endpoint import RxBuffer, endpoint_of
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import Message, low
from hypervisor.ffa.notification_state import signal_framework
from hypervisor.ffa.protocol import VERSION_1_1, VERSION_1_2
from hypervisor.memory.linear_map import to_virtual
from hypervisor.memory.pages import PAGE_SIZE

RX_FULL_FROM_VM = 1 << 32
"""The framework notification that the receiver gets."""
HEADER_SIZE_1_1 = 20
HEADER_SIZE_1_2 = 40
"""Smallest offset of the payload, by the sender's version."""
WORD_MASK = 0xFFFF_FFFF
RELAXED = Ordering.RELAXED


@struct
class HeaderWords:
    """The first 24 bytes of a message as they are shared: each word is read once."""

    flags: Atomic[u64] = Atomic(0)
    """And a reserved word."""
    route: Atomic[u64] = Atomic(0)
    """Offset of the payload, receiver, sender."""
    size: Atomic[u64] = Atomic(0)
    """Size of the payload, and a word that is reserved since FF-A 1.2, when the UUID of a service follows."""


HEADER_SIZE = size_of(HeaderWords)
static_assert(HEADER_SIZE_1_1 <= HEADER_SIZE <= HEADER_SIZE_1_2, "every version's fields, and not much else")


@struct
class Header:
    """A copy of them."""

    flags: u64
    route: u64
    size: u64

    def payload_offset(self) -> u64:
        """From the start of the message."""
        return self.route & WORD_MASK

    def receiver(self) -> PartitionId:
        """Whom the message is for."""
        return PartitionId(truncate(u16, self.route >> 32))

    def sender(self) -> PartitionId:
        """Whom it is from."""
        return PartitionId(truncate(u16, self.route >> 48))

    def payload_size(self) -> u64:
        """In bytes."""
        return self.size & WORD_MASK


def handle(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Send what is in the caller's TX buffer."""
    if low(call.x1) >> 16 != 0:
        return FfaError.INVALID_PARAMETERS  # only hypervisors speak for others
    sender = partition_of(caller)
    endpoint = endpoint_of(sender)
    with endpoint.tx:
        if not endpoint.tx.is_mapped():
            return FfaError.DENIED
        tx = to_virtual(endpoint.tx.start)
        words = Ptr[HeaderWords].at(tx).value
        header = Header(flags=words.flags.load(RELAXED), route=words.route.load(RELAXED), size=words.size.load(RELAXED))
        receiver = check(sender, header, low(call.x2))
        if isinstance(receiver, FfaError):
            return receiver
        error = transfer(sender, receiver, header, tx)
    if isinstance(error, FfaError):
        return error
    reply.succeed(0)
    return None


def check(sender: Partition, header: Header, flags: u32) -> Partition | FfaError:
    """Who is to get the message; VMs have no flags."""
    if header.sender() != sender.id or header.receiver() == sender.id or flags != 0:
        return FfaError.INVALID_PARAMETERS
    receiver = find_partition(header.receiver())
    if receiver is None:
        return FfaError.INVALID_PARAMETERS
    if sender.version < VERSION_1_1 or receiver.version < VERSION_1_1:
        return FfaError.DENIED
    return receiver


def transfer(sender: Partition, receiver: Partition, header: Header, tx: VirtAddr) -> FfaError | None:
    """Copy the message and tell the receiver, all under the lock of its buffer."""
    endpoint = endpoint_of(receiver)
    with endpoint.rx:
        if not endpoint.rx.is_free():
            return FfaError.BUSY
        size = message_size(sender, header)
        if isinstance(size, FfaError):
            return size
        copy_message(header, tx, endpoint.rx, size)
        endpoint.rx.is_full = True
        signal_framework(receiver, endpoint, RX_FULL_FROM_VM)
    return None


def message_size(sender: Partition, header: Header) -> u64 | FfaError:
    """Bytes of header and payload, which fit the buffer."""
    least: u64 = HEADER_SIZE_1_2 if sender.version >= VERSION_1_2 else HEADER_SIZE_1_1
    size = header.payload_offset() + header.payload_size()
    if header.payload_offset() < least or size > PAGE_SIZE:
        return FfaError.INVALID_PARAMETERS
    return size


def copy_message(header: Header, tx: VirtAddr, buffer: RxBuffer, size: u64) -> None:
    """The message as it is, but for the header, which is what was checked; zeros behind it."""
    rx = to_virtual(buffer.start)
    _ = UntrustedBytes.at(tx, PAGE_SIZE).copy_in(0, slice_of(Ptr[u8].at(rx), size))
    words = Ptr[Header].at(rx).value
    words.flags = header.flags
    words.route = header.route
    words.size = header.size
    buffer.used_size = max(buffer.used_size, HEADER_SIZE)
    buffer.clear_from(size)
