"""A service that answers direct requests like `echo.py`, with secrets in its registers and its memory.

The request `REPORT` asks what it found. One source for EL0 and EL1.
"""

from __future__ import annotations

from compiler.language import Array, Ptr, array, export, slice_of, static, u16, u64
from hypervisor.ffa.protocol import VERSION_1_2
from hypervisor.guests import answer, secrets
from hypervisor.guests.secretive_caller import SecretiveCaller
from hypervisor.guests.secrets import OWNER_FACTOR, REPORT
from runtime import memory_functions
from runtime.partition import calls
from runtime.partition.functions import Call
from runtime.partition.message import LongMessage
from runtime.partition.program import IMAGE_END, IMAGE_START

ENTRY_POINTS = (memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)
VAULT_WORD_COUNT = 4096
VAULT_FIRST_NUMBER = 1 << 24
VAULT: Array[u64] = static(array(VAULT_WORD_COUNT))
CALLER: SecretiveCaller = static(SecretiveCaller())


@export("partition_main")
def partition_main() -> None:
    """Serve for ever."""
    assert calls.version(VERSION_1_2) >= VERSION_1_2, "the hypervisor has another FF-A version"
    own_id = calls.own_id()
    owner = u64(own_id) * OWNER_FACTOR
    for index in range(VAULT_WORD_COUNT):
        VAULT[index] = secrets.secret(owner, VAULT_FIRST_NUMBER + index)
    CALLER.begin(owner)
    serve(own_id)


def serve(own_id: u16) -> None:
    """Answer requests; wait again after anything else."""
    message = LongMessage()
    served_count: u64 = 0
    prepare_wait(message)
    while True:
        CALLER.call(message)
        if not answer.is_request(message):
            prepare_wait(message)
        elif message.x[answer.FIRST_PAYLOAD] == REPORT:
            prepare_report(message, own_id, served_count)
        else:
            served_count += 1
            answer.prepare_response(message, own_id)


def prepare_wait(message: LongMessage) -> None:
    """FFA_MSG_WAIT."""
    calls.clear(message)
    message.x[0] = Call.MSG_WAIT.value


def prepare_report(message: LongMessage, own_id: u16, served_count: u64) -> None:
    """The response to REPORT."""
    sender = message.x[1] >> 16
    calls.clear(message)
    message.x[0] = Call.DIRECT_RESPONSE_64.value
    message.x[1] = u64(own_id) << 16 | sender
    message.x[3] = REPORT
    message.x[4] = served_count
    message.x[5] = CALLER.wrong_count
    message.x[6] = count_vault_differences()
    message.x[7] = count_foreign_in_image()


def count_vault_differences() -> u64:
    """How many words of the vault are not what they were."""
    count: u64 = 0
    for index in range(VAULT_WORD_COUNT):
        count += u64(VAULT[index] != secrets.secret(CALLER.owner, VAULT_FIRST_NUMBER + index))
    return count


def count_foreign_in_image() -> u64:
    """How many secrets of others are in the guest's image, data and stack."""
    start = IMAGE_START.address()
    words = slice_of(Ptr[u64].at(start), (IMAGE_END.address() - start) // 8)
    return secrets.count_foreign(words, CALLER.owner)
