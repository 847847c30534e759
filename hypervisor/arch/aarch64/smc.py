"""Calls to the firmware above, under the SMC Calling Convention (DEN0028).

The firmware takes and gives x0 to x17 and keeps the rest. `firmware_call` stands for it on the host.
"""

from __future__ import annotations

from compiler.language import (
    Array,
    Ptr,
    address_of,
    array,
    assembly_block,
    extern,
    no_inline,
    offset_of,
    static_assert,
    struct,
    u64,
)

SMC_REGISTER_COUNT = 18


@struct(align=16)
class SmcRegisters:
    """x0 to x17: those of the call, and then those of the result."""

    x: Array[u64] = array(SMC_REGISTER_COUNT)


static_assert(offset_of(SmcRegisters, "x") == 0, "the block below begins with x0")


@extern("firmware_call")
def firmware_call(_registers: Ptr[SmcRegisters]) -> None:
    """The firmware, on the host alone; a test provides it."""


@assembly_block(
    """
    in x0 = registers
    clobber x0..x18, memory
    begin
        mov     x18, x0
        ldp     x16, x17, [x0, #128]
        ldp     x14, x15, [x0, #112]
        ldp     x12, x13, [x0, #96]
        ldp     x10, x11, [x0, #80]
        ldp     x8, x9, [x0, #64]
        ldp     x6, x7, [x0, #48]
        ldp     x4, x5, [x0, #32]
        ldp     x2, x3, [x0, #16]
        ldp     x0, x1, [x0]
        smc     #0
        stp     x0, x1, [x18]
        stp     x2, x3, [x18, #16]
        stp     x4, x5, [x18, #32]
        stp     x6, x7, [x18, #48]
        stp     x8, x9, [x18, #64]
        stp     x10, x11, [x18, #80]
        stp     x12, x13, [x18, #96]
        stp     x14, x15, [x18, #112]
        stp     x16, x17, [x18, #128]
        ret
    """
)
def smc(registers: SmcRegisters) -> None:
    """Make the call with all registers that the convention knows."""
    firmware_call(address_of(registers))


@no_inline
def smc_3(function: u64, first: u64, second: u64, third: u64) -> u64:
    """A call with three arguments; x0 of its result."""
    registers = SmcRegisters()
    registers.x[0] = function
    registers.x[1] = first
    registers.x[2] = second
    registers.x[3] = third
    smc(registers)
    return registers.x[0]
