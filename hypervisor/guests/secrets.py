"""Secrets in registers: a call that is made with all of them full of numbers nobody else has.

After the call every register has to hold what it held before: then nothing of another partition is in it, and nothing
of ours was lost. A secret begins with a tag and names its owner, so that one that turns up elsewhere is recognised.
"""

from __future__ import annotations

from compiler.language import Array, Ptr, Slice, array, assembly_block, struct, truncate, u32, u64, wrapping_mul
from hypervisor.guests.answer import ODD_FACTOR
from runtime.partition.message import LongMessage

TAG = 0x5EC2E7
TAG_SHIFT = 40
OWNER_SHIFT = 32
OWNER_FACTOR = 8
"""An owner is eight times the partition's ID, plus the CPU for the primary."""
OWNER_MASK = 0xF8
REPORT = 0x7E11_7E11_7E11_7E11
"""x3 of a request for a report: x4 the requests served, x5 wrong registers, x6 wrong words of memory, x7 secrets of
others in the partition's memory."""
GENERAL_COUNT = 12
"""x18 to x29."""
VECTOR_WORD_COUNT = 64
"""q0 to q31."""


@struct(align=16)
class Secrets:
    """What registers hold."""

    general: Array[u64] = array(GENERAL_COUNT)
    thread_pointer: u64 = 0
    """TPIDR_EL0."""
    by_supervisor_call: u64 = 0
    """1 where the conduit is SVC, 0 for HVC."""
    vectors: Array[u64] = array(VECTOR_WORD_COUNT)


def secret(owner: u64, number: u64) -> u64:
    """One of an owner's secrets."""
    return TAG << TAG_SHIFT | owner << OWNER_SHIFT | truncate(u32, wrapping_mul(number + 1, ODD_FACTOR) >> 32)


def is_of_another(word: u64, owner: u64) -> bool:
    """Whether a word is a secret of another partition; with no owner it is a constant of the program."""
    found = word >> OWNER_SHIFT & OWNER_MASK
    return word >> TAG_SHIFT == TAG and found != 0 and found != owner & OWNER_MASK


def plant(secrets: Secrets, owner: u64, sequence: u64) -> None:
    """Make the secrets for a call."""
    first = sequence * 128
    for index in range(VECTOR_WORD_COUNT):
        secrets.vectors[index] = secret(owner, first + index)
    for index in range(GENERAL_COUNT):
        secrets.general[index] = secret(owner, first + VECTOR_WORD_COUNT + index)
    secrets.thread_pointer = secret(owner, first + VECTOR_WORD_COUNT + GENERAL_COUNT)


def count_differences(planted: Secrets, found: Secrets) -> u64:
    """How many words are not what they were."""
    count: u64 = 0
    for index in range(VECTOR_WORD_COUNT):
        count += u64(planted.vectors[index] != found.vectors[index])
    for index in range(GENERAL_COUNT):
        count += u64(planted.general[index] != found.general[index])
    return count + u64(planted.thread_pointer != found.thread_pointer)


def count_foreign(words: Slice[u64], owner: u64) -> u64:
    """How many of these words are secrets of another partition."""
    count: u64 = 0
    for word in words:
        count += u64(is_of_another(word, owner))
    return count


