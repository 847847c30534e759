"""The state in which a guest at EL1 finds its vCPU when that is started or comes back from a power-down."""

from __future__ import annotations

from compiler.language import no_inline, u64
from hypervisor.arch.aarch64.registers import SPSR_EL2
from hypervisor.core.vcpu import Vcpu

EL1_WITH_SP_EL1 = 0b0101
ALL_MASKED = 0xF
EL1_ENTRY_STATE = SPSR_EL2.M(EL1_WITH_SP_EL1) | SPSR_EL2.DAIF(ALL_MASKED)
SCTLR_EL1_RESET = 0x30D0_0800
"""MMU and caches off; the bits that read as one where their feature is absent."""


@no_inline
def reset_at(vcpu: Vcpu, entry: u64, argument: u64) -> None:
    """Let a vCPU that is on no CPU begin at `entry` with `argument` in x0 and all else as after a reset.

    What the hypervisor set for it stays: configuration, translation, identification, counter offset.
    """
    context = vcpu.context
    for index in range(len(context.x)):
        context.x[index] = 0
    context.x[0] = argument
    context.program_counter = entry
    context.processor_state = EL1_ENTRY_STATE
    context.stack_pointer = 0
    context.thread_pointer = 0
    context.thread_pointer_read_only = 0
    el1 = vcpu.el1
    el1.sctlr_el1 = SCTLR_EL1_RESET
    el1.cpacr_el1 = 0
    el1.tcr_el1 = 0
    el1.cntkctl_el1 = 0
    el1.cntv_ctl = 0
    el1.mdscr_el1 = 0
    vcpu.requester = None
    vcpu.successor = None
