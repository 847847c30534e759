"""What of a vCPU lives in registers while it runs: the save area that SP_EL2 points to then.

Assembly blocks load and store these fields in pairs, so the order matters; the assertions below say where.
"""

from __future__ import annotations

from compiler.language import Array, array, offset_of, static_assert, struct, u64


@struct(align=64)
class Context:
    """Registers of a vCPU that is not running. While it runs, only what an exception stored is valid."""

    x: Array[u64] = array(31)
    stack_pointer: u64 = 0
    """SP_EL0."""
    program_counter: u64 = 0
    """ELR_EL2."""
    processor_state: u64 = 0
    """SPSR_EL2; zero is EL0 with no interrupt masked."""
    thread_pointer: u64 = 0
    """TPIDR_EL0."""
    thread_pointer_read_only: u64 = 0
    """TPIDRRO_EL0."""
    configuration: u64 = 0
    """HCR_EL2, made once; its E2H bit also tells which register `translation` is for."""
    translation: u64 = 0
    """TTBR0_EL2 with its ASID where there is E2H, else VTTBR_EL2 with its VMID."""
    key_low: u64 = 0
    key_high: u64 = 0
    """APIAKey_EL1, used where HCR_EL2.API is set in `configuration`."""


static_assert(offset_of(Context, "stack_pointer") == offset_of(Context, "x") + 31 * 8, "x30 and SP_EL0 are a pair")
static_assert(offset_of(Context, "program_counter") % 16 == 0, "ELR_EL2 and SPSR_EL2 are a pair")
static_assert(offset_of(Context, "thread_pointer") % 16 == 0, "TPIDR_EL0 and TPIDRRO_EL0 are a pair")
static_assert(offset_of(Context, "key_low") % 16 == 0, "the halves of the key are a pair")
static_assert(offset_of(Context, "configuration") % 16 == 0, "HCR_EL2 and the translation base are a pair")
