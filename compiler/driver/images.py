"""Images: what the tool can build, each from which modules, with which linker script and which constants for it.

An image's name is also that of its artefacts, `build/<platform>/<name>.elf` and so on. The roots of an image are the
exported functions of its entry modules and of all that these import. Guests are images of their own; which of them the
hypervisor gets, a manifest says.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from compiler.driver.errors import ToolError, did_you_mean
from compiler.driver.platforms import Platform

DEFAULT_MANIFEST = Path("hypervisor", "guests", "manifests", "default.dts")
GUEST_SCRIPT = Path("linker_scripts", "guest.ld")
GUEST_LEVELS = ("EL0", "EL1")
GUEST_STACKS_MODULE = "runtime.partition.stacks"
GUEST_FAULT_ENTRY = "runtime.partition.vectors.end_guest"
PANIC_ENTRY = "hypervisor.arch.aarch64.vectors.enter_panic"
LINEAR_MAP_MODULE = "hypervisor.memory.linear_map"  # says where the hypervisor runs
STACKS_MODULE = "hypervisor.arch.aarch64.stacks"  # has the sizes of the hypervisor's stacks, in bytes


@dataclass(frozen=True)
class Image:
    """One image. `level` names the exception level and world that it is entered in; `relocatable` ones run at any
    address, and apply the relocations of their pointers themselves. `cpu_count`: how many CPUs of a guest get a stack.
    `other_stacks`: functions that put a stack into SP that is not the ordinary one, each with the constant of the
    linker script that is its size. `manifest`: what guests it gets when nobody says which, seen from the root."""

    name: str
    description: str
    level: str
    entry_modules: tuple[str, ...]
    linker_script: Path
    relocatable: bool = False
    cpu_count: int = 1
    other_stacks: tuple[tuple[str, str], ...] = ()
    manifest: Path | None = None


def guest_image(name: str, modules: tuple[str, ...], level: str, description: str, cpu_count: int = 1) -> Image:
    """Return the image of a guest; `modules` are of hypervisor.guests. With more than one CPU it has a `cpu_main`."""
    starts = {"EL0": ("start_el0",), "EL1": ("start_el1",) if cpu_count > 1 else ("start_el1", "single_cpu")}
    return Image(
        name=name,
        description=description,
        level=level,
        entry_modules=(
            *(f"runtime.partition.{module}" for module in starts[level]),
            *(f"hypervisor.guests.{module}" for module in modules),
        ),
        linker_script=GUEST_SCRIPT,
        relocatable=True,
        cpu_count=cpu_count,
        other_stacks=((GUEST_FAULT_ENTRY, "FAULT_STACK_SIZE"),) if level == "EL1" else (),
    )


GUESTS = (
    guest_image("primary", ("primary",), "EL1", "a primary that exchanges messages with all", 8),
    guest_image("echo_el0", ("echo",), "EL0", "a service for direct messages"),
    guest_image("echo_el1", ("echo",), "EL1", "a service for direct messages"),
    guest_image("messenger_el0", ("messenger",), "EL0", "a service for indirect messages"),
    guest_image("messenger_el1", ("messenger",), "EL1", "a service for indirect messages"),
    guest_image("timers", ("timers",), "EL1", "a primary that schedules sleepers"),
    guest_image("sleeper", ("sleeper",), "EL1", "a virtual machine that sleeps"),
    guest_image("slices", ("slices",), "EL1", "a primary that takes the CPU back by its timer"),
    guest_image("spinner", ("spinner",), "EL1", "a virtual machine that spins until its timer fires"),
    guest_image("faults", ("faults",), "EL1", "a primary that provokes faults"),
    guest_image("faulty_el0", ("faulty",), "EL0", "a partition that faults"),
    guest_image("faulty_el1", ("faulty",), "EL1", "a partition that faults"),
    guest_image("measure", ("measure",), "EL1", "a primary that `bench ffa` counts calls of"),
    guest_image("idle_primary", ("idle_primary",), "EL1", "a primary that switches off at once"),
    guest_image("receiver_el0", ("receiver",), "EL0", "a service that takes indirect messages"),
    guest_image("receiver_el1", ("receiver",), "EL1", "a service that takes indirect messages"),
    guest_image("stress", ("stress", "system_secrets_el1"), "EL1", "a primary that sends 100,000 messages", 8),
    guest_image("conformance_el0", ("conformance", "row_caller_el0"), "EL0", "a partition that makes a table of calls"),
    guest_image("conformance_el1", ("conformance", "row_caller_el1"), "EL1", "a guest that makes a table of calls"),
    guest_image("keeper_el0", ("keeper", "system_secrets_el0"), "EL0", "a service with secrets"),
    guest_image("keeper_el1", ("keeper", "system_secrets_el1"), "EL1", "a service with secrets"),
)

DEFAULT_IMAGE = "hypervisor"  # what `run` boots: the fullest stack there is


HYPERVISOR = Image(
    name="hypervisor",
    description="the hypervisor of the normal world",
    level="NS-EL2",
    entry_modules=("hypervisor.main",),
    linker_script=Path("linker_scripts", "hypervisor.ld"),
    relocatable=True,
    other_stacks=((PANIC_ENTRY, "PANIC_STACK_SIZE"),),
    manifest=DEFAULT_MANIFEST,
)


def all_images() -> tuple[Image, ...]:
    """Return every image that the checkout can build."""
    return (HYPERVISOR, *GUESTS)


def find_image(name: str) -> Image:
    """Return the named image, or raise ToolError B203."""
    by_name = {image.name: image for image in all_images()}
    if name not in by_name:
        names = ", ".join(by_name)
        raise ToolError("B203", f"there is no image '{name}'{did_you_mean(name, by_name)}", fix=f"images are: {names}")
    return by_name[name]


def link_constants(image: Image, platform: Platform) -> Mapping[str, int]:
    """Return what the image's linker script wants to know."""
    if image.level in GUEST_LEVELS:
        guest = importlib.import_module(GUEST_STACKS_MODULE)
        return {
            "CPU_COUNT": image.cpu_count,
            "GUARD_SIZE": int(guest.GUARD_SIZE),
            "STACK_SIZE": int(guest.STACK_SIZE),
            "FAULT_STACK_SIZE": int(guest.FAULT_STACK_SIZE),
        }
    stacks = importlib.import_module(STACKS_MODULE)
    return {
        "IMAGE_BASE": platform.image_base,
        "CPU_COUNT": platform.cpu_count_max,
        "STACK_SIZE": int(stacks.STACK_SIZE),
        "PANIC_STACK_SIZE": int(stacks.PANIC_STACK_SIZE),
    }


def alias_offset(image: Image) -> int:
    """Return how far above its linked addresses an image may run; 0 when it stays where it is."""
    return int(importlib.import_module(LINEAR_MAP_MODULE).UPPER_HALF) if image.relocatable else 0
