"""Power State Coordination Interface (DEN0022): calls to the firmware above, by SMC."""

from __future__ import annotations

from compiler.language import EnumU32, ErrorEnum, PhysAddr, assembly_block, i32, truncate, u64


class PsciFunction(EnumU32):
    """Function IDs (DEN0022, 5.1)."""

    SYSTEM_OFF = 0x8400_0008
    CPU_ON = 0xC400_0003


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
    """A call under the SMC Calling Convention (DEN0028). On the host no firmware answers: not supported."""
    return 0xFFFF_FFFF_FFFF_FFFF


def cpu_on(target: u64, entry: PhysAddr, context: u64) -> PsciError | None:
    """Start the CPU with affinity `target` at `entry`, with `context` in x0, at this exception level, MMU off."""
    code = truncate(i32, smc(PsciFunction.CPU_ON.value, target, entry.raw, context))
    if code == 0:
        return None
    error = PsciError.decode(code)
    if error is None:
        return PsciError.OTHER
    return error


def system_off() -> None:
    """Ask for the power to be switched off; comes back where there is no firmware that could."""
    smc(PsciFunction.SYSTEM_OFF.value, 0, 0, 0)
