"""The stacks of every CPU.

Each CPU has a stack for all ordinary work, and one that only panics use, so that a stack overflow can still be
reported. Each lies in a slot above a guard page that is never mapped (linker_scripts/hypervisor.ld lays the slots out).
"""

from __future__ import annotations

from compiler.language import PerCpu, linker_symbol, per_cpu, size_of, static_assert, u64
from hypervisor.core.cpu import CPU_COUNT_MAX
from hypervisor.memory.pages import PAGE_SIZE
from runtime.panic_frame import PanicFrame

STACK_SIZE = PAGE_SIZE
PANIC_STACK_SIZE = PAGE_SIZE
STACK_SLOT_SIZE = PAGE_SIZE + STACK_SIZE
PANIC_STACK_SLOT_SIZE = PAGE_SIZE + PANIC_STACK_SIZE
"""Guard page and stack."""

STACKS_START = linker_symbol("__stacks_start")
STACKS_END = linker_symbol("__stacks_end")
PANIC_STACKS_START = linker_symbol("__panic_stacks_start")

PANIC_FRAMES: PerCpu[PanicFrame] = per_cpu(PanicFrame(), count=CPU_COUNT_MAX)

static_assert(size_of(PanicFrame) % 64 == 0, "the frames of PANIC_FRAMES follow each other without padding")


def check_layout() -> None:
    """Stop unless the linker made as many stacks of the size that is assumed here."""
    size: u64 = STACKS_END.address() - STACKS_START.address()
    assert size == CPU_COUNT_MAX * STACK_SLOT_SIZE, "the linker script's stacks differ from stacks.py"
