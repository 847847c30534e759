"""The steps that take a CPU from start-up assembly to where it can run partitions.

Only the boot CPU prepares what all share; it does so before any other CPU is started.
"""

from __future__ import annotations

from compiler.language import PhysAddr, address_of, cpu_index, linker_symbol, panic, spin_hint, u64, wrapping_sub
from hypervisor import console
from hypervisor.arch.aarch64 import cpu, pointer_keys, psci, stacks
from hypervisor.arch.aarch64.idle import idle_entry
from hypervisor.arch.aarch64.mmu import install_hypervisor_table
from hypervisor.arch.aarch64.psci import PsciError
from hypervisor.arch.aarch64.stacks import STACK_SLOT_SIZE, STACKS_START
from hypervisor.core.cpu import CPU_COUNT_MAX, CPUS
from hypervisor.memory import exact_map, pages
from hypervisor.memory.exact_map import HYPERVISOR
from hypervisor.memory.linear_map import LINEAR_MAP, to_physical
from hypervisor.memory.pages import MapError
from hypervisor.platform import PLATFORM
from runtime import image

IMAGE_START = linker_symbol("__image_start")
SECONDARY_START = linker_symbol("secondary_start")
EL2_MASKED = 0x3C9
"""SPSR_EL2 of the hypervisor itself: EL2 with SP_EL2, all interrupts masked."""


def prepare(linear_map_offset: u64) -> None:
    """Everything on the boot CPU, in order: zeroed data and pointers first, then console, pages, the exact map."""
    image.zero_bss()
    image.relocate(wrapping_sub(IMAGE_START.address().raw, PLATFORM.image_base.raw))
    LINEAR_MAP.offset = linear_map_offset
    console.initialise()
    pages.initialise()
    stacks.check_layout()
    error = exact_map.build()
    if isinstance(error, MapError):
        panic("not enough pages for the hypervisor's own map")
    install_hypervisor_table(HYPERVISOR.root.raw)
    prepare_cpu()
    pointer_keys.make()
    announce()


def prepare_cpu() -> None:
    """Set up this CPU's registers, and the vCPU that stands for having nothing to run."""
    cpu.configure()
    this = CPUS.this()
    this.stack_top = STACKS_START.address() + (cpu_index() + 1) * STACK_SLOT_SIZE
    context = this.idle.context
    context.program_counter = address_of(idle_entry).address.raw
    context.processor_state = EL2_MASKED
    context.configuration = cpu.idle_configuration()
    context.translation = cpu.empty_table().raw


def announce() -> None:
    """Let the others know that this CPU is up."""
    CPUS.this().is_online.store(1)


def start_secondaries() -> None:
    """Start the other CPUs, one after the other, until the firmware knows no more."""
    for index in range(1, CPU_COUNT_MAX):
        error = psci.cpu_on(index << PLATFORM.affinity_shift, secondary_entry(), HYPERVISOR.root.raw | index)
        if isinstance(error, PsciError):
            return
        while CPUS.of(index).is_online.load() == 0:
            spin_hint()


def secondary_entry() -> PhysAddr:
    """Where start-up assembly expects them."""
    return to_physical(SECONDARY_START.address())
