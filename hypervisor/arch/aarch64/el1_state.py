"""The EL1 registers of a guest, and the assembly that saves and loads them.

A CPU keeps the EL1 registers of the last guest at EL1 until another guest needs them (`Cpu.el1_owner`): an EL0
partition in between changes none with E2H, and `el0_state.py` puts back those few that it does without. The primary's
virtual timer goes on while another guest has the timer's registers: its deadline moves to the EL2 physical timer, which
brings the CPU back to EL2 when it is reached.
"""

from __future__ import annotations

from compiler.language import assembly_block, offset_of, static_assert, struct, u64
from hypervisor.arch.aarch64.guest_registers import (
    AFSR0_EL1,
    AFSR0_EL12,
    AFSR1_EL1,
    AFSR1_EL12,
    AMAIR_EL1,
    AMAIR_EL12,
    CNTHP_CTL_EL2,
    CNTHP_CVAL_EL2,
    CNTKCTL_EL12,
    CNTV_CTL_EL0,
    CNTV_CTL_EL02,
    CNTV_CVAL_EL0,
    CNTV_CVAL_EL02,
    CNTVOFF_EL2,
    CONTEXTIDR_EL1,
    CONTEXTIDR_EL12,
    CPACR_EL12,
    CSSELR_EL1,
    ELR_EL1,
    ELR_EL12,
    ESR_EL1,
    ESR_EL12,
    FAR_EL1,
    FAR_EL12,
    MAIR_EL1,
    MAIR_EL12,
    MDSCR_EL1,
    PAR_EL1,
    SCTLR_EL12,
    SP_EL1,
    SPSR_EL1,
    SPSR_EL12,
    TCR_EL12,
    TPIDR2_EL0,
    TPIDR_EL1,
    TTBR0_EL1,
    TTBR0_EL12,
    TTBR1_EL1,
    TTBR1_EL12,
    VBAR_EL1,
    VBAR_EL12,
    VMPIDR_EL2,
    APDAKeyHi_EL1,
    APDAKeyLo_EL1,
    APDBKeyHi_EL1,
    APDBKeyLo_EL1,
    APIBKeyHi_EL1,
    APIBKeyLo_EL1,
)
from hypervisor.arch.aarch64.registers import (
    CNTHCTL_EL2,
    CNTKCTL_EL1,
    CPACR_EL1,
    CPTR_EL2,
    HCR_EL2,
    MDCR_EL2,
    SCTLR_EL1,
    TCR_EL1,
    VTTBR_EL2,
)

E2H_BIT = 34
API_BIT = 41
IS_PRIMARY = 1 << 0
"""In `traits`: the vCPU's timer goes on while it does not run."""
SECOND_POINTER_LSB = 1
HAS_SECOND_POINTER = 1 << SECOND_POINTER_LSB
"""In `traits`: the CPU has SME, whose TPIDR2_EL0 no trap keeps from EL1."""


@struct(align=64)
class El1State:
    """What a guest at EL1 has beyond a `Context`; the blocks below store and load it in pairs."""

    sctlr_el1: u64 = 0
    cpacr_el1: u64 = 0
    ttbr0_el1: u64 = 0
    ttbr1_el1: u64 = 0
    tcr_el1: u64 = 0
    mair_el1: u64 = 0
    amair_el1: u64 = 0
    vbar_el1: u64 = 0
    spsr_el1: u64 = 0
    elr_el1: u64 = 0
    esr_el1: u64 = 0
    far_el1: u64 = 0
    afsr0_el1: u64 = 0
    afsr1_el1: u64 = 0
    contextidr_el1: u64 = 0
    cntkctl_el1: u64 = 0
    cntv_ctl: u64 = 0
    cntv_cval: u64 = 0
    sp_el1: u64 = 0
    tpidr_el1: u64 = 0
    par_el1: u64 = 0
    csselr_el1: u64 = 0
    mdscr_el1: u64 = 0
    traits: u64 = 0
    """IS_PRIMARY, HAS_SECOND_POINTER."""
    vmpidr: u64 = 0
    """What it reads as MPIDR_EL1."""
    cntvoff: u64 = 0
    vector_traps: u64 = 0
    """CPTR_EL2 while it runs."""
    stage_2: u64 = 0
    """VTTBR_EL2."""
    debug_traps: u64 = 0
    """MDCR_EL2."""
    timer_access: u64 = 0
    """CNTHCTL_EL2."""
    key_ib_low: u64 = 0
    key_ib_high: u64 = 0
    key_da_low: u64 = 0
    key_da_high: u64 = 0
    key_db_low: u64 = 0
    key_db_high: u64 = 0
    second_pointer: u64 = 0
    """TPIDR2_EL0."""


