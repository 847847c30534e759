"""System registers that guests at EL1 reach only through the hypervisor (exception class 0x18).

Identification registers tell what the guest is given; ACTLR_EL1 reads as zero and ignores writes. Everything else that
traps (performance counters and debug registers of secondaries, timers and interrupt controllers that are the primary's,
trace, activity monitors, LORegions, what the implementation defines) is undefined for the guest.
"""

from __future__ import annotations

from compiler.language import Bits, bit, bits, u64
from hypervisor.arch.aarch64 import id_registers
from hypervisor.arch.aarch64.id_registers import FIRST_MEDIUM, LAST_MEDIUM
from hypervisor.core.partition import PartitionKind
from hypervisor.core.vcpu import Vcpu


class RegisterAccess(Bits, base=u64):
    """ISS of a trapped MSR or MRS (DDI 0487, D23.2.47)."""

    IS_READ = bit(0)
    MEDIUM = bits(4, 1)
    """CRm."""
    TRANSFER = bits(9, 5)
    """The general register; 31 is the zero register."""
    NUMBER = bits(13, 10)
    """CRn."""
    OPERATION_1 = bits(16, 14)
    OPERATION_2 = bits(19, 17)
    OPERATION_0 = bits(21, 20)


SYSTEM_REGISTER = 3
"""op0 of system registers that are not for debug."""
NUMBER_SYSTEM_CONTROL = 1
ZERO_REGISTER = 31


def emulate(vcpu: Vcpu, syndrome: u64) -> bool:
    """Do what a trapped access does; False if there is no such register for the guest, at EL0 or EL1."""
    access = RegisterAccess(syndrome)
    if access.OPERATION_0 != SYSTEM_REGISTER or access.OPERATION_1 != 0:
        return False
    if access.NUMBER == 0:
        if not access.IS_READ or access.MEDIUM < FIRST_MEDIUM or access.MEDIUM > LAST_MEDIUM:
            return False
        number = (access.MEDIUM - FIRST_MEDIUM) * 8 + access.OPERATION_2
        is_primary = vcpu.kind == PartitionKind.PRIMARY
        give(vcpu, access.TRANSFER, id_registers.value_for(is_primary, number))
        return True
    if access.NUMBER == NUMBER_SYSTEM_CONTROL and access.MEDIUM == 0 and access.OPERATION_2 == 1:  # ACTLR_EL1
        if access.IS_READ:
            give(vcpu, access.TRANSFER, 0)
        return True
    return False


def give(vcpu: Vcpu, register: u64, value: u64) -> None:
    """Set a general register of the guest; `register` is below 32."""
    if register != ZERO_REGISTER:
        vcpu.context.x[register] = value
