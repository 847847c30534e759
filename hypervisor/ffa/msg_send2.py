"""FFA_MSG_SEND2: a message from the sender's TX buffer to the receiver's RX buffer (DEN0077, indirect messaging).

A message begins with a header that tells where the payload is. It is copied as it is, so a receiver goes by that offset
whatever version the sender has. The header is copied once and checked, and that copy is what the receiver gets.
"""

from __future__ import annotations

from compiler.language import Ptr, UntrustedBytes, bytes_of, size_of, slice_of, static_assert, struct, u8, u16, u32, u64
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


@struct
class Header:
    """What a message begins with, in FF-A 1.1; later versions append the UUID of a service."""

    flags: u32 = 0
    reserved: u32 = 0
    payload_offset: u32 = 0
    receiver: u16 = 0
    sender: u16 = 0
    payload_size: u32 = 0


static_assert(size_of(Header) == HEADER_SIZE_1_1, "DEN0077, partition message header")


def handle(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Send what is in the caller's TX buffer."""
    if low(call.x1) >> 16 != 0:
        return FfaError.INVALID_PARAMETERS  # only hypervisors speak for others
    sender = partition_of(caller)
    endpoint = endpoint_of(sender)
    header = Header()
    with endpoint.tx:
        if not endpoint.tx.is_mapped():
            return FfaError.DENIED
        tx = UntrustedBytes.at(to_virtual(endpoint.tx.start), PAGE_SIZE)
        _ = tx.copy_in(0, bytes_of(header))
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
    if header.sender != sender.id.raw or header.receiver == header.sender or flags != 0:
        return FfaError.INVALID_PARAMETERS
    receiver = find_partition(PartitionId(header.receiver))
    if receiver is None:
        return FfaError.INVALID_PARAMETERS
    if sender.version < VERSION_1_1 or receiver.version < VERSION_1_1:
        return FfaError.DENIED
    return receiver


def transfer(sender: Partition, receiver: Partition, header: Header, tx: UntrustedBytes) -> FfaError | None:
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
    least: u32 = HEADER_SIZE_1_2 if sender.version >= VERSION_1_2 else HEADER_SIZE_1_1
    size = u64(header.payload_offset) + header.payload_size
    if header.payload_offset < least or size > PAGE_SIZE:
        return FfaError.INVALID_PARAMETERS
    return size


def copy_message(header: Header, tx: UntrustedBytes, buffer: RxBuffer, size: u64) -> None:
    """The message as it is, but for the header, which is what was checked; zeros behind it."""
    rx = slice_of(Ptr[u8].at(to_virtual(buffer.start)), PAGE_SIZE)
    _ = tx.copy_in(0, rx[0:size])
    checked = bytes_of(header)
    for position in range(HEADER_SIZE_1_1):
        rx[position] = checked[position]
    buffer.clear_from(size)
