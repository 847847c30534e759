"""What of a vCPU lives in registers while it runs: the save area that SP_EL2 points to then.

Assembly blocks load and store these fields in pairs, so the order matters; the assertions below say where. What only
guests at EL1 have is in `el1_state.py`, vector registers are in `vector_state.py`.
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
    """HCR_EL2; its TGE bit also tells EL0 partitions from guests at EL1, its E2H bit what `translation` is for."""
    translation: u64 = 0
    """TTBR0_EL2 with its ASID for an EL0 partition where there is E2H, else VTTBR_EL2 with its VMID."""
    key_ia_low: u64 = 0
    key_ia_high: u64 = 0
    """APIAKey_EL1, where HCR_EL2.API is set in `configuration`."""
    key_ga_low: u64 = 0
    key_ga_high: u64 = 0
    """APGAKey_EL1: acts at EL0 even where the other keys are off."""


static_assert(offset_of(Context, "stack_pointer") == offset_of(Context, "x") + 31 * 8, "x30 and SP_EL0 are a pair")
static_assert(offset_of(Context, "program_counter") % 16 == 0, "ELR_EL2 and SPSR_EL2 are a pair")
static_assert(offset_of(Context, "key_ga_high") <= 504, "what LDP reaches")
