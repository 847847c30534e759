"""The exception vectors of a guest at EL1: no exception is expected, so each ends the guest with a report.

The report names what happened, and the function and line of the program, by FFA_CONSOLE_LOG. Then the primary ends the
run, with a status where a host listens (semihosting); any other guest accesses memory that it does not have, upon which
the hypervisor stops it and tells who waits for it.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import (
    Array,
    Ptr,
    VirtAddr,
    array,
    assembly_block,
    export,
    static,
    struct,
    truncate,
    u8,
    u16,
    u64,
    unreachable,
)
from runtime import line_table, semihosting, syndrome, trap_table
from runtime.partition import calls, psci
from runtime.partition.console import write
from runtime.partition.stacks import FAULT_STACK_SIZE
from runtime.syndrome import ExceptionClass
from runtime.text import TextBuffer, render

INSTRUCTION_SIZE = 4
NEWLINE = ord("\n")
PRIMARY_ID = 1
STATUS_FAULT = 1
ABSENT_ADDRESS = 0x70_0000_0000
"""Within the identity map, and far beyond all memory."""


@struct
class Stopping:
    """Whether the run is being ended."""

    is_begun: bool = False


STOPPING: Stopping = static(Stopping())
FAULT_STACK: Array[u8] = static(array(FAULT_STACK_SIZE), align=16)


@export("guest_vectors")
@assembly_block(
    """
    naked
    section ".text.vectors" align 2048
    call end_guest
    begin
        .repeat i, 16
        .slot   0x80 * i
        b       {end_guest}
        .end
    """
)
def guest_vectors() -> NoReturn:
    """All sixteen."""
    unreachable()


@export("end_guest")
@assembly_block(
    """
    naked
    call report_fault, FAULT_STACK
    clobber x0..x2, x29, x30, sp
    begin
        adrp    x0, {FAULT_STACK}
        add     x0, x0, :lo12:{FAULT_STACK}
        add     x0, x0, #{FAULT_STACK_SIZE}
        mov     sp, x0                              // that of the program may be what is wrong
        mrs     x0, ESR_EL1
        mrs     x1, ELR_EL1
        mrs     x2, FAR_EL1
        mov     x29, xzr
        mov     x30, xzr
        b       {report_fault}
    """,
    uses=(FAULT_STACK_SIZE,),
)
def end_guest() -> NoReturn:
    """What all vectors lead to; the program's registers are given up."""
    unreachable()


@export("report_fault")
def report_fault(cause: u64, address: u64, fault_address: u64) -> NoReturn:
    """Print what happened and stop."""
    if STOPPING.is_begun:
        stop_machine()
    buffer = TextBuffer()
    put_cause(buffer, cause, fault_address)
    start = line_table.TEXT_START.address()
    if address >= start.raw:
        line_table.put_location(buffer, line_table.own_table(), (address - start.raw) // INSTRUCTION_SIZE)
    else:
        render(buffer, f" at {address:#x}")
    buffer.put(NEWLINE)
    write(buffer.written())
    if calls.own_id() == PRIMARY_ID:
        stop_machine()
    while True:
        Ptr[u64].at(VirtAddr(ABSENT_ADDRESS)).value = 0


def stop_machine() -> NoReturn:
    """End the run with a status; where no host listens the attempt is a fault, and the machine is switched off."""
    if not STOPPING.is_begun:
        STOPPING.is_begun = True
        semihosting.exit(STATUS_FAULT)
    psci.system_off()


def put_cause(buffer: TextBuffer, cause: u64, fault_address: u64) -> None:
    """What the exception was, in words."""
    kind = syndrome.class_of(cause)
    if kind is None:
        render(buffer, f"stopped: exception {cause:#x} in")
    elif kind == ExceptionClass.BREAKPOINT:
        check = trap_table.find_check(trap_table.TABLE.address(), truncate(u16, cause))
        if check is None:
            render(buffer, f"stopped: brk {truncate(u16, cause):#x} in")
        else:
            render(buffer, f"stopped: {check} in")
    elif kind == ExceptionClass.DATA_ABORT or kind == ExceptionClass.INSTRUCTION_ABORT:
        render(buffer, f"stopped: {fault_address:#x} is {syndrome.describe_abort(cause)} in")
    else:
        render(buffer, f"stopped: {syndrome.describe_class(kind)} in")
