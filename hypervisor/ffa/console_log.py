"""FFA_CONSOLE_LOG: a partition prints (DEN0077, FFA_CONSOLE_LOG).

Characters are packed in little-endian order from w2 or x2 on. Each vCPU has a line of its own, which goes out, behind
the IDs of partition and vCPU, when it ends or has as many characters as a line may have.
"""

from __future__ import annotations

from compiler.language import Array, Slice, array, bytes_of, static, u8, u64
from hypervisor.core.vcpu import VCPU_COUNT_MAX, Vcpu, partition_of
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.message import Message, low
from hypervisor.ffa.protocol import VERSION_1_2
from runtime.console import log_text
from runtime.text import TextBuffer

REGISTER_COUNT_64 = 6
REGISTER_COUNT_64_1_2 = 16
"""Registers that can hold characters: w2 to w7, x2 to x7, and from FF-A 1.2 on x2 to x17."""
NEWLINE = ord("\n")
LINE_LENGTH_MAX = 255

LINES: Array[TextBuffer] = static(array(VCPU_COUNT_MAX))
"""What is not out yet, of each vCPU; only the CPU that runs it looks."""


def handle_32(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Four characters in each register."""
    words: Array[u64] = array(3)
    words[0] = u64(low(call.x2)) | u64(low(call.x3)) << 32
    words[1] = u64(low(call.x4)) | u64(low(call.x5)) << 32
    words[2] = u64(low(call.x6)) | u64(low(call.x7)) << 32
    return _print(caller, low(call.x1), bytes_of(words), reply)


def handle_64(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Eight characters in each register; x8 to x17 are where the vectors saved them."""
    words: Array[u64] = array(REGISTER_COUNT_64_1_2)
    words[0] = call.x2
    words[1] = call.x3
    words[2] = call.x4
    words[3] = call.x5
    words[4] = call.x6
    words[5] = call.x7
    count = REGISTER_COUNT_64
    if partition_of(caller).version >= VERSION_1_2:
        count = REGISTER_COUNT_64_1_2
        for index in range(REGISTER_COUNT_64, REGISTER_COUNT_64_1_2):
            words[index] = caller.context.x[index + 2]
    return _print(caller, call.x1, bytes_of(words)[0 : count * 8], reply)


def _print(caller: Vcpu, count: u64, characters: Slice[u8], reply: Message) -> FfaError | None:
    if count == 0 or count > len(characters):
        return FfaError.INVALID_PARAMETERS
    for character in characters[0:count]:
        _append(caller, character)
    reply.succeed(0)
    return None


def _append(caller: Vcpu, character: u8) -> None:
    line = LINES[partition_of(caller).first_vcpu + caller.index]
    ends_line = character == NEWLINE or character == 0
    if not ends_line:
        line.put(character)
    if ends_line or line.count == LINE_LENGTH_MAX:
        log_text(f"[{caller.partition_id.raw:x} {caller.index}] ", line.written())
        line.clear()
