"""PSCI as the primary sees it (DEN0022): its vCPUs are CPUs, which the firmware starts, suspends and switches off.

The firmware enters a CPU at the hypervisor's own start-up, so where the guest wants to begin is kept in `ENTRIES` until
`cpu_entry.enter_primary` runs there. The state of a vCPU tells what becomes of its CPU: OFF, CREATED between CPU_ON and
the CPU's first instructions, else on. Only who claims an OFF vCPU writes its entry.
"""

from __future__ import annotations

from compiler.language import (
    Ordering,
    PerCpu,
    cold,
    i32,
    i64,
    no_inline,
    per_cpu,
    spin_hint,
    struct,
    truncate,
    u32,
    u64,
)
from hypervisor.arch.aarch64 import cpu_start, psci
from hypervisor.arch.aarch64.psci import PsciError, PsciFunction
from hypervisor.core.cpu import CPU_COUNT_MAX, CPUS
from hypervisor.core.partition import Partition
from hypervisor.core.scheduler import current_cpu_index
from hypervisor.core.vcpu import Vcpu, VcpuState, partition_of, vcpu_of
from hypervisor.firmware.firmware import FIRMWARE
from hypervisor.firmware.functions import SmcccFunction

OWN_VERSION = 0x1_0001
"""PSCI 1.1."""
AFFINITY_MASK = 0xFF_00FF_FFFF
SUSPEND_FEATURES_MASK = 3
"""Format of the power state, and OS-initiated mode."""
START_TRIES_MAX = 1_000_000
"""How often a CPU that is still switching off is tried again."""


class Affinity:
    """Answers of AFFINITY_INFO (DEN0022, 5.7)."""

    ON = 0
    OFF = 1
    ON_PENDING = 2


@struct(align=64)
class GuestEntry:
    """Where the primary goes on, on a CPU that starts."""

    address: u64 = 0
    argument: u64 = 0


ENTRIES: PerCpu[GuestEntry] = per_cpu(GuestEntry(), count=CPU_COUNT_MAX)


@cold
def handle(caller: Vcpu, function: PsciFunction, first: u64, second: u64, third: u64) -> i32:
    """Serve a call of the primary; the result for w0."""
    if not FIRMWARE.has_psci:
        return PsciError.NOT_SUPPORTED.value
    match function:
        case PsciFunction.VERSION:
            return OWN_VERSION
        case PsciFunction.FEATURES:
            return features(truncate(u32, first))
        case PsciFunction.CPU_ON | PsciFunction.CPU_ON_64:
            return code_of(switch_on(partition_of(caller), first, second, third))
        case PsciFunction.CPU_OFF:
            return code_of(switch_off(caller))
        case PsciFunction.CPU_SUSPEND | PsciFunction.CPU_SUSPEND_64:
            return code_of(suspend(truncate(u32, first), second, third))
        case PsciFunction.AFFINITY_INFO | PsciFunction.AFFINITY_INFO_64:
            return affinity_info(partition_of(caller), first, truncate(u32, second))
        case PsciFunction.SYSTEM_OFF:
            psci.system_off()
            return PsciError.INTERNAL_FAILURE.value
        case PsciFunction.SYSTEM_RESET:
            psci.system_reset()
            return PsciError.INTERNAL_FAILURE.value


def features(number: u32) -> i32:
    """PSCI_FEATURES: 0 for what is here; of CPU_SUSPEND what the firmware tells."""
    function = PsciFunction.decode(number)
    if function is None:
        return 0 if number == SmcccFunction.VERSION.value else PsciError.NOT_SUPPORTED.value
    if function == PsciFunction.CPU_SUSPEND or function == PsciFunction.CPU_SUSPEND_64:
        flags = psci.features(function)
        return flags if flags < 0 else flags & SUSPEND_FEATURES_MASK
    return 0


def switch_on(primary: Partition, target: u64, entry: u64, argument: u64) -> PsciError | None:
    """CPU_ON: start the CPU with affinity `target`, whose vCPU then begins at `entry`."""
    index = find_cpu(primary, target)
    if index is None:
        return PsciError.INVALID_PARAMETERS
    vcpu = vcpu_of(primary, index)
    if vcpu is None:
        return PsciError.INVALID_PARAMETERS
    if not vcpu.state.compare_exchange(VcpuState.OFF, VcpuState.CREATED, Ordering.ACQ_REL):
        is_starting = vcpu.state.load(Ordering.RELAXED) == VcpuState.CREATED
        return PsciError.ON_PENDING if is_starting else PsciError.ALREADY_ON
    guest = ENTRIES.of(index)
    guest.address = entry
    guest.argument = argument
    error = start(index, target)
    if isinstance(error, PsciError):
        vcpu.state.store(VcpuState.OFF, Ordering.RELEASE)
        return error
    return None


def start(index: u64, target: u64) -> PsciError | None:
    """Have the firmware start a CPU. One that has said that it is off may still be on its way there: try again."""
    for _ in range(START_TRIES_MAX):
        error = psci.cpu_on(target, cpu_start.start_address(), cpu_start.start_argument(index))
        if error is None:
            return None
        if error != PsciError.ALREADY_ON:
            return error
        spin_hint()
    return PsciError.INTERNAL_FAILURE


def switch_off(caller: Vcpu) -> PsciError | None:
    """CPU_OFF: from the moment that the vCPU is OFF another CPU may start this one again."""
    caller.state.store(VcpuState.OFF, Ordering.RELEASE)
    error = psci.cpu_off()
    while not caller.claim(VcpuState.OFF):
        spin_hint()  # refused, and another CPU tries to start this one: it gives up
    return error


def suspend(power_state: u32, entry: u64, argument: u64) -> PsciError | None:
    """CPU_SUSPEND: comes back at once after a standby; after a power-down the vCPU goes on at `entry`."""
    guest = ENTRIES.this()
    guest.address = entry
    guest.argument = argument
    return psci.cpu_suspend(power_state, cpu_start.start_address(), cpu_start.start_argument(current_cpu_index()))


def affinity_info(primary: Partition, target: u64, level: u32) -> i32:
    """AFFINITY_INFO of one CPU, by our own record."""
    if level != 0:
        return PsciError.NOT_SUPPORTED.value
    index = find_cpu(primary, target)
    if index is None:
        return PsciError.INVALID_PARAMETERS.value
    vcpu = vcpu_of(primary, index)
    return PsciError.INVALID_PARAMETERS.value if vcpu is None else affinity_of(vcpu)


@no_inline
def affinity_of(vcpu: Vcpu) -> i32:
    """What AFFINITY_INFO says of a vCPU."""
    match vcpu.state.load(Ordering.ACQUIRE):
        case VcpuState.OFF:
            return Affinity.OFF
        case VcpuState.CREATED:
            return Affinity.ON_PENDING
        case _:
            return Affinity.ON


@no_inline
def find_cpu(primary: Partition, target: u64) -> u64 | None:
    """The CPU with affinity `target`; bits outside the affinity fields have to be clear."""
    if target & ~AFFINITY_MASK != 0:
        return None
    for index in range(min(primary.vcpu_count, CPU_COUNT_MAX)):
        if CPUS.of(index).mpidr & AFFINITY_MASK == target:
            return index
    return None


def code_of(error: PsciError | None) -> i32:
    """The result for w0."""
    if error is None:
        return 0
    return PsciError.INTERNAL_FAILURE.value if error == PsciError.OTHER else error.value


def register_of(code: i32) -> u64:
    """A result for x0: sign-extended, as callers of either width expect."""
    return truncate(u64, i64(code))
