"""The hypervisor's image, from the first line of dialect code to the first instruction of the primary.

Start-up assembly (`arch/aarch64/entry.py`) calls `image_main` on the boot CPU and `secondary_main` on the others, each
on its own stack with the MMU on. From then on the CPU comes back to EL2 through the vectors only.
"""

from __future__ import annotations

from typing import NoReturn

from compiler.language import cold, export, u64
from hypervisor import dispatch
from hypervisor.arch.aarch64 import boot, cpu, entry, exceptions, pointer_keys, switch
from hypervisor.arch.aarch64.cpu import PartitionMode
from hypervisor.arch.aarch64.entropy import random_number
from hypervisor.boot import loader
from hypervisor.firmware import cpu_entry
from hypervisor.platform import PLATFORM
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


@cold
@export("image_main")
def image_main(linear_map_offset: u64, device_tree: u64) -> NoReturn:
    """The boot CPU: prepare the image, load the partitions, run the primary."""
    boot.prepare(linear_map_offset)
    pointer_keys.enable()
    set_guard(random_number())
    log(f"Tantalum hypervisor on {PLATFORM.name}: {mode_name()}, at {boot.IMAGE_START.address()}")
    switch.enter(loader.load_all(device_tree))


@export("secondary_main")
def secondary_main() -> NoReturn:
    """Every other CPU, started by a call of the primary that prepared its vCPU of this CPU."""
    cpu.configure()
    pointer_keys.enable()
    cpu_entry.enter_primary()


def mode_name() -> str:
    """The register set-up that partitions run under."""
    match cpu.mode():
        case PartitionMode.VHE:
            return "EL2 with E2H, partitions by stage 1"
        case PartitionMode.TGE:
            return "EL2 without E2H, partitions by stage 2"
