"""FFA_FEATURES: which functions and features the hypervisor offers to a caller (DEN0077, FFA_FEATURES).

Some depend on what the caller is; what no list has is not supported. FFA_RXTX_MAP is served in its SMC32 form too,
which is not announced: callers that ask use the SMC64 form, as they do under Hafnium.
"""

from __future__ import annotations

from compiler.language import Array, EnumU32, Slice, constant, u32, u64
from hypervisor.core.partition import Partition, PartitionKind
from hypervisor.core.vcpu import Vcpu, partition_of
from hypervisor.ffa.buffers import PAGE_COUNT_MAX
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.message import Message, low
from hypervisor.ffa.protocol import VERSION_1_2

WITHOUT_PROPERTIES = [
    Function.ERROR,
    Function.SUCCESS,
    Function.SUCCESS_64,
    Function.INTERRUPT,
    Function.VERSION,
    Function.FEATURES,
    Function.RX_RELEASE,
    Function.RXTX_UNMAP,
    Function.PARTITION_INFO_GET,
    Function.ID_GET,
    Function.MSG_WAIT,
    Function.YIELD,
    Function.RUN,
    Function.DIRECT_REQUEST,
    Function.DIRECT_REQUEST_64,
    Function.DIRECT_RESPONSE,
    Function.DIRECT_RESPONSE_64,
    Function.NOTIFICATION_BITMAP_CREATE,
    Function.NOTIFICATION_BITMAP_DESTROY,
    Function.NOTIFICATION_BIND,
    Function.NOTIFICATION_UNBIND,
    Function.NOTIFICATION_SET,
    Function.NOTIFICATION_GET,
    Function.SPM_ID_GET,
    Function.MSG_SEND2,
    Function.CONSOLE_LOG,
    Function.CONSOLE_LOG_64,
    Function.PARTITION_INFO_GET_REGS,
    Function.DIRECT_REQUEST_2,
    Function.DIRECT_RESPONSE_2,
]
"""What every caller has, with nothing to say about it."""
OF_PRIMARY = [Function.NOTIFICATION_INFO_GET_64]
"""What only the scheduler has."""
OF_EL0 = [Function.MEM_PERM_GET, Function.MEM_PERM_GET_64, Function.MEM_PERM_SET, Function.MEM_PERM_SET_64]
"""What only partitions at EL0 have."""

NUMBERS: Array[u32] = constant([u32(function.value) for function in WITHOUT_PROPERTIES])
NUMBERS_OF_PRIMARY: Array[u32] = constant([u32(function.value) for function in OF_PRIMARY])
NUMBERS_OF_EL0: Array[u32] = constant([u32(function.value) for function in OF_EL0])

FUNCTION_BIT = 1 << 31
"""In w1: a function ID, otherwise the number of a feature."""
PAGE_COUNT_MAX_LSB = 16
"""Properties of FFA_RXTX_MAP; bits 1 and 0 are 0 for buffers of 4 KiB pages."""


class Feature(EnumU32):
    """What has a number but is no function; the answer is the interrupt's ID, or a set of bits."""

    NOTIFICATION_PENDING_INTERRUPT = 1
    SCHEDULE_RECEIVER_INTERRUPT = 2
    MANAGED_EXIT_INTERRUPT = 3
    NOTIFICATIONS = 4


NOTIFICATION_PENDING_INTERRUPT = 5
SCHEDULE_RECEIVER_INTERRUPT = 8
MANAGED_EXIT_INTERRUPT = 4
NO_NOTIFICATIONS_BY_VCPU = 0b11
"""Notifications of single vCPUs are offered neither to VMs nor to SPs."""


def handle(caller: Vcpu, call: Message, reply: Message) -> FfaError | None:
    """Succeed with the properties in w2 of what the caller may use."""
    wanted = low(call.x1)
    if wanted & FUNCTION_BIT == 0:
        return handle_feature(caller, wanted, low(call.x2), reply)
    if wanted == Function.RXTX_MAP_64.value:
        reply.succeed(buffer_properties(partition_of(caller)))
        return None
    if not is_offered(caller, wanted):
        return FfaError.NOT_SUPPORTED
    reply.succeed(0)
    return None


def is_offered(caller: Vcpu, function: u32) -> bool:
    """Whether the caller may use a function that has no properties."""
    if has(NUMBERS, function):
        return True
    if caller.kind == PartitionKind.PRIMARY:
        return has(NUMBERS_OF_PRIMARY, function)
    return caller.kind == PartitionKind.EL0 and has(NUMBERS_OF_EL0, function)


def has(numbers: Slice[u32], wanted: u32) -> bool:
    """Whether a list has a number."""
    found = False
    for number in numbers:
        found = found or number == wanted
    return found


def buffer_properties(caller: Partition) -> u64:
    """Most pages of a buffer, which callers know of since FF-A 1.2."""
    return PAGE_COUNT_MAX << PAGE_COUNT_MAX_LSB if caller.version >= VERSION_1_2 else 0


def handle_feature(caller: Vcpu, number: u32, input_properties: u32, reply: Message) -> FfaError | None:
    """A feature by its number, which fills w1, and without input properties."""
    feature = Feature.decode(number)
    if feature is None or input_properties != 0:
        return FfaError.NOT_SUPPORTED
    is_el0 = caller.kind == PartitionKind.EL0
    match feature:
        case Feature.NOTIFICATION_PENDING_INTERRUPT:
            if is_el0:
                return FfaError.NOT_SUPPORTED
            reply.succeed(NOTIFICATION_PENDING_INTERRUPT)
        case Feature.SCHEDULE_RECEIVER_INTERRUPT:
            reply.succeed(SCHEDULE_RECEIVER_INTERRUPT)
        case Feature.MANAGED_EXIT_INTERRUPT:
            if is_el0:
                return FfaError.NOT_SUPPORTED
            reply.succeed(MANAGED_EXIT_INTERRUPT)
        case Feature.NOTIFICATIONS:
            reply.succeed(NO_NOTIFICATIONS_BY_VCPU)
    return None