static_assert(offset_of(El1State, "mdscr_el1") % 16 == 0, "MDSCR_EL1 and traits are a pair")
static_assert(offset_of(El1State, "key_db_low") <= 504, "what LDP reaches")


@assembly_block(
    """
    naked
    in x10 = state, x30
    clobber x11..x17, memory
    begin
        mrs     x15, HCR_EL2
        tbz     x15, #{E2H_BIT}, 1f
        mrs     x11, SCTLR_EL12
        mrs     x12, CPACR_EL12
        mrs     x13, TTBR0_EL12
        mrs     x14, TTBR1_EL12
        stp     x11, x12, [x10, #{El1State.sctlr_el1}]
        mrs     x11, TCR_EL12
        mrs     x12, MAIR_EL12
        stp     x13, x14, [x10, #{El1State.ttbr0_el1}]
        mrs     x13, AMAIR_EL12
        mrs     x14, VBAR_EL12
        stp     x11, x12, [x10, #{El1State.tcr_el1}]
        mrs     x11, SPSR_EL12
        mrs     x12, ELR_EL12
        stp     x13, x14, [x10, #{El1State.amair_el1}]
        mrs     x13, ESR_EL12
        mrs     x14, FAR_EL12
        stp     x11, x12, [x10, #{El1State.spsr_el1}]
        mrs     x11, AFSR0_EL12
        mrs     x12, AFSR1_EL12
        stp     x13, x14, [x10, #{El1State.esr_el1}]
        mrs     x13, CONTEXTIDR_EL12
        mrs     x14, CNTKCTL_EL12
        stp     x11, x12, [x10, #{El1State.afsr0_el1}]
        mrs     x11, CNTV_CTL_EL02
        mrs     x12, CNTV_CVAL_EL02
        stp     x13, x14, [x10, #{El1State.contextidr_el1}]
        stp     x11, x12, [x10, #{El1State.cntv_ctl}]
        b       2f
    1:
        mrs     x11, SCTLR_EL1
        mrs     x12, CPACR_EL1
        mrs     x13, TTBR0_EL1
        mrs     x14, TTBR1_EL1
        stp     x11, x12, [x10, #{El1State.sctlr_el1}]
        mrs     x11, TCR_EL1
        mrs     x12, MAIR_EL1
        stp     x13, x14, [x10, #{El1State.ttbr0_el1}]
        mrs     x13, AMAIR_EL1
        mrs     x14, VBAR_EL1
        stp     x11, x12, [x10, #{El1State.tcr_el1}]
        mrs     x11, SPSR_EL1
        mrs     x12, ELR_EL1
        stp     x13, x14, [x10, #{El1State.amair_el1}]
        mrs     x13, ESR_EL1
        mrs     x14, FAR_EL1
        stp     x11, x12, [x10, #{El1State.spsr_el1}]
        mrs     x11, AFSR0_EL1
        mrs     x12, AFSR1_EL1
        stp     x13, x14, [x10, #{El1State.esr_el1}]
        mrs     x13, CONTEXTIDR_EL1
        mrs     x14, CNTKCTL_EL1
        stp     x11, x12, [x10, #{El1State.afsr0_el1}]
        mrs     x11, CNTV_CTL_EL0
        mrs     x12, CNTV_CVAL_EL0
        stp     x13, x14, [x10, #{El1State.contextidr_el1}]
        stp     x11, x12, [x10, #{El1State.cntv_ctl}]
    2:  ldr     x16, [x10, #{El1State.traits}]
        mrs     x13, SP_EL1
        mrs     x14, TPIDR_EL1
        cbz     x16, 3f
        tbnz    x16, #{SECOND_POINTER_LSB}, 5f
    6:  msr     CNTHP_CVAL_EL2, x12
        msr     CNTHP_CTL_EL2, x11
    3:  mrs     x11, PAR_EL1
        mrs     x12, CSSELR_EL1
        stp     x13, x14, [x10, #{El1State.sp_el1}]
        mrs     x13, MDSCR_EL1
        stp     x11, x12, [x10, #{El1State.par_el1}]
        str     x13, [x10, #{El1State.mdscr_el1}]
        tbz     x15, #{API_BIT}, 4f
        mrs     x11, APIBKeyLo_EL1
        mrs     x12, APIBKeyHi_EL1
        mrs     x13, APDAKeyLo_EL1
        mrs     x14, APDAKeyHi_EL1
        stp     x11, x12, [x10, #{El1State.key_ib_low}]
        mrs     x11, APDBKeyLo_EL1
        mrs     x12, APDBKeyHi_EL1
        stp     x13, x14, [x10, #{El1State.key_da_low}]
        stp     x11, x12, [x10, #{El1State.key_db_low}]
    4:  ret
    5:  mrs     x17, TPIDR2_EL0
        str     x17, [x10, #{El1State.second_pointer}]
        tbnz    x16, #0, 6b
        b       3b
    """
)
def save_el1_state(state: El1State) -> None:
    """Store the EL1 registers of the guest whose `state` this is; of the keys those that no EL0 partition uses."""
    if HCR_EL2.read().E2H:
        state.sctlr_el1 = SCTLR_EL12.read().raw
        state.cpacr_el1 = CPACR_EL12.read().raw
        state.ttbr0_el1 = TTBR0_EL12.read().raw
        state.ttbr1_el1 = TTBR1_EL12.read().raw
        state.tcr_el1 = TCR_EL12.read().raw
        state.mair_el1 = MAIR_EL12.read().raw
        state.amair_el1 = AMAIR_EL12.read().raw
        state.vbar_el1 = VBAR_EL12.read().raw
        state.spsr_el1 = SPSR_EL12.read().raw
        state.elr_el1 = ELR_EL12.read().raw
        state.esr_el1 = ESR_EL12.read().raw
        state.far_el1 = FAR_EL12.read().raw
        state.afsr0_el1 = AFSR0_EL12.read().raw
        state.afsr1_el1 = AFSR1_EL12.read().raw
        state.contextidr_el1 = CONTEXTIDR_EL12.read().raw
        state.cntkctl_el1 = CNTKCTL_EL12.read().raw
        state.cntv_ctl = CNTV_CTL_EL02.read().raw
        state.cntv_cval = CNTV_CVAL_EL02.read().raw
    else:
        state.sctlr_el1 = SCTLR_EL1.read().raw
        state.cpacr_el1 = CPACR_EL1.read().raw
        state.ttbr0_el1 = TTBR0_EL1.read().raw
        state.ttbr1_el1 = TTBR1_EL1.read().raw
        state.tcr_el1 = TCR_EL1.read().raw
        state.mair_el1 = MAIR_EL1.read().raw
        state.amair_el1 = AMAIR_EL1.read().raw
        state.vbar_el1 = VBAR_EL1.read().raw
        state.spsr_el1 = SPSR_EL1.read().raw
        state.elr_el1 = ELR_EL1.read().raw
        state.esr_el1 = ESR_EL1.read().raw
        state.far_el1 = FAR_EL1.read().raw
        state.afsr0_el1 = AFSR0_EL1.read().raw
        state.afsr1_el1 = AFSR1_EL1.read().raw
        state.contextidr_el1 = CONTEXTIDR_EL1.read().raw
        state.cntkctl_el1 = CNTKCTL_EL1.read().raw
        state.cntv_ctl = CNTV_CTL_EL0.read().raw
        state.cntv_cval = CNTV_CVAL_EL0.read().raw
    if state.traits & HAS_SECOND_POINTER != 0:
        state.second_pointer = TPIDR2_EL0.read().raw
    if state.traits & IS_PRIMARY != 0:
        CNTHP_CVAL_EL2.write(state.cntv_cval)
        CNTHP_CTL_EL2.write(state.cntv_ctl)
    state.sp_el1 = SP_EL1.read().raw
    state.tpidr_el1 = TPIDR_EL1.read().raw
    state.par_el1 = PAR_EL1.read().raw
    state.csselr_el1 = CSSELR_EL1.read().raw
    state.mdscr_el1 = MDSCR_EL1.read().raw
    if HCR_EL2.read().API:
        state.key_ib_low = APIBKeyLo_EL1.read().raw
        state.key_ib_high = APIBKeyHi_EL1.read().raw
        state.key_da_low = APDAKeyLo_EL1.read().raw
        state.key_da_high = APDAKeyHi_EL1.read().raw
        state.key_db_low = APDBKeyLo_EL1.read().raw
        state.key_db_high = APDBKeyHi_EL1.read().raw


