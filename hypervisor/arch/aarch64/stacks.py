"""The stacks of every CPU, and the frame that a panic's registers go to.

Each CPU has a stack for all ordinary work and one that only panics use, so that a stack overflow can still be
reported. Below each lies a guard page that is never mapped.
"""

from __future__ import annotations

from compiler.language import Array, array, offset_of, size_of, static, static_assert, struct, u8, u64
from hypervisor.core.cpu import CPU_COUNT_MAX

PAGE_SIZE = 4096
STACK_SIZE = 2 * PAGE_SIZE
PANIC_STACK_SIZE = 2 * PAGE_SIZE


@struct
class PanicFrame:
    """Registers at the moment of an exception that ends everything."""

    x: Array[u64] = array(31)
    stack_pointer: u64 = 0
    program_counter: u64 = 0
    processor_state: u64 = 0
    syndrome: u64 = 0
    """ESR_EL2."""
    fault_address: u64 = 0
    """FAR_EL2."""
    vector: u64 = 0
    """Which of the 16 vectors was taken."""
    depth: u64 = 0
    """How many panics this CPU has been through; more than one when the report itself failed."""


@struct(align=4096)
class CpuStacks:
    """Stacks of one CPU, lowest address first; stacks grow down."""

    guard: Array[u8] = array(PAGE_SIZE)
    stack: Array[u8] = array(STACK_SIZE)
    panic_guard: Array[u8] = array(PAGE_SIZE)
    panic_stack: Array[u8] = array(PANIC_STACK_SIZE - size_of(PanicFrame))
    frame: PanicFrame


STACKS: Array[CpuStacks] = static(array(CPU_COUNT_MAX), section=".stacks", align=PAGE_SIZE)

STACK_START = offset_of(CpuStacks, "stack")
STACK_END = STACK_START + STACK_SIZE
PANIC_STACK_START = offset_of(CpuStacks, "panic_stack")
FRAME = offset_of(CpuStacks, "frame")

static_assert(size_of(PanicFrame) % 16 == 0, "the panic stack ends where the frame begins, aligned for SP")
static_assert(size_of(CpuStacks) == 6 * PAGE_SIZE, "every guard and stack is whole pages")
