"""Makes the calls of `setup_rows.py` and compares the answers; the primary then lets every other partition do the same.

One source for all kinds of callers. A guest agrees on a version that follows from where it is: of four guests of 1 MiB
that follow each other each has another one.
"""

from __future__ import annotations

from compiler.language import Array, address_of, array, export, extern, static, struct, u16, u32, u64, unreachable
from hypervisor.ffa.protocol import OWN_VERSION, VERSION_1_0
from hypervisor.guests.setup_rows import (
    BASE_WIDTH,
    CALL_AT,
    IGNORED_LSB,
    REGISTER_COUNT,
    ROW_SIZE,
    ROWS,
    VERSIONS_LSB,
    WANTED_AT,
    WORDS,
    Base,
    Kind,
)
from runtime import memory_functions
from runtime.partition import calls, mailbox, message, psci
from runtime.partition.console import log
from runtime.partition.functions import Call
from runtime.partition.message import LongMessage
from runtime.partition.program import IMAGE_START

ENTRY_POINTS = (memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)
ROW_COUNT = len(ROWS)
PRIMARY_ID = 1
VERSION_MASK = 3
DISTANCE_BITS = 20
BASE_MASK = (1 << BASE_WIDTH) - 1
PATTERN = 0xA5A5_0000_5A5A_0000


@struct
class Answer:
    """What a row was answered with."""

    row: u64 = 0
    x0: u64 = 0
    x1: u64 = 0
    x2: u64 = 0
    x3: u64 = 0


WRONG_COUNT_MAX = 16
WRONG: Array[Answer] = static(array(WRONG_COUNT_MAX))
"""The first wrong answers, and the last: printing is a call too, which would change what the next rows find."""


@extern("kind_of_image")
def kind_of_image() -> u64:
    """That of the exception level."""
    unreachable()


@export("partition_main")
def partition_main() -> None:
    """All rows; nothing is called before them, since a call other than FFA_VERSION would be one."""
    own_id = replay()
    if own_id == PRIMARY_ID:
        partition = own_id + 1
        while run_to_its_end(partition):
            partition += 1
        log(f"{partition - 1} partitions replayed their rows")
        psci.system_off()


def replay() -> u16:
    """Make all calls that are for this partition, and log what is wrong; its ID."""
    own_id: u16 = 0
    kind = kind_of_image()
    version = version_of_manifest() if kind == Kind.EL0.value else version_of_place()
    count: u64 = 0
    wrong_count: u64 = 0
    for index in range(ROW_COUNT):
        head = WORDS[index * ROW_SIZE]
        function = WORDS[index * ROW_SIZE + CALL_AT]
        if own_id == 0 and function != Call.VERSION.value and function != Call.INTERRUPT.value:
            own_id = calls.own_id()
            if own_id == PRIMARY_ID:
                kind = Kind.PRIMARY.value
        if head & kind != 0 and head >> (VERSIONS_LSB + version) & 1 != 0:
            count += 1
            if not is_right(index, own_id, WRONG[min(wrong_count, WRONG_COUNT_MAX - 1)]):
                wrong_count += 1
    for index in range(min(wrong_count, WRONG_COUNT_MAX)):
        answer = WRONG[index]
        log(f"row {answer.row}: x0 {answer.x0:#x}, x1 {answer.x1:#x}, x2 {answer.x2:#x}, x3 {answer.x3:#x}")
    log(f"version 1.{version}: {count} rows, {wrong_count} wrong")
    return own_id


def version_of_place() -> u64:
    """The minor version that a guest agrees on: those of guests that follow each other are different."""
    return (IMAGE_START.address().raw >> DISTANCE_BITS) & VERSION_MASK


def version_of_manifest() -> u64:
    """The minor version of a partition at EL0, which is final already: it is the only one that is not refused."""
    found: u64 = 0
    for minor in range(VERSION_MASK + 1):
        if calls.version(u32(VERSION_1_0 + minor)) == OWN_VERSION:
            found = minor
    return found


def is_right(index: u64, own_id: u16, answer: Answer) -> bool:
    """Make the call of a row, note its result; whether that and the registers behind it are as they have to be."""
    row = WORDS[index * ROW_SIZE : (index + 1) * ROW_SIZE]
    registers = LongMessage()
    for number in range(REGISTER_COUNT):
        registers.x[number] = row[CALL_AT + number] + base_of(row[1], number, own_id)
    for number in range(REGISTER_COUNT, message.REGISTER_COUNT):
        registers.x[number] = PATTERN + number
    calls.call_long(registers)
    answer.row = index
    answer.x0 = registers.x[0]
    answer.x1 = registers.x[1]
    answer.x2 = registers.x[2]
    answer.x3 = registers.x[3]
    right = True
    for number in range(REGISTER_COUNT):
        wanted = row[WANTED_AT + number] + base_of(row[2], number, own_id)
        if registers.x[number] != wanted and row[0] >> (IGNORED_LSB + number) & 1 == 0:
            right = False
    for number in range(REGISTER_COUNT, message.REGISTER_COUNT):
        if registers.x[number] != PATTERN + number:
            right = False
    return right


def base_of(bases: u64, number: u64, own_id: u16) -> u64:
    """What is added to the value of a register."""
    base = bases >> (number * BASE_WIDTH) & BASE_MASK
    if base == Base.TX.value:
        return address_of(mailbox.SEND).address.raw
    if base == Base.RX.value:
        return address_of(mailbox.RECEIVE).address.raw
    return own_id if base == Base.OWN_ID.value else 0


def run_to_its_end(partition: u16) -> bool:
    """Let a partition replay its rows, after which it waits; False where there is none."""
    result = calls.run(partition, 0)
    while result.x0 == Call.YIELD.value or result.x0 == Call.INTERRUPT.value:
        result = calls.run(partition, 0)
    return result.x0 == Call.MSG_WAIT.value
