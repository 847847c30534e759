"""A partition that does wrong what a direct request asks for. One source for EL0 and EL1."""

from __future__ import annotations

from compiler.language import Ptr, SystemRegister, VirtAddr, assembly_block, export, u64
from hypervisor.ffa.message import Message
from hypervisor.ffa.protocol import VERSION_1_2
from hypervisor.guests.fault_kinds import FaultKind
from runtime import memory_functions
from runtime.partition import calls

ENTRY_POINTS = (memory_functions.memcpy, memory_functions.memmove, memory_functions.memset)
ABSENT_ADDRESS = 0x60_0000_0000
UNKNOWN_FUNCTION = 0x8600_7777
NOT_SUPPORTED = 0xFFFF_FFFF_FFFF_FFFF


class HCR_EL2(SystemRegister):
    """Not for guests."""


@assembly_block(
    """
    inline
    begin
        udf     #0
    """
)
def execute_undefined() -> None:
    """An instruction that is undefined at every level."""


@assembly_block(
    """
    inline
    in x0 = function
    out x0
    clobber x1..x17, memory
    begin
        smc     #0
    """
)
def monitor_call(function: u64) -> u64:
    """SMC, which at EL0 is undefined."""
    return NOT_SUPPORTED


@export("partition_main")
def partition_main() -> None:
    """Serve for ever, or until the first fault."""
    assert calls.version(VERSION_1_2) >= VERSION_1_2, "the hypervisor has another FF-A version"
    message = calls.wait()
    while True:
        if not calls.is_request(message):
            message = calls.wait()
        else:
            kind = FaultKind.decode(message.x3)
            assert kind is not None, "a kind of fault that is not known"
            commit(kind, message.x4)
            message = calls.respond(message, Message(x3=message.x3, x4=message.x4 + 1))


def commit(kind: FaultKind, argument: u64) -> None:
    """Do what the request asks for; comes back where that is no fault."""
    match kind:
        case FaultKind.NONE:
            return
        case FaultKind.ABSENT_MEMORY:
            assert Ptr[u64].at(VirtAddr(ABSENT_ADDRESS)).value == 1, "memory that nobody has is there"
        case FaultKind.FOREIGN_MEMORY:
            Ptr[u64].at(VirtAddr(argument)).value = 0
        case FaultKind.UNDEFINED:
            execute_undefined()
        case FaultKind.UNKNOWN_SMC:
            assert monitor_call(UNKNOWN_FUNCTION) == NOT_SUPPORTED, "an unknown function has an answer"
        case FaultKind.SYSTEM_REGISTER:
            HCR_EL2.write(0)
        case FaultKind.FAILED_CHECK:
            assert argument == 0, "deliberate"
        case FaultKind.ENDLESS_LOOP:
            while True:
                pass
