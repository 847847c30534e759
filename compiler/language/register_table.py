"""The AArch64 system registers and SYS instructions by name: their encodings and access kinds.

This is the only place where an encoding is written down: register declarations, the code generator and
assembly blocks all look names up here. Names are looked up without regard to case and kept in the spelling of
the Arm Architecture Reference Manual (DDI 0487, chapters C5 and D23). Pure data, standard library only, since
programs import it.
"""

import difflib
import enum
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType


class Access(enum.Enum):
    """Which of MRS and MSR the architecture defines for a register."""

    READ_WRITE = "RW"
    READ_ONLY = "RO"
    WRITE_ONLY = "WO"


@dataclass(frozen=True, slots=True, order=True)
class SystemEncoding:
    """The five fields that name a system register (op0 2 or 3) or a SYS instruction (op0 1)."""

    op0: int
    op1: int
    crn: int
    crm: int
    op2: int

    @property
    def llvm_name(self) -> str:
        """The metadata string of `llvm.read_register` and `llvm.write_register`, such as `3:4:2:6:0`."""
        return f"{self.op0}:{self.op1}:{self.crn}:{self.crm}:{self.op2}"

    @property
    def generic_name(self) -> str:
        """The name every assembler knows, such as `S3_4_C2_C6_0`."""
        return f"S{self.op0}_{self.op1}_C{self.crn}_C{self.crm}_{self.op2}"

    @property
    def instruction_bits(self) -> int:
        """The fields where MSR, MRS, SYS and SYSL hold them: bits 20 to 5."""
        return self.op0 << 19 | self.op1 << 16 | self.crn << 12 | self.crm << 8 | self.op2 << 5


@dataclass(frozen=True, slots=True)
class SystemRegister:
    """A register that MRS or MSR reaches."""

    name: str
    encoding: SystemEncoding
    access: Access

    @property
    def readable(self) -> bool:
        return self.access is not Access.WRITE_ONLY

    @property
    def writable(self) -> bool:
        return self.access is not Access.READ_ONLY


@dataclass(frozen=True, slots=True)
class SystemInstruction:
    """A named SYS instruction, such as `TLBI VAE2IS`; `takes_register` tells whether it has an Xt operand."""

    group: str
    operation: str
    encoding: SystemEncoding
    takes_register: bool

    @property
    def name(self) -> str:
        return f"{self.group} {self.operation}"


class UnknownSystemName(LookupError):
    """The table has no register or SYS instruction of this name."""


