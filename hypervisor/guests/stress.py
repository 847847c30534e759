"""A primary that sends 100,000 direct messages from all CPUs to random partitions, with secrets in every register.

The partitions are of `keeper.py`. Every response is verified when it comes; at the end each partition reports how many
requests it served and what it found in its registers and memory, and the sums have to agree.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import Array, Atomic, Ordering, Ptr, array, constant, export, slice_of, static, struct, u64
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.protocol import VERSION_1_2
from hypervisor.guests import direct_client, secrets, team
from hypervisor.guests.secretive_caller import SecretiveCaller
from hypervisor.guests.secrets import OWNER_FACTOR, REPORT
from runtime import memory_functions
from runtime.partition import calls, discovery, mailbox, psci
from runtime.partition.console import log
from runtime.partition.discovery import PARTITIONS
from runtime.partition.functions import Call
from runtime.partition.message import LongMessage
from runtime.partition.program import IMAGE_END, IMAGE_START

ENTRY_POINTS = (memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)
OWN_ID = 1
MESSAGE_COUNT = 100_000
CPU_COUNT_MAX = 8
KIND_COUNT = 3
KINDS: Array[Call] = constant([Call.DIRECT_REQUEST_64, Call.DIRECT_REQUEST, Call.DIRECT_REQUEST_2])


@struct(align=64)
class Sender:
    """One CPU's part."""

    caller: SecretiveCaller
    state: u64 = 0
    """Of the random numbers."""
    sent: Array[u64] = array(discovery.PARTITION_COUNT_MAX)
    """Messages by partition."""
    busy_count: u64 = 0


@struct
class Totals:
    """What was found, of everybody."""

    served_count: u64 = 0
    wrong_count: u64 = 0
    leaked_count: u64 = 0


SENDERS: Array[Sender] = static(array(CPU_COUNT_MAX))
TAKEN: Atomic[u64] = static(Atomic(0))
"""Messages that a CPU has taken on to send."""


@export("partition_main")
def partition_main() -> None:
    """The boot CPU."""
    calls.version(VERSION_1_2)
    assert calls.own_id() == OWN_ID, "the primary has another ID"
    error = mailbox.map_buffers()
    assert not isinstance(error, FfaError), "no buffers"
    error = discovery.discover()
    assert not isinstance(error, FfaError), "no list of partitions"
    team.start_partitions(OWN_ID)
    cpu_count = team.start_cpus()
    log(f"{MESSAGE_COUNT} messages from {cpu_count} CPUs to {PARTITIONS.count - 1} partitions")
    team.begin()
    send_all(0)
    team.wait_for_others(cpu_count)
    summarise(cpu_count)
    psci.system_off()


@export("cpu_main")
def cpu_main(index: u64) -> NoReturn:
    """Every other CPU."""
    team.wait_for_begin()
    send_all(index)
    team.finish()


def send_all(cpu: u64) -> None:
    """Send messages while there are any left."""
    sender = SENDERS[cpu]
    sender.state = secrets.secret(cpu, 0)
    sender.caller.begin(OWN_ID * OWNER_FACTOR + cpu)
    number = TAKEN.fetch_add(1, Ordering.RELAXED)
    while number < MESSAGE_COUNT:
        send_one(sender, cpu << direct_client.CPU_SHIFT | number)
        number = TAKEN.fetch_add(1, Ordering.RELAXED)


def next_random(sender: Sender) -> u64:
    """The next number of a xorshift generator (Marsaglia)."""
    state = sender.state
    state = state ^ (state & 0x7_FFFF_FFFF_FFFF) << 13
    state = state ^ state >> 7
    state = state ^ (state & 0x7FFF_FFFF_FFFF) << 17
    sender.state = state
    return state


def send_one(sender: Sender, seed: u64) -> None:
    """One request and its response; where a partition is busy, another one gets it."""
    message = LongMessage()
    while True:
        index = 1 + next_random(sender) % (PARTITIONS.count - 1)
        partition = PARTITIONS.entries[index].id
        function = KINDS[next_random(sender) % KIND_COUNT]
        direct_client.fill(message, function, OWN_ID, partition, seed)
        expected = direct_client.expected_answer(message, partition)
        sender.caller.call(message)
        if not direct_client.is_to_be_repeated(message):
            direct_client.verify(message, function, u64(partition) << 16 | OWN_ID, expected, seed)
            sender.sent[index] += 1
            return
        sender.busy_count += 1


def summarise(cpu_count: u64) -> None:
    """Ask every partition, add up, and say whether all is as it has to be."""
    totals = Totals()
    log("partition     sent   served  wrong registers  wrong memory  leaks")
    for index in range(1, PARTITIONS.count):
        report(index, cpu_count, totals)
    busy_count: u64 = 0
    for cpu in range(cpu_count):
        busy_count += SENDERS[cpu].busy_count
        totals.wrong_count += SENDERS[cpu].caller.wrong_count
    start = IMAGE_START.address()
    words = slice_of(Ptr[u64].at(start), (IMAGE_END.address() - start) // 8)
    totals.leaked_count += secrets.count_foreign(words, OWN_ID * OWNER_FACTOR)
    log(f"{busy_count} requests repeated, {totals.wrong_count} registers wrong, {totals.leaked_count} secrets leaked")
    assert totals.served_count == MESSAGE_COUNT, "not every message was served once"
    assert totals.wrong_count == 0, "registers were lost or changed"
    assert totals.leaked_count == 0, "secrets leaked"
    log(f"{totals.served_count} messages sent and answered, all answers right")


def report(index: u64, cpu_count: u64, totals: Totals) -> None:
    """What one partition says, against what was sent to it."""
    partition = PARTITIONS.entries[index].id
    sent_count: u64 = 0
    for cpu in range(cpu_count):
        sent_count += SENDERS[cpu].sent[index]
    message = LongMessage()
    message.x[0] = Call.DIRECT_REQUEST_64.value
    message.x[1] = u64(OWN_ID) << 16 | partition
    message.x[3] = REPORT
    calls.call_long(message)
    assert message.x[0] == Call.DIRECT_RESPONSE_64.value, "no report"
    served_count = message.x[4]
    log(f"{partition:9} {sent_count:8} {served_count:8} {message.x[5]:16} {message.x[6]:13} {message.x[7]:6}")
    assert served_count == sent_count, "messages were lost or doubled"
    totals.served_count += served_count
    totals.wrong_count += message.x[5] + message.x[6]
    totals.leaked_count += message.x[7]
