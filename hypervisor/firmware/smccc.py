"""SMCCC's own services, and the SMCs that go on to the firmware (DEN0028).

VERSION and ARCH_FEATURES are answered here. Whatever else is allowed to reach the firmware gets x0 to x17 through and
back unchanged, but for the caller's ID in w7[15:0], by which firmware tells its clients apart; the caller finds its own
w7 again. Everything else is the unknown function, -1 in x0 with all other registers as they were.
"""

from __future__ import annotations

from compiler.language import u32, u64
from hypervisor.arch.aarch64.smc import SMC_REGISTER_COUNT, SmcRegisters, smc, smc_3
from hypervisor.core.partition import Partition
from hypervisor.core.vcpu import Vcpu, partition_of
from hypervisor.ffa.message import Message, low
from hypervisor.firmware.firmware import FIRMWARE
from hypervisor.firmware.functions import SmcccFunction
from hypervisor.firmware.smc_whitelist import is_allowed

OWN_VERSION = 0x1_0002
"""SMCCC 1.2: x4 to x17 are arguments and results, and kept where a call does not use them."""
UNKNOWN_FUNCTION = 0xFFFF_FFFF_FFFF_FFFF
CLIENT_ID_MASK = 0xFFFF
FIRST_SAVED = 8
"""x8 and up are in the caller's context, x0 to x7 in the call."""


def handle(caller: Vcpu, number: u32, call: Message, reply: Message, is_smc: bool) -> None:
    """Serve a call that is neither FF-A's nor PSCI's; `reply` is a copy of it so far."""
    function = SmcccFunction.decode(number)
    partition = partition_of(caller)
    if function is None:
        if is_smc and is_allowed(partition, low(call.x0)):
            forward(caller, call, reply)
        else:
            reply.x0 = UNKNOWN_FUNCTION
        return
    match function:
        case SmcccFunction.VERSION:
            reply.x0 = OWN_VERSION
        case SmcccFunction.ARCH_FEATURES:
            reply.x0 = arch_features(partition, low(call.x1))
        case _:
            if FIRMWARE.has_arch_features or (is_smc and is_allowed(partition, low(call.x0))):
                forward(caller, call, reply)
            else:
                reply.x0 = UNKNOWN_FUNCTION


def arch_features(partition: Partition, number: u32) -> u64:
    """What is here is 0; of workarounds, and of what the partition may call, the firmware's answer; else -1."""
    function = SmcccFunction.decode(number)
    if function is not None and (function == SmcccFunction.VERSION or function == SmcccFunction.ARCH_FEATURES):
        return 0
    if FIRMWARE.has_arch_features and (function is not None or is_allowed(partition, number)):
        return smc_3(SmcccFunction.ARCH_FEATURES.value, number, 0, 0)
    return UNKNOWN_FUNCTION


def forward(caller: Vcpu, call: Message, reply: Message) -> None:
    """Pass a call on to the firmware, and its result back."""
    registers = SmcRegisters()
    registers.x[0] = call.x0
    registers.x[1] = call.x1
    registers.x[2] = call.x2
    registers.x[3] = call.x3
    registers.x[4] = call.x4
    registers.x[5] = call.x5
    registers.x[6] = call.x6
    registers.x[7] = call.x7 & ~CLIENT_ID_MASK | caller.partition_id.raw
    for index in range(FIRST_SAVED, SMC_REGISTER_COUNT):
        registers.x[index] = caller.context.x[index]
    smc(registers)
    for index in range(FIRST_SAVED, SMC_REGISTER_COUNT):
        caller.context.x[index] = registers.x[index]
    reply.load(registers.x[0:FIRST_SAVED])
    reply.x7 = call.x7