# NAME op0:op1:CRn:CRm:op2, then RO or WO where the register is not both readable and writable.
_REGISTERS = """
# Processor state
NZCV 3:3:4:2:0, DAIF 3:3:4:2:1, SPSel 3:0:4:2:0, CurrentEL 3:0:4:2:2 RO, PAN 3:0:4:2:3
UAO 3:0:4:2:4, DIT 3:3:4:2:5, SSBS 3:3:4:2:6, TCO 3:3:4:2:7, ALLINT 3:0:4:3:0, FPCR 3:3:4:4:0
FPSR 3:3:4:4:1, FPMR 3:3:4:4:2, SVCR 3:3:4:2:2, SP_EL0 3:0:4:1:0, SP_EL1 3:4:4:1:0, SP_EL2 3:6:4:1:0
ELR_EL1 3:0:4:0:1, ELR_EL12 3:5:4:0:1, ELR_EL2 3:4:4:0:1, ELR_EL3 3:6:4:0:1, SPSR_EL1 3:0:4:0:0
SPSR_EL12 3:5:4:0:0, SPSR_EL2 3:4:4:0:0, SPSR_EL3 3:6:4:0:0, SPSR_abt 3:4:4:3:1, SPSR_und 3:4:4:3:2
SPSR_irq 3:4:4:3:0, SPSR_fiq 3:4:4:3:3, DSPSR_EL0 3:3:4:5:0, DLR_EL0 3:3:4:5:1, RNDR 3:3:2:4:0 RO
RNDRRS 3:3:2:4:1 RO
# Identification
MIDR_EL1 3:0:0:0:0 RO, MPIDR_EL1 3:0:0:0:5 RO, REVIDR_EL1 3:0:0:0:6 RO, AIDR_EL1 3:1:0:0:7 RO
CTR_EL0 3:3:0:0:1 RO, DCZID_EL0 3:3:0:0:7 RO, CLIDR_EL1 3:1:0:0:1 RO, CCSIDR_EL1 3:1:0:0:0 RO
CCSIDR2_EL1 3:1:0:0:2 RO, CSSELR_EL1 3:2:0:0:0, GMID_EL1 3:1:0:0:4 RO, SMIDR_EL1 3:1:0:0:6 RO
ID_AA64PFR0_EL1 3:0:0:4:0 RO, ID_AA64PFR1_EL1 3:0:0:4:1 RO, ID_AA64PFR2_EL1 3:0:0:4:2 RO
ID_AA64ZFR0_EL1 3:0:0:4:4 RO, ID_AA64SMFR0_EL1 3:0:0:4:5 RO, ID_AA64FPFR0_EL1 3:0:0:4:7 RO
ID_AA64DFR0_EL1 3:0:0:5:0 RO, ID_AA64DFR1_EL1 3:0:0:5:1 RO, ID_AA64DFR2_EL1 3:0:0:5:2 RO
ID_AA64AFR0_EL1 3:0:0:5:4 RO, ID_AA64AFR1_EL1 3:0:0:5:5 RO, ID_AA64ISAR0_EL1 3:0:0:6:0 RO
ID_AA64ISAR1_EL1 3:0:0:6:1 RO, ID_AA64ISAR2_EL1 3:0:0:6:2 RO, ID_AA64ISAR3_EL1 3:0:0:6:3 RO
ID_AA64MMFR0_EL1 3:0:0:7:0 RO, ID_AA64MMFR1_EL1 3:0:0:7:1 RO, ID_AA64MMFR2_EL1 3:0:0:7:2 RO
ID_AA64MMFR3_EL1 3:0:0:7:3 RO, ID_AA64MMFR4_EL1 3:0:0:7:4 RO, ID_PFR0_EL1 3:0:0:1:0 RO
ID_PFR1_EL1 3:0:0:1:1 RO, ID_PFR2_EL1 3:0:0:3:4 RO, ID_DFR0_EL1 3:0:0:1:2 RO
ID_DFR1_EL1 3:0:0:3:5 RO, ID_AFR0_EL1 3:0:0:1:3 RO, ID_MMFR0_EL1 3:0:0:1:4 RO
ID_MMFR1_EL1 3:0:0:1:5 RO, ID_MMFR2_EL1 3:0:0:1:6 RO, ID_MMFR3_EL1 3:0:0:1:7 RO
ID_MMFR4_EL1 3:0:0:2:6 RO, ID_MMFR5_EL1 3:0:0:3:6 RO, ID_ISAR0_EL1 3:0:0:2:0 RO
ID_ISAR1_EL1 3:0:0:2:1 RO, ID_ISAR2_EL1 3:0:0:2:2 RO, ID_ISAR3_EL1 3:0:0:2:3 RO
ID_ISAR4_EL1 3:0:0:2:4 RO, ID_ISAR5_EL1 3:0:0:2:5 RO, ID_ISAR6_EL1 3:0:0:2:7 RO
MVFR0_EL1 3:0:0:3:0 RO, MVFR1_EL1 3:0:0:3:1 RO, MVFR2_EL1 3:0:0:3:2 RO, VPIDR_EL2 3:4:0:0:0
VMPIDR_EL2 3:4:0:0:5
# Control
SCTLR_EL1 3:0:1:0:0, SCTLR_EL12 3:5:1:0:0, SCTLR_EL2 3:4:1:0:0, SCTLR_EL3 3:6:1:0:0
SCTLR2_EL1 3:0:1:0:3, SCTLR2_EL12 3:5:1:0:3, SCTLR2_EL2 3:4:1:0:3, SCTLR2_EL3 3:6:1:0:3
ACTLR_EL1 3:0:1:0:1, ACTLR_EL2 3:4:1:0:1, ACTLR_EL3 3:6:1:0:1, CPACR_EL1 3:0:1:0:2
CPACR_EL12 3:5:1:0:2, CPTR_EL2 3:4:1:1:2, CPTR_EL3 3:6:1:1:2, HCR_EL2 3:4:1:1:0, HCRX_EL2 3:4:1:2:2
HSTR_EL2 3:4:1:1:3, HACR_EL2 3:4:1:1:7, SCR_EL3 3:6:1:1:0, SDER32_EL2 3:4:1:3:1
SDER32_EL3 3:6:1:1:1, RVBAR_EL1 3:0:12:0:1 RO, RVBAR_EL2 3:4:12:0:1 RO, RVBAR_EL3 3:6:12:0:1 RO
RMR_EL1 3:0:12:0:2, RMR_EL2 3:4:12:0:2, RMR_EL3 3:6:12:0:2, VBAR_EL1 3:0:12:0:0
VBAR_EL12 3:5:12:0:0, VBAR_EL2 3:4:12:0:0, VBAR_EL3 3:6:12:0:0, VNCR_EL2 3:4:2:2:0
FPEXC32_EL2 3:4:5:3:0, DACR32_EL2 3:4:3:0:0, IFSR32_EL2 3:4:5:0:1
# Fine-grained traps
HFGRTR_EL2 3:4:1:1:4, HFGWTR_EL2 3:4:1:1:5, HFGITR_EL2 3:4:1:1:6, HDFGRTR_EL2 3:4:3:1:4
HDFGWTR_EL2 3:4:3:1:5, HAFGRTR_EL2 3:4:3:1:6, HFGRTR2_EL2 3:4:3:1:2, HFGWTR2_EL2 3:4:3:1:3
HFGITR2_EL2 3:4:3:1:7, HDFGRTR2_EL2 3:4:3:1:0, HDFGWTR2_EL2 3:4:3:1:1
# Translation
TTBR0_EL1 3:0:2:0:0, TTBR0_EL12 3:5:2:0:0, TTBR1_EL1 3:0:2:0:1, TTBR1_EL12 3:5:2:0:1
TTBR0_EL2 3:4:2:0:0, TTBR1_EL2 3:4:2:0:1, TTBR0_EL3 3:6:2:0:0, VTTBR_EL2 3:4:2:1:0
VSTTBR_EL2 3:4:2:6:0, TCR_EL1 3:0:2:0:2, TCR_EL12 3:5:2:0:2, TCR_EL2 3:4:2:0:2, TCR_EL3 3:6:2:0:2
TCR2_EL1 3:0:2:0:3, TCR2_EL12 3:5:2:0:3, TCR2_EL2 3:4:2:0:3, VTCR_EL2 3:4:2:1:2, VSTCR_EL2 3:4:2:6:2
MAIR_EL1 3:0:10:2:0, MAIR_EL12 3:5:10:2:0, MAIR_EL2 3:4:10:2:0, MAIR_EL3 3:6:10:2:0
MAIR2_EL1 3:0:10:2:1, MAIR2_EL12 3:5:10:2:1, MAIR2_EL2 3:4:10:1:1, MAIR2_EL3 3:6:10:1:1
AMAIR_EL1 3:0:10:3:0, AMAIR_EL12 3:5:10:3:0, AMAIR_EL2 3:4:10:3:0, AMAIR_EL3 3:6:10:3:0
PIRE0_EL1 3:0:10:2:2, PIRE0_EL12 3:5:10:2:2, PIRE0_EL2 3:4:10:2:2, PIR_EL1 3:0:10:2:3
PIR_EL12 3:5:10:2:3, PIR_EL2 3:4:10:2:3, PIR_EL3 3:6:10:2:3, POR_EL0 3:3:10:2:4, POR_EL1 3:0:10:2:4
POR_EL12 3:5:10:2:4, POR_EL2 3:4:10:2:4, POR_EL3 3:6:10:2:4, S2PIR_EL2 3:4:10:2:5
S2POR_EL1 3:0:10:2:5, PAR_EL1 3:0:7:4:0, CONTEXTIDR_EL1 3:0:13:0:1, CONTEXTIDR_EL12 3:5:13:0:1
CONTEXTIDR_EL2 3:4:13:0:1, LORSA_EL1 3:0:10:4:0, LOREA_EL1 3:0:10:4:1, LORN_EL1 3:0:10:4:2
LORC_EL1 3:0:10:4:3, LORID_EL1 3:0:10:4:7 RO, GPCCR_EL3 3:6:2:1:6, GPTBR_EL3 3:6:2:1:4
# Faults
ESR_EL1 3:0:5:2:0, ESR_EL12 3:5:5:2:0, ESR_EL2 3:4:5:2:0, ESR_EL3 3:6:5:2:0, FAR_EL1 3:0:6:0:0
FAR_EL12 3:5:6:0:0, FAR_EL2 3:4:6:0:0, FAR_EL3 3:6:6:0:0, HPFAR_EL2 3:4:6:0:4, MFAR_EL3 3:6:6:0:5
AFSR0_EL1 3:0:5:1:0, AFSR0_EL12 3:5:5:1:0, AFSR0_EL2 3:4:5:1:0, AFSR0_EL3 3:6:5:1:0
AFSR1_EL1 3:0:5:1:1, AFSR1_EL12 3:5:5:1:1, AFSR1_EL2 3:4:5:1:1, AFSR1_EL3 3:6:5:1:1
ISR_EL1 3:0:12:1:0 RO, DISR_EL1 3:0:12:1:1, VDISR_EL2 3:4:12:1:1, VSESR_EL2 3:4:5:2:3
TFSR_EL1 3:0:5:6:0, TFSR_EL12 3:5:5:6:0, TFSR_EL2 3:4:5:6:0, TFSR_EL3 3:6:5:6:0
TFSRE0_EL1 3:0:5:6:1
# Thread identity
TPIDR_EL0 3:3:13:0:2, TPIDRRO_EL0 3:3:13:0:3, TPIDR_EL1 3:0:13:0:4, TPIDR_EL2 3:4:13:0:2
TPIDR_EL3 3:6:13:0:2, TPIDR2_EL0 3:3:13:0:5, SCXTNUM_EL0 3:3:13:0:7, SCXTNUM_EL1 3:0:13:0:7
SCXTNUM_EL12 3:5:13:0:7, SCXTNUM_EL2 3:4:13:0:7, SCXTNUM_EL3 3:6:13:0:7, ACCDATA_EL1 3:0:13:0:5
# Pointer authentication and memory tagging
APIAKeyLo_EL1 3:0:2:1:0, APIAKeyHi_EL1 3:0:2:1:1, APIBKeyLo_EL1 3:0:2:1:2, APIBKeyHi_EL1 3:0:2:1:3
APDAKeyLo_EL1 3:0:2:2:0, APDAKeyHi_EL1 3:0:2:2:1, APDBKeyLo_EL1 3:0:2:2:2, APDBKeyHi_EL1 3:0:2:2:3
APGAKeyLo_EL1 3:0:2:3:0, APGAKeyHi_EL1 3:0:2:3:1, RGSR_EL1 3:0:1:0:5, GCR_EL1 3:0:1:0:6
# Timers
CNTFRQ_EL0 3:3:14:0:0, CNTPCT_EL0 3:3:14:0:1 RO, CNTVCT_EL0 3:3:14:0:2 RO
CNTPCTSS_EL0 3:3:14:0:5 RO, CNTVCTSS_EL0 3:3:14:0:6 RO, CNTVOFF_EL2 3:4:14:0:3
CNTPOFF_EL2 3:4:14:0:6, CNTKCTL_EL1 3:0:14:1:0, CNTKCTL_EL12 3:5:14:1:0, CNTHCTL_EL2 3:4:14:1:0
CNTP_TVAL_EL0 3:3:14:2:0, CNTP_CTL_EL0 3:3:14:2:1, CNTP_CVAL_EL0 3:3:14:2:2
CNTP_TVAL_EL02 3:5:14:2:0, CNTP_CTL_EL02 3:5:14:2:1, CNTP_CVAL_EL02 3:5:14:2:2
CNTV_TVAL_EL0 3:3:14:3:0, CNTV_CTL_EL0 3:3:14:3:1, CNTV_CVAL_EL0 3:3:14:3:2
CNTV_TVAL_EL02 3:5:14:3:0, CNTV_CTL_EL02 3:5:14:3:1, CNTV_CVAL_EL02 3:5:14:3:2
CNTHP_TVAL_EL2 3:4:14:2:0, CNTHP_CTL_EL2 3:4:14:2:1, CNTHP_CVAL_EL2 3:4:14:2:2
CNTHV_TVAL_EL2 3:4:14:3:0, CNTHV_CTL_EL2 3:4:14:3:1, CNTHV_CVAL_EL2 3:4:14:3:2
CNTHPS_TVAL_EL2 3:4:14:5:0, CNTHPS_CTL_EL2 3:4:14:5:1, CNTHPS_CVAL_EL2 3:4:14:5:2
CNTHVS_TVAL_EL2 3:4:14:4:0, CNTHVS_CTL_EL2 3:4:14:4:1, CNTHVS_CVAL_EL2 3:4:14:4:2
CNTPS_TVAL_EL1 3:7:14:2:0, CNTPS_CTL_EL1 3:7:14:2:1, CNTPS_CVAL_EL1 3:7:14:2:2
# Interrupt controller: CPU interface
ICC_PMR_EL1 3:0:4:6:0, ICC_IAR0_EL1 3:0:12:8:0 RO, ICC_EOIR0_EL1 3:0:12:8:1 WO
ICC_HPPIR0_EL1 3:0:12:8:2 RO, ICC_BPR0_EL1 3:0:12:8:3, ICC_AP0R0_EL1 3:0:12:8:4
ICC_AP0R1_EL1 3:0:12:8:5, ICC_AP0R2_EL1 3:0:12:8:6, ICC_AP0R3_EL1 3:0:12:8:7
ICC_AP1R0_EL1 3:0:12:9:0, ICC_AP1R1_EL1 3:0:12:9:1, ICC_AP1R2_EL1 3:0:12:9:2
ICC_AP1R3_EL1 3:0:12:9:3, ICC_NMIAR1_EL1 3:0:12:9:5 RO, ICC_DIR_EL1 3:0:12:11:1 WO
ICC_RPR_EL1 3:0:12:11:3 RO, ICC_SGI1R_EL1 3:0:12:11:5 WO, ICC_ASGI1R_EL1 3:0:12:11:6 WO
ICC_SGI0R_EL1 3:0:12:11:7 WO, ICC_IAR1_EL1 3:0:12:12:0 RO, ICC_EOIR1_EL1 3:0:12:12:1 WO
ICC_HPPIR1_EL1 3:0:12:12:2 RO, ICC_BPR1_EL1 3:0:12:12:3, ICC_CTLR_EL1 3:0:12:12:4
ICC_CTLR_EL3 3:6:12:12:4, ICC_SRE_EL1 3:0:12:12:5, ICC_SRE_EL2 3:4:12:9:5, ICC_SRE_EL3 3:6:12:12:5
ICC_IGRPEN0_EL1 3:0:12:12:6, ICC_IGRPEN1_EL1 3:0:12:12:7, ICC_IGRPEN1_EL3 3:6:12:12:7
# Interrupt controller: virtual interface
ICH_AP0R0_EL2 3:4:12:8:0, ICH_AP0R1_EL2 3:4:12:8:1, ICH_AP0R2_EL2 3:4:12:8:2
ICH_AP0R3_EL2 3:4:12:8:3, ICH_AP1R0_EL2 3:4:12:9:0, ICH_AP1R1_EL2 3:4:12:9:1
ICH_AP1R2_EL2 3:4:12:9:2, ICH_AP1R3_EL2 3:4:12:9:3, ICH_HCR_EL2 3:4:12:11:0
ICH_VTR_EL2 3:4:12:11:1 RO, ICH_MISR_EL2 3:4:12:11:2 RO, ICH_EISR_EL2 3:4:12:11:3 RO
ICH_ELRSR_EL2 3:4:12:11:5 RO, ICH_VMCR_EL2 3:4:12:11:7
# Vector extensions
ZCR_EL1 3:0:1:2:0, ZCR_EL12 3:5:1:2:0, ZCR_EL2 3:4:1:2:0, ZCR_EL3 3:6:1:2:0, SMCR_EL1 3:0:1:2:6
SMCR_EL12 3:5:1:2:6, SMCR_EL2 3:4:1:2:6, SMCR_EL3 3:6:1:2:6, SMPRI_EL1 3:0:1:2:4
SMPRIMAP_EL2 3:4:1:2:5
# Errors (RAS)
ERRIDR_EL1 3:0:5:3:0 RO, ERRSELR_EL1 3:0:5:3:1, ERXFR_EL1 3:0:5:4:0 RO, ERXCTLR_EL1 3:0:5:4:1
ERXSTATUS_EL1 3:0:5:4:2, ERXADDR_EL1 3:0:5:4:3, ERXPFGF_EL1 3:0:5:4:4 RO, ERXPFGCTL_EL1 3:0:5:4:5
ERXPFGCDN_EL1 3:0:5:4:6, ERXMISC0_EL1 3:0:5:5:0, ERXMISC1_EL1 3:0:5:5:1, ERXMISC2_EL1 3:0:5:5:2
ERXMISC3_EL1 3:0:5:5:3
# Performance monitors
PMCR_EL0 3:3:9:12:0, PMCNTENSET_EL0 3:3:9:12:1, PMCNTENCLR_EL0 3:3:9:12:2, PMOVSCLR_EL0 3:3:9:12:3
PMOVSSET_EL0 3:3:9:14:3, PMSWINC_EL0 3:3:9:12:4 WO, PMSELR_EL0 3:3:9:12:5, PMCEID0_EL0 3:3:9:12:6 RO
PMCEID1_EL0 3:3:9:12:7 RO, PMCCNTR_EL0 3:3:9:13:0, PMXEVTYPER_EL0 3:3:9:13:1
PMXEVCNTR_EL0 3:3:9:13:2, PMUSERENR_EL0 3:3:9:14:0, PMINTENSET_EL1 3:0:9:14:1
PMINTENCLR_EL1 3:0:9:14:2, PMCCFILTR_EL0 3:3:14:15:7, PMMIR_EL1 3:0:9:14:6 RO
# Statistical profiling, trace and branch records
PMSCR_EL1 3:0:9:9:0, PMSCR_EL12 3:5:9:9:0, PMSCR_EL2 3:4:9:9:0, PMSICR_EL1 3:0:9:9:2
PMSIRR_EL1 3:0:9:9:3, PMSFCR_EL1 3:0:9:9:4, PMSEVFR_EL1 3:0:9:9:5, PMSNEVFR_EL1 3:0:9:9:1
PMSLATFR_EL1 3:0:9:9:6, PMSIDR_EL1 3:0:9:9:7 RO, PMBLIMITR_EL1 3:0:9:10:0, PMBPTR_EL1 3:0:9:10:1
PMBSR_EL1 3:0:9:10:3, PMBIDR_EL1 3:0:9:10:7 RO, TRFCR_EL1 3:0:1:2:1, TRFCR_EL12 3:5:1:2:1
TRFCR_EL2 3:4:1:2:1, TRBLIMITR_EL1 3:0:9:11:0, TRBPTR_EL1 3:0:9:11:1, TRBBASER_EL1 3:0:9:11:2
TRBSR_EL1 3:0:9:11:3, TRBMAR_EL1 3:0:9:11:4, TRBTRG_EL1 3:0:9:11:6, TRBIDR_EL1 3:0:9:11:7 RO
BRBCR_EL1 2:1:9:0:0, BRBCR_EL12 2:5:9:0:0, BRBCR_EL2 2:4:9:0:0, BRBFCR_EL1 2:1:9:0:1
BRBTS_EL1 2:1:9:0:2, BRBIDR0_EL1 2:1:9:2:0 RO
# Activity monitors
AMCR_EL0 3:3:13:2:0, AMCFGR_EL0 3:3:13:2:1 RO, AMCGCR_EL0 3:3:13:2:2 RO, AMUSERENR_EL0 3:3:13:2:3
AMCNTENCLR0_EL0 3:3:13:2:4, AMCNTENSET0_EL0 3:3:13:2:5, AMCNTENCLR1_EL0 3:3:13:3:0
AMCNTENSET1_EL0 3:3:13:3:1, AMCG1IDR_EL0 3:3:13:2:6 RO
# Memory partitioning
MPAM0_EL1 3:0:10:5:1, MPAM1_EL1 3:0:10:5:0, MPAM1_EL12 3:5:10:5:0, MPAM2_EL2 3:4:10:5:0
MPAM3_EL3 3:6:10:5:0, MPAMHCR_EL2 3:4:10:4:0, MPAMIDR_EL1 3:0:10:4:4 RO, MPAMSM_EL1 3:0:10:5:3
MPAMVPMV_EL2 3:4:10:4:1
# Debug
MDSCR_EL1 2:0:0:2:2, MDCR_EL2 3:4:1:1:1, MDCR_EL3 3:6:1:3:1, MDCCSR_EL0 2:3:0:1:0 RO
MDCCINT_EL1 2:0:0:2:0, MDRAR_EL1 2:0:1:0:0 RO, DBGDTR_EL0 2:3:0:4:0, DBGDTRRX_EL0 2:3:0:5:0 RO
DBGDTRTX_EL0 2:3:0:5:0 WO, OSDTRRX_EL1 2:0:0:0:2, OSDTRTX_EL1 2:0:0:3:2, OSECCR_EL1 2:0:0:6:2
OSLAR_EL1 2:0:1:0:4 WO, OSLSR_EL1 2:0:1:1:4 RO, OSDLR_EL1 2:0:1:3:4, DBGPRCR_EL1 2:0:1:4:4
DBGCLAIMSET_EL1 2:0:7:8:6, DBGCLAIMCLR_EL1 2:0:7:9:6, DBGAUTHSTATUS_EL1 2:0:7:14:6 RO
DBGVCR32_EL2 2:4:0:7:0
"""

