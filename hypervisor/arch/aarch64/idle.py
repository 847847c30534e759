"""Where a CPU goes when a partition leaves it and none takes over."""

from __future__ import annotations

from typing import NoReturn

from compiler.language import assembly_block, unreachable
from hypervisor.core.idle import run_idle
from hypervisor.core.vcpu import Vcpu


@assembly_block(
    """
    naked
    call run_idle
    in sp
    clobber x9, x29, x30, sp
    begin
        ldr     x9, [sp, #{Vcpu.hypervisor_stack}]
        mov     sp, x9
        mov     x29, xzr
        mov     x30, xzr
        b       {run_idle}
    """,
    uses=(Vcpu, run_idle),
)
def idle_entry() -> NoReturn:
    """Where a CPU goes on, at EL2, when a partition leaves it and none takes over; SP_EL2 is the CPU's idle vCPU."""
    unreachable()
