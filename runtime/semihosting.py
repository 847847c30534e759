"""Semihosting (Arm semihosting specification 2.0): ends a run under QEMU, an FVP or a debugger with a status.

Without a host that listens HLT is an undefined instruction.
"""

from __future__ import annotations

from compiler.language import Ptr, address_of, assembly_block, struct, u64

SYS_EXIT_EXTENDED = 0x20
ADP_STOPPED_APPLICATION_EXIT = 0x20026


@struct
class ExitBlock:
    """Parameters of SYS_EXIT_EXTENDED."""

    reason: u64
    status: u64


@assembly_block(
    """
    inline
    in x0 = operation, x1 = parameters
    out x0
    begin
        hlt     #0xf000
    """
)
def call_host(operation: u64, parameters: Ptr[ExitBlock]) -> u64:
    """The call to the host; the twin has none and gives all ones, the specification's error."""
    return 0xFFFF_FFFF_FFFF_FFFF


def exit(status: u64) -> None:
    """End the run with `status`; comes back only where the host does not exit."""
    parameters = ExitBlock(reason=ADP_STOPPED_APPLICATION_EXIT, status=status)
    call_host(SYS_EXIT_EXTENDED, address_of(parameters))
