"""Power State Coordination Interface (DEN0022): its numbers, and calls to the firmware above."""

from __future__ import annotations

from compiler.language import EnumU32, ErrorEnum, PhysAddr, i32, truncate, u32, u64
from hypervisor.arch.aarch64.smc import smc_3


class PsciFunction(EnumU32):
    """Function IDs (DEN0022, 5.1); `_64` are the SMC64 forms."""

    VERSION = 0x8400_0000
    CPU_SUSPEND = 0x8400_0001
    CPU_SUSPEND_64 = 0xC400_0001
    CPU_OFF = 0x8400_0002
    CPU_ON = 0x8400_0003
    CPU_ON_64 = 0xC400_0003
    AFFINITY_INFO = 0x8400_0004
    AFFINITY_INFO_64 = 0xC400_0004
    SYSTEM_OFF = 0x8400_0008
    SYSTEM_RESET = 0x8400_0009
    FEATURES = 0x8400_000A


class PsciError(ErrorEnum):
    """Return codes (DEN0022, 5.2.2); OTHER stands for one that is not listed."""

    NOT_SUPPORTED = -1
    INVALID_PARAMETERS = -2
    DENIED = -3
    ALREADY_ON = -4
    ON_PENDING = -5
    INTERNAL_FAILURE = -6
    NOT_PRESENT = -7
    DISABLED = -8
    INVALID_ADDRESS = -9
    OTHER = -100


def cpu_on(target: u64, entry: PhysAddr, context: u64) -> PsciError | None:
    """Start the CPU with affinity `target` at `entry`, with `context` in x0, at this exception level, MMU off."""
    return _error_of(smc_3(PsciFunction.CPU_ON_64.value, target, entry.raw, context))


def cpu_off() -> PsciError | None:
    """Switch this CPU off; comes back only when the firmware refuses."""
    return _error_of(smc_3(PsciFunction.CPU_OFF.value, 0, 0, 0))


def cpu_suspend(power_state: u32, entry: PhysAddr, context: u64) -> PsciError | None:
    """Suspend this CPU: comes back after a state that keeps the registers, else starts at `entry` as `cpu_on` does."""
    return _error_of(smc_3(PsciFunction.CPU_SUSPEND_64.value, power_state, entry.raw, context))


def version() -> u32:
    """The firmware's version of PSCI, 0xFFFF_FFFF where there is none."""
    return truncate(u32, smc_3(PsciFunction.VERSION.value, 0, 0, 0))


def features(function: PsciFunction) -> i32:
    """What the firmware tells of a function: negative when it has not got it."""
    return truncate(i32, smc_3(PsciFunction.FEATURES.value, function.value, 0, 0))


def system_off() -> None:
    """Ask for the power to be switched off; comes back where there is no firmware that could."""
    smc_3(PsciFunction.SYSTEM_OFF.value, 0, 0, 0)


def system_reset() -> None:
    """The same for a reset."""
    smc_3(PsciFunction.SYSTEM_RESET.value, 0, 0, 0)


def _error_of(result: u64) -> PsciError | None:
    code = truncate(i32, result)
    if code == 0:
        return None
    error = PsciError.decode(code)
    if error is None:
        return PsciError.OTHER
    return error
