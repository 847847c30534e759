"""The panic report: why the image stopped, where, with what in its registers, and who called whom.

Runs on a stack of its own, takes no lock and trusts little: a panic inside the report cuts it short. The image exports
`stop_machine`, which ends everything.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import (
    Ptr,
    Slice,
    VirtAddr,
    cold,
    cpu_index,
    export,
    extern,
    linker_symbol,
    truncate,
    u16,
    u64,
    unreachable,
)
from runtime import line_table, syndrome, trap_table
from runtime.console import console_write, log_unlocked
from runtime.panic_frame import PanicFrame
from runtime.syndrome import ExceptionClass
from runtime.text import TextBuffer, render

STACKS_START = linker_symbol("__stacks_start")
STACKS_END = linker_symbol("__stacks_end")
PANIC_STATUS = 70
"""What the run ends with after a panic."""
BACKTRACE_DEPTH_MAX = 32
ADDRESS_BITS = 39
"""Above them a return address may hold an authentication code."""
FRAME_ALIGNMENT = 16
INSTRUCTION_SIZE = 4
SPACE = ord(" ")
NEWLINE = ord("\n")


@extern("stop_machine")
def stop_machine(_status: u64) -> NoReturn:
    """End the run; provided by the image."""
    unreachable()


@cold
@export("report_exception")
def report_exception(frame: PanicFrame) -> NoReturn:
    """Print what is known and stop; the vectors call it with the registers stored."""
    if frame.depth > 1:
        log_unlocked(f"PANIC inside a panic at pc {frame.program_counter:#x}, esr {frame.syndrome:#x}")
        stop_machine(PANIC_STATUS)
    log_unlocked("")
    print_reason(frame)
    print_location("  at", VirtAddr(frame.program_counter))
    print_location("  x30", strip(frame.x[30]) - INSTRUCTION_SIZE)
    print_registers(frame)
    print_backtrace(frame)
    stop_machine(PANIC_STATUS)


def print_reason(frame: PanicFrame) -> None:
    """The first line: a failed check, a stack overflow, or what the exception was."""
    kind = syndrome.class_of(frame.syndrome)
    if kind is None:
        log_unlocked(f"PANIC on CPU {cpu_index()}: exception of an unlisted class")
        return
    if kind == ExceptionClass.BREAKPOINT:
        print_failed_check(frame)
    elif syndrome.is_abort(kind) and is_stack_guard(frame.fault_address):
        log_unlocked(f"PANIC on CPU {cpu_index()}: stack overflow")
    elif syndrome.is_abort(kind):
        reason = syndrome.describe_abort(frame.syndrome)
        address = frame.fault_address
        log_unlocked(f"PANIC on CPU {cpu_index()}: {syndrome.describe_class(kind)}: {address:#x} is {reason}")
    else:
        log_unlocked(f"PANIC on CPU {cpu_index()}: {syndrome.describe_class(kind)}")


def print_failed_check(frame: PanicFrame) -> None:
    """The words of the check whose BRK was executed; its place in the source is that of the program counter."""
    number = truncate(u16, frame.syndrome)
    check = trap_table.find_check(trap_table.TABLE.address(), number)
    if check is None:
        log_unlocked(f"PANIC on CPU {cpu_index()}: brk {number:#x}")
    else:
        log_unlocked(f"PANIC on CPU {cpu_index()}: {check}")


def is_stack_guard(address: u64) -> bool:
    """Whether a fault at this address is a stack's end: between the stacks only guard pages are not mapped."""
    return STACKS_START.address().raw <= address < STACKS_END.address().raw


@cold
def print_location(prefix: str, address: VirtAddr) -> None:
    """A line with an address and the function, file and line it belongs to."""
    buffer = TextBuffer()
    render(buffer, f"{prefix} {address.raw:#018x}")
    start = line_table.TEXT_START.address()
    if address >= start:
        line_table.put_location(buffer, line_table.own_table(), (address - start) // INSTRUCTION_SIZE)
    buffer.put(NEWLINE)
    console_write(buffer.written())


@cold
def print_registers(frame: PanicFrame) -> None:
    """All general registers, four in a line, and what the exception left."""
    for row in range(0, 28, 4):
        print_row(row, frame.x[row : row + 4])
    log_unlocked(f"  x28 {frame.x[28]:#018x} x29 {frame.x[29]:#018x} x30 {frame.x[30]:#018x}")
    log_unlocked(f"  sp  {frame.stack_pointer:#018x} spsr {frame.processor_state:#x} vector {frame.vector}")
    log_unlocked(f"  esr {frame.syndrome:#018x} far {frame.fault_address:#018x}")


def print_row(first: u64, values: Slice[u64]) -> None:
    """Four registers."""
    buffer = TextBuffer()
    render(buffer, " ")
    for index in range(len(values)):
        number = first + index
        render(buffer, f" x{number}")
        if number < 10:
            buffer.put(SPACE)
        render(buffer, f" {values[index]:#018x}")
    buffer.put(NEWLINE)
    console_write(buffer.written())


@cold
def print_backtrace(frame: PanicFrame) -> None:
    """Callers, innermost first, from the chain of frame records (AAPCS64, 6.4.6)."""
    log_unlocked("  backtrace")
    record = frame.x[29]
    lowest = frame.stack_pointer
    for _ in range(BACKTRACE_DEPTH_MAX):
        if not is_frame_record(record, lowest):
            return
        pair = Ptr[u64].at(VirtAddr(record))
        if pair[1] == 0:
            return
        print_location("   ", strip(pair[1]) - INSTRUCTION_SIZE)
        lowest = record + 1
        record = pair[0]


def is_frame_record(record: u64, lowest: u64) -> bool:
    """Whether it may be one: aligned, further up than the last, and in a stack."""
    if record % FRAME_ALIGNMENT != 0 or record < lowest:
        return False
    return STACKS_START.address().raw <= record < STACKS_END.address().raw


def strip(address: u64) -> VirtAddr:
    """A return address without its authentication code: the upper bits are those of all text."""
    mask: u64 = (1 << ADDRESS_BITS) - 1
    return VirtAddr(line_table.TEXT_START.address().raw & ~mask | address & mask)
