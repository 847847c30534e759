"""The guest's RX and TX buffers, and indirect messages by them (DEN0077, FFA_MSG_SEND2)."""

from __future__ import annotations

from compiler.language import (
    Array,
    Slice,
    address_of,
    array,
    offset_of,
    size_of,
    slice_of,
    static,
    static_assert,
    struct,
    u8,
    u16,
    u32,
    u64,
)
from hypervisor.ffa.errors import FfaError
from runtime.partition import calls

PAGE_SIZE = 4096
SEND: Array[u8] = static(array(PAGE_SIZE), align=PAGE_SIZE)
RECEIVE: Array[u8] = static(array(PAGE_SIZE), align=PAGE_SIZE)


@struct
class MessageHeader:
    """What an indirect message begins with, since FF-A 1.2."""

    flags: u32 = 0
    reserved: u32 = 0
    offset: u32 = 0
    """Of the payload from the start of the buffer."""
    receiver: u16 = 0
    sender: u16 = 0
    size: u32 = 0
    reserved_1: u32 = 0
    service_low: u64 = 0
    service_high: u64 = 0


static_assert(size_of(MessageHeader) == 40 and offset_of(MessageHeader, "service_low") == 24, "as in DEN0077")


def map_buffers() -> FfaError | None:
    """FFA_RXTX_MAP of both, a page each."""
    return calls.map_buffers(address_of(SEND).address, address_of(RECEIVE).address, 1)


def send(sender: u16, receiver: u16, payload: Slice[u8]) -> FfaError | None:
    """FFA_MSG_SEND2 of a copy of the payload."""
    header = address_of(SEND).cast(MessageHeader).value
    header.flags = 0
    header.reserved = 0
    header.offset = size_of(MessageHeader)
    header.receiver = receiver
    header.sender = sender
    header.size = u32(len(payload))
    header.reserved_1 = 0
    header.service_low = 0
    header.service_high = 0
    for position in range(len(payload)):
        SEND[size_of(MessageHeader) + position] = payload[position]
    return calls.send_message()


def received_header() -> MessageHeader:
    """Header of the message in the receive buffer."""
    return address_of(RECEIVE).cast(MessageHeader).value


def received() -> Slice[u8]:
    """Payload of the message in the receive buffer, which is the guest's until FFA_RX_RELEASE."""
    header = received_header()
    return RECEIVE[header.offset : u64(header.offset) + header.size]


def words() -> Slice[u64]:
    """The whole receive buffer."""
    return slice_of(address_of(RECEIVE).cast(u64), PAGE_SIZE // 8)