@assembly_block(
    """
    naked
    in      x0 = message, x1 = secrets, x2 = found, x19..x29, x30, sp
    clobber x0..x30, v0..v31, nzcv, memory
    begin
        stp     x29, x30, [sp, #-0x80]!
        stp     x27, x28, [sp, #0x10]
        stp     x25, x26, [sp, #0x20]
        stp     x23, x24, [sp, #0x30]
        stp     x21, x22, [sp, #0x40]
        stp     x19, x20, [sp, #0x50]
        stp     x0, x2, [sp, #0x60]
        mov     x9, x0
        ldp     q0, q1, [x1, #{Secrets.vectors[0]}]
        ldp     q2, q3, [x1, #{Secrets.vectors[4]}]
        ldp     q4, q5, [x1, #{Secrets.vectors[8]}]
        ldp     q6, q7, [x1, #{Secrets.vectors[12]}]
        ldp     q8, q9, [x1, #{Secrets.vectors[16]}]
        ldp     q10, q11, [x1, #{Secrets.vectors[20]}]
        ldp     q12, q13, [x1, #{Secrets.vectors[24]}]
        ldp     q14, q15, [x1, #{Secrets.vectors[28]}]
        ldp     q16, q17, [x1, #{Secrets.vectors[32]}]
        ldp     q18, q19, [x1, #{Secrets.vectors[36]}]
        ldp     q20, q21, [x1, #{Secrets.vectors[40]}]
        ldp     q22, q23, [x1, #{Secrets.vectors[44]}]
        ldp     q24, q25, [x1, #{Secrets.vectors[48]}]
        ldp     q26, q27, [x1, #{Secrets.vectors[52]}]
        ldp     q28, q29, [x1, #{Secrets.vectors[56]}]
        ldp     q30, q31, [x1, #{Secrets.vectors[60]}]
        ldp     x18, x19, [x1, #{Secrets.general[0]}]
        ldp     x20, x21, [x1, #{Secrets.general[2]}]
        ldp     x22, x23, [x1, #{Secrets.general[4]}]
        ldp     x24, x25, [x1, #{Secrets.general[6]}]
        ldp     x26, x27, [x1, #{Secrets.general[8]}]
        ldp     x28, x29, [x1, #{Secrets.general[10]}]
        ldp     x10, x11, [x1, #{Secrets.thread_pointer}]
        msr     TPIDR_EL0, x10
        cmp     x11, #0
        ldp     x0, x1, [x9, #{LongMessage.x[0]}]
        ldp     x2, x3, [x9, #{LongMessage.x[2]}]
        ldp     x4, x5, [x9, #{LongMessage.x[4]}]
        ldp     x6, x7, [x9, #{LongMessage.x[6]}]
        ldp     x10, x11, [x9, #{LongMessage.x[10]}]
        ldp     x12, x13, [x9, #{LongMessage.x[12]}]
        ldp     x14, x15, [x9, #{LongMessage.x[14]}]
        ldp     x16, x17, [x9, #{LongMessage.x[16]}]
        ldp     x8, x9, [x9, #{LongMessage.x[8]}]
        b.ne    1f
        hvc     #0
        b       2f
    1:  svc     #0
    2:  str     x30, [sp, #0x70]
        ldr     x30, [sp, #0x60]                    // the message
        stp     x0, x1, [x30, #{LongMessage.x[0]}]
        stp     x2, x3, [x30, #{LongMessage.x[2]}]
        stp     x4, x5, [x30, #{LongMessage.x[4]}]
        stp     x6, x7, [x30, #{LongMessage.x[6]}]
        stp     x8, x9, [x30, #{LongMessage.x[8]}]
        stp     x10, x11, [x30, #{LongMessage.x[10]}]
        stp     x12, x13, [x30, #{LongMessage.x[12]}]
        stp     x14, x15, [x30, #{LongMessage.x[14]}]
        stp     x16, x17, [x30, #{LongMessage.x[16]}]
        ldr     x0, [sp, #0x68]                     // what is found
        stp     q0, q1, [x0, #{Secrets.vectors[0]}]
        stp     q2, q3, [x0, #{Secrets.vectors[4]}]
        stp     q4, q5, [x0, #{Secrets.vectors[8]}]
        stp     q6, q7, [x0, #{Secrets.vectors[12]}]
        stp     q8, q9, [x0, #{Secrets.vectors[16]}]
        stp     q10, q11, [x0, #{Secrets.vectors[20]}]
        stp     q12, q13, [x0, #{Secrets.vectors[24]}]
        stp     q14, q15, [x0, #{Secrets.vectors[28]}]
        stp     q16, q17, [x0, #{Secrets.vectors[32]}]
        stp     q18, q19, [x0, #{Secrets.vectors[36]}]
        stp     q20, q21, [x0, #{Secrets.vectors[40]}]
        stp     q22, q23, [x0, #{Secrets.vectors[44]}]
        stp     q24, q25, [x0, #{Secrets.vectors[48]}]
        stp     q26, q27, [x0, #{Secrets.vectors[52]}]
        stp     q28, q29, [x0, #{Secrets.vectors[56]}]
        stp     q30, q31, [x0, #{Secrets.vectors[60]}]
        stp     x18, x19, [x0, #{Secrets.general[0]}]
        stp     x20, x21, [x0, #{Secrets.general[2]}]
        stp     x22, x23, [x0, #{Secrets.general[4]}]
        stp     x24, x25, [x0, #{Secrets.general[6]}]
        stp     x26, x27, [x0, #{Secrets.general[8]}]
        stp     x28, x29, [x0, #{Secrets.general[10]}]
        mrs     x1, TPIDR_EL0
        str     x1, [x0, #{Secrets.thread_pointer}]
        ldp     x19, x20, [sp, #0x50]
        ldp     x21, x22, [sp, #0x40]
        ldp     x23, x24, [sp, #0x30]
        ldp     x25, x26, [sp, #0x20]
        ldp     x27, x28, [sp, #0x10]
        ldp     x29, x30, [sp], #0x80
        ret
    """
)
def call_with_secrets(message: Ptr[LongMessage], secrets: Ptr[Secrets], found: Ptr[Secrets]) -> None:
    """Make a call; the message becomes its result, `found` what the registers hold then.

    On the host there is no hypervisor that could change a register.
    """
    for index in range(VECTOR_WORD_COUNT):
        found.value.vectors[index] = secrets.value.vectors[index]
    for index in range(GENERAL_COUNT):
        found.value.general[index] = secrets.value.general[index]
    found.value.thread_pointer = secrets.value.thread_pointer
    message.value.x[0] = 0
