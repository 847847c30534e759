"""The primary of `./build.py run`: finds all partitions, starts them, and exchanges messages with them from all CPUs.

Every answer is verified. The last line of its summary tells whether all was right; then it switches the machine off.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import Array, Atomic, Ordering, array, export, static, u64
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.protocol import VERSION_1_2
from hypervisor.guests import direct_client, indirect_client, team
from runtime import memory_functions
from runtime.partition import calls, discovery, mailbox, psci
from runtime.partition.console import log
from runtime.partition.discovery import PARTITIONS

ENTRY_POINTS = (memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)

OWN_ID = 1
"""The primary is the first virtual machine."""
ROUND_COUNT = 100
"""Messages of each kind, from each CPU to each partition."""


ANSWERED: Array[Atomic[u64]] = static(array(discovery.PARTITION_COUNT_MAX))
"""Right answers to direct requests, by partition."""
BUSY: Array[Atomic[u64]] = static(array(discovery.PARTITION_COUNT_MAX))
"""Requests that had to be repeated since another CPU was using the partition."""


@export("partition_main")
def partition_main() -> None:
    """The boot CPU."""
    version = calls.version(VERSION_1_2)
    assert calls.own_id() == OWN_ID, "the primary has another ID"
    error = mailbox.map_buffers()
    assert not isinstance(error, FfaError), "no buffers"
    error = discovery.discover()
    assert not isinstance(error, FfaError), "no list of partitions"
    assert discovery.is_confirmed_by_registers(), "two lists of partitions that differ"
    cpu_count = team.start_cpus()
    log(f"FF-A {version >> 16}.{version & 0xFFFF}; CPUs: {cpu_count}, other partitions: {PARTITIONS.count - 1}")
    team.start_partitions(OWN_ID)
    team.begin()
    exchange(0)
    team.wait_for_others(cpu_count)
    summarise(cpu_count)
    psci.system_off()


@export("cpu_main")
def cpu_main(index: u64) -> NoReturn:
    """Every other CPU."""
    team.wait_for_begin()
    exchange(index)
    team.finish()


def exchange(cpu: u64) -> None:
    """Direct messages of each kind to each partition that takes them; every CPU begins with another one."""
    for offset in range(PARTITIONS.count):
        index = (cpu + offset) % PARTITIONS.count
        entry = PARTITIONS.entries[index]
        if entry.id != OWN_ID and entry.properties & discovery.RECEIVES_DIRECT != 0:
            for round_number in range(ROUND_COUNT):
                busy_count = direct_client.exchange(OWN_ID, entry, cpu, round_number)
                BUSY[index].fetch_add(busy_count, Ordering.RELAXED)
                ANSWERED[index].fetch_add(direct_client.kind_count(entry), Ordering.RELAXED)


def summarise(cpu_count: u64) -> None:
    """A line for each partition, and one for all."""
    log("      direct  retried  indirect")
    total: u64 = 0
    for index in range(PARTITIONS.count):
        entry = PARTITIONS.entries[index]
        if entry.id != OWN_ID:
            direct_count = ANSWERED[index].load()
            indirect_count = indirect_client.exchange(OWN_ID, entry)
            log(f"vm{entry.id}  {direct_count:8}  {BUSY[index].load():7}  {indirect_count:8}")
            assert direct_count == expected_count(index, cpu_count), "messages are missing"
            total += direct_count + indirect_count
    log(f"{total} messages sent and answered, all answers right")


def expected_count(index: u64, cpu_count: u64) -> u64:
    """How many direct messages a partition has to have answered."""
    entry = PARTITIONS.entries[index]
    if entry.properties & discovery.RECEIVES_DIRECT == 0:
        return 0
    return cpu_count * ROUND_COUNT * direct_client.kind_count(entry)
