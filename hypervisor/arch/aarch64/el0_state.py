"""The EL1 registers that act on a partition at EL0 where there is no E2H: put in place for it, and back for the guest.

With E2H = 0 a partition runs with TGE and DC set: its stage 1 is off, but SCTLR_EL1, CPACR_EL1, CNTKCTL_EL1 and TCR_EL1
still act on it (endianness, traps, timers, top byte), and CPTR_EL2 has to trap the vector registers. The guest whose
EL1 registers the CPU keeps gets its own back before it, or anything that saves them, runs.
"""

from __future__ import annotations

from compiler.language import Array, assembly_block, constant, u64
from hypervisor.arch.aarch64.el1_state import El1State
from hypervisor.arch.aarch64.registers import (
    CNTKCTL_EL1,
    CPACR_EL1,
    CPTR_EL2,
    CPTR_EL2_E2H0,
    SCTLR_EL1,
    TCR_EL1,
    VTTBR_EL2,
)

SCTLR_EL1_PARTITION = 0x30D0_0800
"""MMU off, little-endian; WFI, cache maintenance and CTR_EL0 trap."""
CPACR_EL1_PARTITION = 3 << 20
"""No trap to EL1, which would hide the one to EL2."""
CPTR_EL2_PARTITION = (
    CPTR_EL2_E2H0.RES1_LOW(0xFF)
    | CPTR_EL2_E2H0.TZ
    | CPTR_EL2_E2H0.RES1_9
    | CPTR_EL2_E2H0.TFP
    | CPTR_EL2_E2H0.TSM
    | CPTR_EL2_E2H0.RES1_13
)

EL0_STATE: Array[u64] = constant([SCTLR_EL1_PARTITION, CPACR_EL1_PARTITION, CPTR_EL2_PARTITION, 0])


@assembly_block(
    """
    naked
    call EL0_STATE
    in x12 = owner, x30
    clobber x11, x13..x16, memory
    begin
        mrs     x13, SCTLR_EL1
        mrs     x14, CPACR_EL1
        mrs     x15, TCR_EL1
        mrs     x16, CNTKCTL_EL1
        stp     x13, x14, [x12, #{El1State.sctlr_el1}]
        str     x15, [x12, #{El1State.tcr_el1}]
        str     x16, [x12, #{El1State.cntkctl_el1}]
        adrp    x11, {EL0_STATE}
        add     x11, x11, :lo12:{EL0_STATE}
        ldp     x13, x14, [x11]
        ldr     x15, [x11, #16]
        msr     SCTLR_EL1, x13
        msr     CPACR_EL1, x14
        msr     CPTR_EL2, x15
        msr     TCR_EL1, xzr
        msr     CNTKCTL_EL1, xzr
        ret
    """,
    uses=(EL0_STATE,),
)
def enter_el0_state(owner: El1State) -> None:
    """An EL0 partition runs after the guest whose EL1 registers the CPU holds."""
    owner.sctlr_el1 = SCTLR_EL1.read().raw
    owner.cpacr_el1 = CPACR_EL1.read().raw
    owner.tcr_el1 = TCR_EL1.read().raw
    owner.cntkctl_el1 = CNTKCTL_EL1.read().raw
    SCTLR_EL1.write(SCTLR_EL1_PARTITION)
    CPACR_EL1.write(CPACR_EL1_PARTITION)
    CPTR_EL2.write(CPTR_EL2_PARTITION)
    TCR_EL1.write(0)
    CNTKCTL_EL1.write(0)


@assembly_block(
    """
    naked
    in x12 = owner, x30
    clobber x13..x16
    begin
        ldp     x13, x14, [x12, #{El1State.sctlr_el1}]
        ldr     x15, [x12, #{El1State.tcr_el1}]
        ldr     x16, [x12, #{El1State.cntkctl_el1}]
        msr     SCTLR_EL1, x13
        msr     CPACR_EL1, x14
        ldp     x13, x14, [x12, #{El1State.vector_traps}]
        msr     TCR_EL1, x15
        msr     CNTKCTL_EL1, x16
        msr     CPTR_EL2, x13
        msr     VTTBR_EL2, x14
        ret
    """
)
def leave_el0_state(owner: El1State) -> None:
    """A guest at EL1 runs after an EL0 partition: what `enter_el0_state` replaced is in place again."""
    SCTLR_EL1.write(owner.sctlr_el1)
    CPACR_EL1.write(owner.cpacr_el1)
    TCR_EL1.write(owner.tcr_el1)
    CNTKCTL_EL1.write(owner.cntkctl_el1)
    CPTR_EL2.write(owner.vector_traps)
    VTTBR_EL2.write(owner.stage_2)
