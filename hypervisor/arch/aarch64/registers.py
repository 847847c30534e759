"""The system registers that the hypervisor uses, with the fields that it uses, and nowhere else.

Names, positions and meanings are those of the Arm Architecture Reference Manual (DDI 0487), chapter D23. Where a
register's layout depends on HCR_EL2.E2H there are two classes; the one without E2H has the suffix `_E2H0`.
"""

from __future__ import annotations

from typing import ClassVar

from compiler.language import SystemRegister, bit, bits


class HCR_EL2(SystemRegister):
    """Hypervisor configuration: what a partition runs under."""

    VM = bit(0)
    PTW = bit(2)
    FMO = bit(3)
    IMO = bit(4)
    AMO = bit(5)
    VF = bit(6)
    VI = bit(7)
    FB = bit(9)
    BSU = bits(11, 10)
    DC = bit(12)
    TWI = bit(13)
    TWE = bit(14)
    TID3 = bit(18)
    TSC = bit(19)
    TIDCP = bit(20)
    TACR = bit(21)
    TGE = bit(27)
    RW = bit(31)
    E2H = bit(34)
    TLOR = bit(35)
    TERR = bit(36)
    APK = bit(40)
    API = bit(41)
    EnSCXT = bit(53)
    ATA = bit(56)


class SCTLR_EL2(SystemRegister):
    """System control. With E2H and TGE set it acts on EL0 too: nTWI, nTWE, UCT, DZE, UCI clear make it trap there."""

    RES1: ClassVar[int] = 0x30C0_0830
    """What reads as one without E2H (bits 4, 5, 11, 22, 23, 28, 29), but for nTWI and nTWE."""

    M = bit(0)
    A = bit(1)
    C = bit(2)
    SA = bit(3)
    SA0 = bit(4)
    EOS = bit(11)
    I = bit(12)  # noqa: E741
    WXN = bit(19)
    TSCXT = bit(20)
    EIS = bit(22)
    SPAN = bit(23)
    EnIA = bit(31)
    BT0 = bit(35)
    BT1 = bit(36)


class SCTLR_EL1(SystemRegister):
    """System control of EL1&0: acts on partitions where there is no E2H."""


class CPACR_EL1(SystemRegister):
    """Vector unit access of EL1&0."""

    FPEN = bits(21, 20)


class CNTKCTL_EL1(SystemRegister):
    """Timer and counter access of EL0, where there is no E2H."""


class TCR_EL1(SystemRegister):
    """Translation control of EL1&0; its TBI0 acts on partitions where there is no E2H."""


class CPTR_EL2(SystemRegister):
    """Vector unit traps, E2H = 1: for each unit 0 traps everybody, 1 EL0 under TGE, 3 nobody."""

    ZEN = bits(17, 16)
    FPEN = bits(21, 20)
    SMEN = bits(25, 24)
    TTA = bit(28)
    TAM = bit(30)


class CPTR_EL2_E2H0(SystemRegister, register="CPTR_EL2"):
    """Vector unit traps, E2H = 0; the bits without a meaning read as one."""

    RES1_LOW = bits(7, 0)
    TZ = bit(8)
    RES1_9 = bit(9)
    TFP = bit(10)
    TSM = bit(12)
    RES1_13 = bit(13)
    TTA = bit(20)
    TAM = bit(30)


class CNTHCTL_EL2(SystemRegister):
    """Timer and counter access of the levels below, E2H = 1; those of EL0 act on partitions while TGE is set."""

    EL0PCTEN = bit(0)
    EL0VCTEN = bit(1)
    EL1PCTEN = bit(10)
    EL1PTEN = bit(11)


class CNTHCTL_EL2_E2H0(SystemRegister, register="CNTHCTL_EL2"):
    """Timer and counter access of the levels below, E2H = 0."""

    EL1PCTEN = bit(0)
    EL1PCEN = bit(1)


class MDCR_EL2(SystemRegister):
    """Monitor and debug traps. E2PB and E2TB stay zero: no guest has profiling or trace buffers."""

    HPMN = bits(4, 0)
    TPMCR = bit(5)
    TPM = bit(6)
    TDA = bit(9)
    TDOSA = bit(10)
    TDRA = bit(11)
    TPMS = bit(14)
    TTRF = bit(19)


class MAIR_EL2(SystemRegister):
    """Memory attributes by index."""

    ATTR0 = bits(7, 0)
    ATTR1 = bits(15, 8)


class TCR_EL2(SystemRegister):
    """Translation control, E2H = 1: two halves."""

    T0SZ = bits(5, 0)
    IRGN0 = bits(9, 8)
    ORGN0 = bits(11, 10)
    SH0 = bits(13, 12)
    TG0 = bits(15, 14)
    T1SZ = bits(21, 16)
    IRGN1 = bits(25, 24)
    ORGN1 = bits(27, 26)
    SH1 = bits(29, 28)
    TG1 = bits(31, 30)
    IPS = bits(34, 32)
    AS = bit(36)
    E0PD1 = bit(56)


