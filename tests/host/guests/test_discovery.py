"""Lists of partitions, in the layouts of all FF-A versions, and indirect messages."""

from __future__ import annotations

import struct

import pytest

from hypervisor.guests import indirect_client
from runtime.partition import discovery, mailbox
from runtime.partition.discovery import PartitionInfo
from tests.host.guests.hypervisor import Guest, Registers, error, success

PARTITIONS = [(1, 4, 0x2), (2, 1, 0x201), (3, 1, 0x205), (7, 8, 0x1)]


class Hypervisor:
    """Has a list of partitions; `size` is that of a descriptor, `registers_size` that of one in registers."""

    def __init__(self, size: int, registers_size: int = 24) -> None:
        self.size = size
        self.registers_size = registers_size
        self.guest = Guest([discovery.discover, discovery.is_confirmed_by_registers], self.answer)

    def answer(self, registers: Registers) -> Registers:
        if registers[0] == 0x8400_0068:
            view = self.guest.static("runtime.partition.mailbox.RECEIVE")
            self.guest.session.write(
                view.address_, b"".join(struct.pack("<HHI", *row).ljust(self.size, b"\xaa") for row in PARTITIONS)
            )
            return success(len(PARTITIONS), self.size)
        if registers[0] == 0xC400_008B:
            return self.in_registers(registers[3])
        return success()

    def in_registers(self, start: int) -> Registers:
        step = self.registers_size // 8
        last = min(len(PARTITIONS), start + 15 // step) - 1
        result = [0xC400_0061, 0, len(PARTITIONS) - 1 | last << 16 | self.registers_size << 48]
        for number, count, properties in PARTITIONS[start : last + 1]:
            result += [number | count << 16 | properties << 32, *[0xAA] * (step - 1)]
        return result

    def entries(self) -> list[tuple[int, int, int]]:
        found = self.guest.static("runtime.partition.discovery.PARTITIONS")
        return [(row.id, row.vcpu_count, row.properties) for row in list(found.entries)[: found.count]]


@pytest.mark.parametrize("size", [8, 24, 48])
@pytest.mark.parametrize("registers_size", [24, 48])
def test_every_layout_is_read(size: int, registers_size: int) -> None:
    hypervisor = Hypervisor(size, registers_size)
    assert hypervisor.guest.call(discovery.discover) is None
    assert hypervisor.entries() == PARTITIONS
    assert hypervisor.guest.call(discovery.is_confirmed_by_registers) is True


def test_a_list_in_registers_that_differs_is_noticed() -> None:
    hypervisor = Hypervisor(24)
    hypervisor.guest.call(discovery.discover)
    hypervisor.guest.static("runtime.partition.discovery.PARTITIONS").entries[2].vcpu_count = 2
    assert hypervisor.guest.call(discovery.is_confirmed_by_registers) is False


def test_an_indirect_message_has_a_header_of_version_1_2() -> None:
    guest = Guest([mailbox.send], lambda _registers: success())
    assert guest.call(mailbox.send, 1, 3, b"hello") is None
    content = guest.session.read(guest.static("runtime.partition.mailbox.SEND").address_, 45)
    assert struct.unpack("<IIIHHIIQQ", content[:40]) == (0, 0, 40, 3, 1, 5, 0, 0, 0)
    assert content[40:] == b"hello"


def test_who_takes_no_indirect_messages_gets_none() -> None:
    guest = Guest([indirect_client.exchange], lambda _registers: error(-6))
    partition = guest.session.new(PartitionInfo, id=2, vcpu_count=1, properties=0x201)
    assert guest.call(indirect_client.exchange, 1, partition) == 0
    assert guest.calls == []