# Numbered registers: the name with the number as {}, how many there are, fields of number n, access.
_FAMILIES: tuple[tuple[str, int, Callable[[int], SystemEncoding], Access], ...] = (
    ("ICH_LR{}_EL2", 16, lambda n: SystemEncoding(3, 4, 12, 12 + n // 8, n % 8), Access.READ_WRITE),
    ("PMEVCNTR{}_EL0", 31, lambda n: SystemEncoding(3, 3, 14, 8 + n // 8, n % 8), Access.READ_WRITE),
    ("PMEVTYPER{}_EL0", 31, lambda n: SystemEncoding(3, 3, 14, 12 + n // 8, n % 8), Access.READ_WRITE),
    ("AMEVCNTR0{}_EL0", 4, lambda n: SystemEncoding(3, 3, 13, 4, n), Access.READ_WRITE),
    ("AMEVTYPER0{}_EL0", 4, lambda n: SystemEncoding(3, 3, 13, 6, n), Access.READ_ONLY),
    ("AMEVCNTR1{}_EL0", 16, lambda n: SystemEncoding(3, 3, 13, 12 + n // 8, n % 8), Access.READ_WRITE),
    ("AMEVTYPER1{}_EL0", 16, lambda n: SystemEncoding(3, 3, 13, 14 + n // 8, n % 8), Access.READ_WRITE),
    ("MPAMVPM{}_EL2", 8, lambda n: SystemEncoding(3, 4, 10, 6, n), Access.READ_WRITE),
    ("DBGBVR{}_EL1", 16, lambda n: SystemEncoding(2, 0, 0, n, 4), Access.READ_WRITE),
    ("DBGBCR{}_EL1", 16, lambda n: SystemEncoding(2, 0, 0, n, 5), Access.READ_WRITE),
    ("DBGWVR{}_EL1", 16, lambda n: SystemEncoding(2, 0, 0, n, 6), Access.READ_WRITE),
    ("DBGWCR{}_EL1", 16, lambda n: SystemEncoding(2, 0, 0, n, 7), Access.READ_WRITE),
)

# AT, DC, IC and the prediction restrictions: group, operation, op1:CRn:CRm:op2, "-" where Xt is not used.
_INSTRUCTIONS = """
AT S1E1R 0:7:8:0, AT S1E1W 0:7:8:1, AT S1E0R 0:7:8:2, AT S1E0W 0:7:8:3, AT S1E1RP 0:7:9:0, AT S1E1WP 0:7:9:1
AT S1E2R 4:7:8:0, AT S1E2W 4:7:8:1, AT S12E1R 4:7:8:4, AT S12E1W 4:7:8:5, AT S12E0R 4:7:8:6, AT S12E0W 4:7:8:7
AT S1E3R 6:7:8:0, AT S1E3W 6:7:8:1, AT S1E1A 0:7:9:2, AT S1E2A 4:7:9:2, AT S1E3A 6:7:9:2
DC IVAC 0:7:6:1, DC ISW 0:7:6:2, DC IGVAC 0:7:6:3, DC IGSW 0:7:6:4, DC IGDVAC 0:7:6:5, DC IGDSW 0:7:6:6
DC CSW 0:7:10:2, DC CGSW 0:7:10:4, DC CGDSW 0:7:10:6, DC CISW 0:7:14:2, DC CIGSW 0:7:14:4, DC CIGDSW 0:7:14:6
DC ZVA 3:7:4:1, DC GVA 3:7:4:3, DC GZVA 3:7:4:4, DC CVAC 3:7:10:1, DC CGVAC 3:7:10:3, DC CGDVAC 3:7:10:5
DC CVAU 3:7:11:1, DC CVAP 3:7:12:1, DC CGVAP 3:7:12:3, DC CGDVAP 3:7:12:5, DC CVADP 3:7:13:1
DC CGVADP 3:7:13:3, DC CGDVADP 3:7:13:5, DC CIVAC 3:7:14:1, DC CIGVAC 3:7:14:3, DC CIGDVAC 3:7:14:5
DC CIPAE 4:7:14:0, DC CIGDPAE 4:7:14:7, DC CIPAPA 6:7:14:1, DC CIGDPAPA 6:7:14:5
IC IALLUIS 0:7:1:0 -, IC IALLU 0:7:5:0 -, IC IVAU 3:7:5:1
CFP RCTX 3:7:3:4, DVP RCTX 3:7:3:5, CPP RCTX 3:7:3:7
"""

# TLBI by address, ASID, VMID or all: operation, op1, op2, "-" where Xt is not used. Each exists for one CPU
# (CRm 7), inner shareable (IS, CRm 3) and outer shareable (OS, CRm 1).
_TLBI = """
VMALLE1 0:0 -, VAE1 0:1, ASIDE1 0:2, VAAE1 0:3, VALE1 0:5, VAALE1 0:7, ALLE2 4:0 -, VAE2 4:1, ALLE1 4:4 -
VALE2 4:5, VMALLS12E1 4:6 -, ALLE3 6:0 -, VAE3 6:1, VALE3 6:5
"""

# TLBI by range (FEAT_TLBIRANGE): CRm 6, IS 2, OS 5.
_TLBI_RANGE = """
RVAE1 0:1, RVAAE1 0:3, RVALE1 0:5, RVAALE1 0:7, RVAE2 4:1, RVALE2 4:5, RVAE3 6:1, RVALE3 6:5
"""

# TLBI by intermediate address: op1:CRm:op2, too irregular to derive.
_TLBI_INTERMEDIATE = """
IPAS2E1 4:4:1, IPAS2E1IS 4:0:1, IPAS2E1OS 4:4:0, IPAS2LE1 4:4:5, IPAS2LE1IS 4:0:5, IPAS2LE1OS 4:4:4
RIPAS2E1 4:4:2, RIPAS2E1IS 4:0:2, RIPAS2E1OS 4:4:3, RIPAS2LE1 4:4:6, RIPAS2LE1IS 4:0:6, RIPAS2LE1OS 4:4:7
"""

# TLBI of granule protection (FEAT_RME), which has no nXS form.
_TLBI_GRANULE = "PAALL 6:7:4 -, PAALLOS 6:1:4 -, RPAOS 6:4:3, RPALOS 6:4:7"


def _entries(text: str) -> Iterator[list[str]]:
    """The comma- or line-separated entries of a table, each split at spaces; `#` starts a comment line."""
    for line in text.strip().splitlines():
        if not line.startswith("#"):
            yield from (entry.split() for entry in line.split(","))


def _fields(text: str) -> tuple[int, ...]:
    return tuple(int(field) for field in text.split(":"))


def _all_registers() -> Iterator[SystemRegister]:
    for name, fields, *access in _entries(_REGISTERS):
        yield SystemRegister(name, SystemEncoding(*_fields(fields)), Access(access[0] if access else "RW"))
    for template, count, encoding, access_kind in _FAMILIES:
        for number in range(count):
            yield SystemRegister(template.format(number), encoding(number), access_kind)


def _tlbi_operations() -> Iterator[tuple[str, tuple[int, int, int], bool]]:
    """Each TLBI that FEAT_XS gives an nXS form, with op1, CRm, op2 and whether it takes Xt."""
    for table, places in (
        (_TLBI, (("", 7), ("IS", 3), ("OS", 1))),
        (_TLBI_RANGE, (("", 6), ("IS", 2), ("OS", 5))),
    ):
        for name, fields, *no_register in _entries(table):
            op1, op2 = _fields(fields)
            for suffix, crm in places:
                yield name + suffix, (op1, crm, op2), not no_register
    for name, fields in _entries(_TLBI_INTERMEDIATE):
        op1, crm, op2 = _fields(fields)
        yield name, (op1, crm, op2), True


def _all_instructions() -> Iterator[SystemInstruction]:
    for group, name, fields, *no_register in _entries(_INSTRUCTIONS):
        yield SystemInstruction(group, name, SystemEncoding(1, *_fields(fields)), not no_register)
    for name, (op1, crm, op2), takes_register in _tlbi_operations():
        yield SystemInstruction("TLBI", name, SystemEncoding(1, op1, 8, crm, op2), takes_register)
        yield SystemInstruction("TLBI", name + "NXS", SystemEncoding(1, op1, 9, crm, op2), takes_register)
    for name, fields, *no_register in _entries(_TLBI_GRANULE):
        op1, crm, op2 = _fields(fields)
        yield SystemInstruction("TLBI", name, SystemEncoding(1, op1, 8, crm, op2), not no_register)


REGISTERS: Mapping[str, SystemRegister] = MappingProxyType({r.name.upper(): r for r in _all_registers()})
"""Every named register, by its name in capitals."""

INSTRUCTIONS: Mapping[str, SystemInstruction] = MappingProxyType({i.name: i for i in _all_instructions()})
"""Every named SYS instruction, by group and operation in capitals: `TLBI VAE2IS`."""

_GENERIC_NAME = re.compile(r"S([23])_([0-7])_C(\d|1[0-5])_C(\d|1[0-5])_([0-7])")


def find_register(name: str) -> SystemRegister | None:
    """The register of this name, of any case; also the generic spelling `S<op0>_<op1>_C<n>_C<m>_<op2>`.

    Generic names need op0 2 or 3 and count as readable and writable.
    """
    known = REGISTERS.get(name.upper())
    if known is not None:
        return known
    generic = _GENERIC_NAME.fullmatch(name.upper())
    if generic is None:
        return None
    encoding = SystemEncoding(*(int(field) for field in generic.groups()))
    return SystemRegister(encoding.generic_name, encoding, Access.READ_WRITE)


def find_instruction(group: str, operation: str) -> SystemInstruction | None:
    """The SYS instruction `group operation` (any case), such as `tlbi`, `vae2is`."""
    return INSTRUCTIONS.get(f"{group} {operation}".upper())


def encoding_of(name: str) -> SystemEncoding:
    """The encoding of a register (`VSTTBR_EL2`, `S3_4_C2_C6_0`) or a SYS instruction (`TLBI VAE2IS`).

    Raises UnknownSystemName, whose text names the nearest known names.
    """
    register = find_register(name)
    if register is not None:
        return register.encoding
    instruction = INSTRUCTIONS.get(" ".join(name.upper().split()))
    if instruction is not None:
        return instruction.encoding
    near = similar_names(name)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise UnknownSystemName(f"no system register or SYS instruction is named {name!r}{hint}")


def similar_names(name: str) -> list[str]:
    """Up to three known names that a misspelt one may have meant."""
    near = difflib.get_close_matches(name.upper(), [*REGISTERS, *INSTRUCTIONS], n=3, cutoff=0.75)
    return [REGISTERS[match].name if match in REGISTERS else match for match in near]


@cache
def _names_by_encoding() -> Mapping[SystemEncoding, str]:
    names: dict[SystemEncoding, str] = {}
    for instruction in INSTRUCTIONS.values():
        names.setdefault(instruction.encoding, instruction.name)
    for register in REGISTERS.values():
        names.setdefault(register.encoding, register.name)
    return names


def name_of(encoding: SystemEncoding) -> str:
    """The architectural name of an encoding, or its generic name where the table has none."""
    return _names_by_encoding().get(encoding, encoding.generic_name)
