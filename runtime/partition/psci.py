"""Power State Coordination Interface (DEN0022), as a guest at EL1 calls it: by SMC."""

from __future__ import annotations

from typing import NoReturn

from compiler.language import EnumU32, assembly_block, i32, linker_symbol, truncate, u64, wfi

CPU_START = linker_symbol("cpu_start")


class PsciCall(EnumU32):
    """Function IDs (DEN0022, 5.1)."""

    VERSION = 0x8400_0000
    CPU_OFF = 0x8400_0002
    CPU_ON = 0xC400_0003
    AFFINITY_INFO = 0xC400_0004
    SYSTEM_OFF = 0x8400_0008


@assembly_block(
    """
    inline
    in x0 = function, x1 = first, x2 = second, x3 = third
    out x0
    clobber x1..x17, memory
    begin
        smc     #0
    """
)
def smc(function: u64, first: u64, second: u64, third: u64) -> u64:
    """A call under the SMC Calling Convention (DEN0028). On the host nobody answers: not supported."""
    return 0xFFFF_FFFF_FFFF_FFFF


def version() -> u64:
    """PSCI_VERSION: the major number in the upper half of the word."""
    return smc(PsciCall.VERSION.value, 0, 0, 0)


def start_cpu(affinity: u64, index: u64) -> bool:
    """CPU_ON: start the CPU with this affinity as number `index` of the guest; False where there is none to start."""
    return truncate(i32, smc(PsciCall.CPU_ON.value, affinity, CPU_START.address().raw, index)) == 0


def system_off() -> NoReturn:
    """SYSTEM_OFF: end of the run."""
    smc(PsciCall.SYSTEM_OFF.value, 0, 0, 0)
    while True:
        wfi()


def cpu_off() -> None:
    """CPU_OFF: comes back only where it failed."""
    smc(PsciCall.CPU_OFF.value, 0, 0, 0)
