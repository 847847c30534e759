"""From the first instructions to the program: zeroed data, pointers, then `partition_main`.

A guest is linked at address 0 and runs wherever its memory is. When the program returns, the guest waits for messages
for ever and answers none.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import export, extern, linker_symbol, static, struct, u64, unreachable
from runtime import image
from runtime.partition import calls

IMAGE_START = linker_symbol("__image_start")
IMAGE_END = linker_symbol("__image_end")


@struct
class Boot:
    """What the hypervisor told at the start."""

    argument: u64 = 0
    """x0: for the primary the address of the host's device tree, else that of the partition's own, or the size of its
    memory in bytes where it has none."""


BOOT: Boot = static(Boot())


@extern("partition_main")
def partition_main() -> None:
    """The program."""
    unreachable()


@export("begin_program")
def begin_program(argument: u64) -> NoReturn:
    """What the first CPU runs once it has a stack and may write to its data."""
    image.zero_bss()
    image.relocate(IMAGE_START.address().raw)
    BOOT.argument = argument
    partition_main()
    while True:
        calls.wait()
