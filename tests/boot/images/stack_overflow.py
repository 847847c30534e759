"""Runs out of stack, which the guard page below it catches.

The compiler rejects recursion and bounds every stack, so the image takes the stack down by hand.
"""

from __future__ import annotations

from compiler.language import VirtAddr, assembly_block, export, u64, unreachable
from hypervisor.arch.aarch64.stacks import STACK_SIZE
from hypervisor.core.cpu import CPUS
from tests.boot.images import harness

ENTRY_POINTS = (harness.image_main,)


@assembly_block(
    """
    naked
    in x0 = _lowest, x29, x30
    clobber sp, memory
    begin
        mov     sp, x0
        stp     x29, x30, [sp, #-16]!
        udf     #0
    """
)
def push_at(_lowest: VirtAddr) -> None:
    """Push a frame record with the stack pointer at `lowest`."""
    unreachable()


@export("fault")
def fault(zero: u64) -> None:
    """Push where the stack ends."""
    push_at(CPUS.this().stack_top - (zero + STACK_SIZE))