@assembly_block(
    """
    naked
    in x10 = state, x11 = configuration, x30
    clobber x12..x18
    begin
        tbz     x11, #{E2H_BIT}, 1f
        ldp     x13, x14, [x10, #{El1State.sctlr_el1}]
        ldp     x15, x16, [x10, #{El1State.ttbr0_el1}]
        msr     SCTLR_EL12, x13
        msr     CPACR_EL12, x14
        ldp     x13, x14, [x10, #{El1State.tcr_el1}]
        msr     TTBR0_EL12, x15
        msr     TTBR1_EL12, x16
        ldp     x15, x16, [x10, #{El1State.amair_el1}]
        msr     TCR_EL12, x13
        msr     MAIR_EL12, x14
        ldp     x13, x14, [x10, #{El1State.spsr_el1}]
        msr     AMAIR_EL12, x15
        msr     VBAR_EL12, x16
        ldp     x15, x16, [x10, #{El1State.esr_el1}]
        msr     SPSR_EL12, x13
        msr     ELR_EL12, x14
        ldp     x13, x14, [x10, #{El1State.afsr0_el1}]
        msr     ESR_EL12, x15
        msr     FAR_EL12, x16
        ldp     x15, x16, [x10, #{El1State.contextidr_el1}]
        msr     AFSR0_EL12, x13
        msr     AFSR1_EL12, x14
        ldp     x13, x14, [x10, #{El1State.cntv_ctl}]
        msr     CONTEXTIDR_EL12, x15
        msr     CNTKCTL_EL12, x16
        msr     CNTV_CVAL_EL02, x14
        msr     CNTV_CTL_EL02, x13
        b       2f
    1:
        ldp     x13, x14, [x10, #{El1State.sctlr_el1}]
        ldp     x15, x16, [x10, #{El1State.ttbr0_el1}]
        msr     SCTLR_EL1, x13
        msr     CPACR_EL1, x14
        ldp     x13, x14, [x10, #{El1State.tcr_el1}]
        msr     TTBR0_EL1, x15
        msr     TTBR1_EL1, x16
        ldp     x15, x16, [x10, #{El1State.amair_el1}]
        msr     TCR_EL1, x13
        msr     MAIR_EL1, x14
        ldp     x13, x14, [x10, #{El1State.spsr_el1}]
        msr     AMAIR_EL1, x15
        msr     VBAR_EL1, x16
        ldp     x15, x16, [x10, #{El1State.esr_el1}]
        msr     SPSR_EL1, x13
        msr     ELR_EL1, x14
        ldp     x13, x14, [x10, #{El1State.afsr0_el1}]
        msr     ESR_EL1, x15
        msr     FAR_EL1, x16
        ldp     x15, x16, [x10, #{El1State.contextidr_el1}]
        msr     AFSR0_EL1, x13
        msr     AFSR1_EL1, x14
        ldp     x13, x14, [x10, #{El1State.cntv_ctl}]
        msr     CONTEXTIDR_EL1, x15
        msr     CNTKCTL_EL1, x16
        msr     CNTV_CVAL_EL0, x14
        msr     CNTV_CTL_EL0, x13
    2:  ldp     x13, x14, [x10, #{El1State.sp_el1}]
        ldp     x15, x16, [x10, #{El1State.par_el1}]
        msr     SP_EL1, x13
        msr     TPIDR_EL1, x14
        ldp     x17, x18, [x10, #{El1State.mdscr_el1}]
        msr     PAR_EL1, x15
        msr     CSSELR_EL1, x16
        ldp     x13, x14, [x10, #{El1State.vmpidr}]
        msr     MDSCR_EL1, x17
        cbz     x18, 3f
        tbnz    x18, #{SECOND_POINTER_LSB}, 5f
    6:  msr     CNTHP_CTL_EL2, xzr                  // its own timer tells from here on
    3:  ldp     x15, x16, [x10, #{El1State.vector_traps}]
        ldp     x17, x18, [x10, #{El1State.debug_traps}]
        msr     VMPIDR_EL2, x13
        msr     CNTVOFF_EL2, x14
        msr     CPTR_EL2, x15
        msr     VTTBR_EL2, x16
        msr     MDCR_EL2, x17
        msr     CNTHCTL_EL2, x18
        tbz     x11, #{API_BIT}, 4f
        ldp     x13, x14, [x10, #{El1State.key_ib_low}]
        ldp     x15, x16, [x10, #{El1State.key_da_low}]
        ldp     x17, x18, [x10, #{El1State.key_db_low}]
        msr     APIBKeyLo_EL1, x13
        msr     APIBKeyHi_EL1, x14
        msr     APDAKeyLo_EL1, x15
        msr     APDAKeyHi_EL1, x16
        msr     APDBKeyLo_EL1, x17
        msr     APDBKeyHi_EL1, x18
    4:  ret
    5:  ldr     x16, [x10, #{El1State.second_pointer}]
        msr     TPIDR2_EL0, x16
        tbnz    x18, #0, 6b
        b       3b
    """
)
def load_el1_state(state: El1State, configuration: u64) -> None:
    """Load the EL1 registers of a guest that runs next with HCR_EL2 = `configuration`."""
    if HCR_EL2(configuration).E2H:
        SCTLR_EL12.write(state.sctlr_el1)
        CPACR_EL12.write(state.cpacr_el1)
        TTBR0_EL12.write(state.ttbr0_el1)
        TTBR1_EL12.write(state.ttbr1_el1)
        TCR_EL12.write(state.tcr_el1)
        MAIR_EL12.write(state.mair_el1)
        AMAIR_EL12.write(state.amair_el1)
        VBAR_EL12.write(state.vbar_el1)
        SPSR_EL12.write(state.spsr_el1)
        ELR_EL12.write(state.elr_el1)
        ESR_EL12.write(state.esr_el1)
        FAR_EL12.write(state.far_el1)
        AFSR0_EL12.write(state.afsr0_el1)
        AFSR1_EL12.write(state.afsr1_el1)
        CONTEXTIDR_EL12.write(state.contextidr_el1)
        CNTKCTL_EL12.write(state.cntkctl_el1)
        CNTV_CVAL_EL02.write(state.cntv_cval)
        CNTV_CTL_EL02.write(state.cntv_ctl)
    else:
        SCTLR_EL1.write(state.sctlr_el1)
        CPACR_EL1.write(state.cpacr_el1)
        TTBR0_EL1.write(state.ttbr0_el1)
        TTBR1_EL1.write(state.ttbr1_el1)
        TCR_EL1.write(state.tcr_el1)
        MAIR_EL1.write(state.mair_el1)
        AMAIR_EL1.write(state.amair_el1)
        VBAR_EL1.write(state.vbar_el1)
        SPSR_EL1.write(state.spsr_el1)
        ELR_EL1.write(state.elr_el1)
        ESR_EL1.write(state.esr_el1)
        FAR_EL1.write(state.far_el1)
        AFSR0_EL1.write(state.afsr0_el1)
        AFSR1_EL1.write(state.afsr1_el1)
        CONTEXTIDR_EL1.write(state.contextidr_el1)
        CNTKCTL_EL1.write(state.cntkctl_el1)
        CNTV_CVAL_EL0.write(state.cntv_cval)
        CNTV_CTL_EL0.write(state.cntv_ctl)
    SP_EL1.write(state.sp_el1)
    TPIDR_EL1.write(state.tpidr_el1)
    PAR_EL1.write(state.par_el1)
    CSSELR_EL1.write(state.csselr_el1)
    MDSCR_EL1.write(state.mdscr_el1)
    if state.traits & HAS_SECOND_POINTER != 0:
        TPIDR2_EL0.write(state.second_pointer)
    if state.traits & IS_PRIMARY != 0:
        CNTHP_CTL_EL2.write(0)
    VMPIDR_EL2.write(state.vmpidr)
    CNTVOFF_EL2.write(state.cntvoff)
    CPTR_EL2.write(state.vector_traps)
    VTTBR_EL2.write(state.stage_2)
    MDCR_EL2.write(state.debug_traps)
    CNTHCTL_EL2.write(state.timer_access)
    if HCR_EL2(configuration).API:
        APIBKeyLo_EL1.write(state.key_ib_low)
        APIBKeyHi_EL1.write(state.key_ib_high)
        APDAKeyLo_EL1.write(state.key_da_low)
        APDAKeyHi_EL1.write(state.key_da_high)
        APDBKeyLo_EL1.write(state.key_db_low)
        APDBKeyHi_EL1.write(state.key_db_high)
