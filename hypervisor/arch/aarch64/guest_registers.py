"""The EL1 registers of guests, which the EL1 switch saves and loads as whole words.

With E2H = 1 the names in _EL12 and _EL02 reach them, without it those in _EL1 and _EL0; the others have one name. Names
and meanings are those of the Arm Architecture Reference Manual (DDI 0487), chapter D23.
"""

from __future__ import annotations

from compiler.language import SystemRegister


class SCTLR_EL12(SystemRegister):
    """System control of EL1&0, reached with E2H."""


class CPACR_EL12(SystemRegister):
    """Vector unit access of EL1&0, reached with E2H."""


class TTBR0_EL12(SystemRegister):
    """Root table of the lower half of EL1&0, reached with E2H."""


class TTBR0_EL1(SystemRegister):
    """Root table of the lower half of EL1&0."""


class TTBR1_EL12(SystemRegister):
    """Root table of the upper half of EL1&0, reached with E2H."""


class TTBR1_EL1(SystemRegister):
    """Root table of the upper half of EL1&0."""


class TCR_EL12(SystemRegister):
    """Translation control of EL1&0, reached with E2H."""


class MAIR_EL12(SystemRegister):
    """Memory attributes of EL1&0, reached with E2H."""


class MAIR_EL1(SystemRegister):
    """Memory attributes of EL1&0."""


class AMAIR_EL12(SystemRegister):
    """Memory attributes that the implementation defines of EL1&0, reached with E2H."""


class AMAIR_EL1(SystemRegister):
    """Memory attributes that the implementation defines of EL1&0."""


class VBAR_EL12(SystemRegister):
    """Base of the vectors of EL1&0, reached with E2H."""


class VBAR_EL1(SystemRegister):
    """Base of the vectors of EL1&0."""


class SPSR_EL12(SystemRegister):
    """Processor state that an exception interrupted of EL1&0, reached with E2H."""


class SPSR_EL1(SystemRegister):
    """Processor state that an exception interrupted of EL1&0."""


class ELR_EL12(SystemRegister):
    """Where an exception returns to of EL1&0, reached with E2H."""


class ELR_EL1(SystemRegister):
    """Where an exception returns to of EL1&0."""


class ESR_EL12(SystemRegister):
    """Why an exception was taken of EL1&0, reached with E2H."""


class ESR_EL1(SystemRegister):
    """Why an exception was taken of EL1&0."""


class FAR_EL12(SystemRegister):
    """Address of the last fault of EL1&0, reached with E2H."""


class FAR_EL1(SystemRegister):
    """Address of the last fault of EL1&0."""


class AFSR0_EL12(SystemRegister):
    """Fault status that the implementation defines, 0 of EL1&0, reached with E2H."""


class AFSR0_EL1(SystemRegister):
    """Fault status that the implementation defines, 0 of EL1&0."""


class AFSR1_EL12(SystemRegister):
    """Fault status that the implementation defines, 1 of EL1&0, reached with E2H."""


class AFSR1_EL1(SystemRegister):
    """Fault status that the implementation defines, 1 of EL1&0."""


class CONTEXTIDR_EL12(SystemRegister):
    """Context ID of EL1&0, reached with E2H."""


class CONTEXTIDR_EL1(SystemRegister):
    """Context ID of EL1&0."""


class CNTKCTL_EL12(SystemRegister):
    """Timer and counter access of EL0 of EL1&0, reached with E2H."""


class CNTV_CTL_EL02(SystemRegister):
    """Virtual timer's control, reached with E2H."""


class CNTV_CVAL_EL02(SystemRegister):
    """Virtual timer's deadline, reached with E2H."""


class CNTV_CTL_EL0(SystemRegister):
    """Virtual timer's control."""


class CNTV_CVAL_EL0(SystemRegister):
    """Virtual timer's deadline."""


class CNTVOFF_EL2(SystemRegister):
    """How far the virtual counter is behind the physical one."""


class CNTHP_CTL_EL2(SystemRegister):
    """EL2 physical timer's control: stands in for the primary's timer while another vCPU has it."""


class CNTHP_CVAL_EL2(SystemRegister):
    """EL2 physical timer's deadline."""


class SP_EL1(SystemRegister):
    """Stack pointer."""


class TPIDR2_EL0(SystemRegister):
    """Second thread pointer (FEAT_SME)."""


class TPIDR_EL1(SystemRegister):
    """Thread pointer of EL1."""


class PAR_EL1(SystemRegister):
    """Result of the last address translation."""


class CSSELR_EL1(SystemRegister):
    """Cache that CCSIDR_EL1 tells of."""


class MDSCR_EL1(SystemRegister):
    """Debug control."""


class VMPIDR_EL2(SystemRegister):
    """What a guest reads as MPIDR_EL1."""


class APIBKeyLo_EL1(SystemRegister):
    """Pointer authentication key B for instruction addresses, low half."""


class APIBKeyHi_EL1(SystemRegister):
    """Pointer authentication key B for instruction addresses, high half."""


class APDAKeyLo_EL1(SystemRegister):
    """Pointer authentication key A for data addresses, low half."""


class APDAKeyHi_EL1(SystemRegister):
    """Pointer authentication key A for data addresses, high half."""


class APDBKeyLo_EL1(SystemRegister):
    """Pointer authentication key B for data addresses, low half."""


class APDBKeyHi_EL1(SystemRegister):
    """Pointer authentication key B for data addresses, high half."""


class APGAKeyLo_EL1(SystemRegister):
    """Pointer authentication key for generic data, low half."""


class APGAKeyHi_EL1(SystemRegister):
    """Pointer authentication key for generic data, high half."""
