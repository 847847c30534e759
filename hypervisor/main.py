"""The hypervisor's image, from the first line of dialect code to the end of the run: read it top to bottom.

Start-up assembly (`arch/aarch64/entry.py`) calls `image_main` on the boot CPU and `secondary_main` on the others, each
on its own stack with the MMU on.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import cpu_index, export, panic, u64
from hypervisor.arch.aarch64 import boot, cpu, entry, exceptions, pointer_keys
from hypervisor.arch.aarch64.cpu import PartitionMode
from hypervisor.arch.aarch64.entropy import random_number
from hypervisor.core import loader
from hypervisor.core.cpu import CPU_COUNT_MAX, online_count
from hypervisor.core.idle import allow_start, run_idle
from hypervisor.core.partition import PARTITIONS, count_in_state, name_of, total_counts
from hypervisor.core.vcpu import VcpuState
from hypervisor.ffa import dispatch
from hypervisor.memory.linear_map import LINEAR_MAP
from hypervisor.memory.pages import POOL, MapError
from hypervisor.partitions.listing import PARTITION_COUNT
from hypervisor.platform import PLATFORM
from hypervisor.power import stop_machine
from runtime import memory_functions
from runtime import panic as panic_report
from runtime.console import log
from runtime.stack_guard import set_guard

ENTRY_POINTS = (
    entry.start,
    dispatch.handle_call,
    exceptions.handle_exception,
    panic_report.report_exception,
    memory_functions.memcpy,
    memory_functions.memmove,
    memory_functions.memset,
)
"""What is reached by name only: by the firmware, the vectors and the compiler."""

STATUS_SUCCESS = 0
STATUS_PARTITION_ABORTED = 1


@export("image_main")
def image_main(linear_map_offset: u64) -> NoReturn:
    """The boot CPU: prepare the image, load the partitions, start the other CPUs, run."""
    boot.prepare(linear_map_offset)
    pointer_keys.enable()
    set_guard(random_number())
    log(f"Tantalum hypervisor on {PLATFORM.name}: {mode_name()}, at {LINEAR_MAP.offset + PLATFORM.image_base.raw:#x}")
    error = loader.load_all()
    if isinstance(error, MapError):
        panic("not enough memory to load the partitions")
    for partition in PARTITIONS:
        log(f"partition {name_of(partition)}: loaded, ID {partition.id.raw:#06x}")
    boot.start_secondaries()
    log(f"{online_count()} of at most {CPU_COUNT_MAX} CPUs online, {POOL.free_count} pages free")
    allow_start()
    run_idle()


@export("secondary_main")
def secondary_main() -> NoReturn:
    """Every other CPU: set up, report, run."""
    boot.prepare_cpu()
    pointer_keys.enable()
    log(f"CPU {cpu_index()} online")
    boot.announce()
    run_idle()


@export("end_run")
def end_run() -> NoReturn:
    """Print what happened; the status tells whether all partitions are still there."""
    aborted_count = count_in_state(VcpuState.ABORTED)
    counts = total_counts()
    log(f"{counts.calls} FF-A calls, {counts.errors} of them answered with an error")
    log(f"{counts.requests} direct requests, {counts.responses} direct responses")
    log(f"{PARTITION_COUNT - aborted_count} of {PARTITION_COUNT} partitions wait for messages, {aborted_count} aborted")
    stop_machine(STATUS_SUCCESS if aborted_count == 0 else STATUS_PARTITION_ABORTED)


def mode_name() -> str:
    """The register set-up that partitions run under."""
    match cpu.mode():
        case PartitionMode.VHE:
            return "EL2 with E2H, partitions by stage 1"
        case PartitionMode.TGE:
            return "EL2 without E2H, partitions by stage 2"
