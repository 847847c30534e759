"""The stacks of a guest: for each CPU a slot that begins with a page that no stack may grow into."""

from __future__ import annotations

from compiler.language import linker_symbol

STACKS_START = linker_symbol("__stacks_start")
GUARD_SIZE = 0x1000
STACK_SIZE = 0x4000
SLOT_SIZE = GUARD_SIZE + STACK_SIZE
FAULT_STACK_SIZE = 0x2000
"""What faults are reported on, one at a time."""