class TCR_EL2_E2H0(SystemRegister, register="TCR_EL2"):
    """Translation control, E2H = 0: one half."""

    T0SZ = bits(5, 0)
    IRGN0 = bits(9, 8)
    ORGN0 = bits(11, 10)
    SH0 = bits(13, 12)
    TG0 = bits(15, 14)
    PS = bits(18, 16)
    RES1_23 = bit(23)
    RES1_31 = bit(31)


class TTBR0_EL2(SystemRegister):
    """Root table of the lower half: the partition's, with E2H; the hypervisor's, without."""

    ASID = bits(63, 48)


class TTBR1_EL2(SystemRegister):
    """Root table of the upper half: the hypervisor's, with E2H."""


class VTCR_EL2(SystemRegister):
    """Stage 2 translation control."""

    T0SZ = bits(5, 0)
    SL0 = bits(7, 6)
    IRGN0 = bits(9, 8)
    ORGN0 = bits(11, 10)
    SH0 = bits(13, 12)
    TG0 = bits(15, 14)
    PS = bits(18, 16)
    VS = bit(19)
    """VMIDs of 16 bits."""
    RES1_31 = bit(31)


class VTTBR_EL2(SystemRegister):
    """Root table of stage 2."""

    VMID = bits(63, 48)


class ESR_EL2(SystemRegister):
    """Why the last exception was taken to EL2."""

    ISS = bits(24, 0)
    EC = bits(31, 26)


class ELR_EL2(SystemRegister):
    """Where the last exception to EL2 returns to."""


class SPSR_EL2(SystemRegister):
    """Processor state of what the last exception interrupted."""

    M = bits(3, 0)
    DAIF = bits(9, 6)


class FAR_EL2(SystemRegister):
    """Virtual address of the last fault."""


class HPFAR_EL2(SystemRegister):
    """Intermediate address of the last stage 2 fault."""

    FIPA = bits(43, 4)


class SP_EL0(SystemRegister):
    """The partition's stack pointer."""


class TPIDR_EL0(SystemRegister):
    """The partition's thread pointer."""


class TPIDRRO_EL0(SystemRegister):
    """The partition's read-only thread pointer."""


class CNTPCT_EL0(SystemRegister):
    """Physical counter."""


class CNTFRQ_EL0(SystemRegister):
    """Frequency of the counters in Hz."""


class APIAKeyLo_EL1(SystemRegister):
    """Pointer authentication key A for instruction addresses, low half."""


class APIAKeyHi_EL1(SystemRegister):
    """Pointer authentication key A for instruction addresses, high half."""


class RNDR(SystemRegister):
    """A random number (FEAT_RNG); zero, with PSTATE.Z set, in the rare case that there is none."""


class ID_AA64ISAR0_EL1(SystemRegister):
    """Instruction set features, 0."""

    RNDR = bits(63, 60)


class ID_AA64MMFR0_EL1(SystemRegister):
    """Memory model features, 0."""

    ASIDBits = bits(7, 4)


class ID_AA64MMFR1_EL1(SystemRegister):
    """Memory model features, 1."""

    VMIDBits = bits(7, 4)
    VH = bits(11, 8)
    HCX = bits(43, 40)


class ID_AA64MMFR2_EL1(SystemRegister):
    """Memory model features, 2."""

    E0PD = bits(63, 60)


class ID_AA64ISAR1_EL1(SystemRegister):
    """Instruction set features, 1: APA and API tell of address authentication."""

    APA = bits(7, 4)
    API = bits(11, 8)


class ID_AA64ISAR2_EL1(SystemRegister):
    """Instruction set features, 2: APA3 tells of address authentication."""

    APA3 = bits(15, 12)


class ID_AA64PFR0_EL1(SystemRegister):
    """Processor features, 0."""

    GIC = bits(27, 24)
    SVE = bits(35, 32)
    CSV2 = bits(59, 56)


class ID_AA64PFR1_EL1(SystemRegister):
    """Processor features, 1."""

    BT = bits(3, 0)
    MTE = bits(11, 8)
    SME = bits(27, 24)
    CSV2_frac = bits(35, 32)


class MPIDR_EL1(SystemRegister):
    """Which CPU this is."""


class MIDR_EL1(SystemRegister):
    """Which model of CPU this is."""


class VPIDR_EL2(SystemRegister):
    """What a guest reads as MIDR_EL1."""


class TPIDR_EL2(SystemRegister):
    """The number of this CPU: what `cpu_index` gives."""
