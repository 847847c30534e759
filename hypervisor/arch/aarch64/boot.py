"""The steps that take a CPU from start-up assembly to where it can enter a vCPU.

Only the boot CPU prepares what all share; the others are started by the primary, through PSCI.
"""

from __future__ import annotations

from compiler.language import Slice, linker_symbol, panic, u64, wrapping_sub
from hypervisor import console
from hypervisor.arch.aarch64 import cpu, pointer_keys, stacks
from hypervisor.arch.aarch64.mmu import install_hypervisor_table
from hypervisor.arch.aarch64.registers import MPIDR_EL1, TPIDR_EL2
from hypervisor.arch.aarch64.stacks import STACK_SLOT_SIZE, STACKS_START
from hypervisor.core.cpu import CPU_COUNT_MAX, CPUS
from hypervisor.memory import exact_map, pages
from hypervisor.memory.exact_map import HYPERVISOR
from hypervisor.memory.linear_map import LINEAR_MAP
from hypervisor.memory.pages import MapError
from hypervisor.platform import PLATFORM
from runtime import image

IMAGE_START = linker_symbol("__image_start")
IMAGE_END = linker_symbol("__image_end")
AFFINITY_MASK = 0xFF_00FF_FFFF
"""Aff3, Aff2, Aff1 and Aff0 of MPIDR_EL1, as a device tree and PSCI have them."""


def prepare(linear_map_offset: u64) -> None:
    """Everything on the boot CPU, in order: zeroed data and pointers first, then console, pages, the exact map."""
    image.zero_bss()
    image.relocate(wrapping_sub(IMAGE_START.address().raw, PLATFORM.image_base.raw))
    LINEAR_MAP.offset = linear_map_offset
    console.initialise()
    pages.initialise()
    stacks.check_layout()
    for index in range(CPU_COUNT_MAX):
        CPUS.of(index).stack_top = STACKS_START.address() + (index + 1) * STACK_SLOT_SIZE
    error = exact_map.build()
    if isinstance(error, MapError):
        panic("not enough pages for the hypervisor's own map")
    install_hypervisor_table(HYPERVISOR.root.raw)
    cpu.configure()
    pointer_keys.make()


def number_cpus(affinities: Slice[u64]) -> bool:
    """Number the CPUs as the device tree orders them; False where this one is not among them.

    This CPU stays on the stack that it has until it enters a vCPU.
    """
    is_listed = False
    for index in range(len(affinities)):
        CPUS.of(index).mpidr = affinities[index]
        if affinities[index] == MPIDR_EL1.read().raw & AFFINITY_MASK:
            TPIDR_EL2.write(index)
            is_listed = True
    return is_listed
