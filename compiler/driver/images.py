"""Images: what the tool can build, each from which modules, with which linker script and which constants for it.

An image's name is also that of its artefacts, `build/<platform>/<name>.elf` and so on. The roots of an image are the
exported functions of its entry modules and of all that these import. Partitions are images of their own, listed in
hypervisor/partitions/partitions.toml; the hypervisor's image carries them in a section each. The image `measure` is the
same hypervisor with two other partitions in the places of those of the list, for `bench ffa`.
"""

import importlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from compiler.driver.errors import ToolError, did_you_mean
from compiler.driver.platforms import Platform

PARTITIONS_FILE = Path("hypervisor", "partitions", "partitions.toml")
PARTITION_BASE = 0x1000_0000  # virtual; below 4 GiB in the half that belongs to a partition
PARTITION_DISTANCE = 0x100_0000  # each has addresses of its own, so that a debugger can tell partitions apart
PARTITION_STACK_SIZE_BYTES = 0x4000
MEASURING_PARTITIONS = ("measure_ask", "measure_serve")  # as many as the list has, in its order of names
GUEST_SCRIPT = Path("linker_scripts", "guest.ld")
GUEST_STACKS_MODULE = "runtime.partition.stacks"
GUEST_FAULT_ENTRY = "runtime.partition.vectors.end_guest"
PANIC_ENTRY = "hypervisor.arch.aarch64.vectors.enter_panic"
LINEAR_MAP_MODULE = "hypervisor.memory.linear_map"  # says where the hypervisor runs
STACKS_MODULE = "hypervisor.arch.aarch64.stacks"  # has the sizes of the hypervisor's stacks, in bytes


@dataclass(frozen=True)
class Image:
    """One image. `level` names the exception level and world that it is entered in; `relocatable` ones run at any
    address, and apply the relocations of their pointers themselves. `other_stacks`: functions that put a stack into SP
    that is not the ordinary one, each with the constant of the linker script that is its size. `partition_base`: where
    a partition runs, a virtual address."""

    name: str
    description: str
    level: str
    entry_modules: tuple[str, ...]
    linker_script: Path
    relocatable: bool = False
    partitions: tuple[str, ...] = ()
    cpu_count: int = 1
    other_stacks: tuple[tuple[str, str], ...] = ()
    partition_base: int = PARTITION_BASE


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
    guest_image("faults", ("faults",), "EL1", "a primary that provokes faults"),
    guest_image("faulty_el0", ("faulty",), "EL0", "a partition that faults"),
    guest_image("faulty_el1", ("faulty",), "EL1", "a partition that faults"),
    guest_image("measure", ("measure",), "EL1", "a primary that `bench ffa` counts calls of"),
    guest_image("idle_primary", ("idle_primary",), "EL1", "a primary that switches off at once"),
    guest_image("receiver_el1", ("receiver",), "EL1", "a service that takes indirect messages"),
    guest_image("stress", ("stress", "system_secrets_el1"), "EL1", "a primary that sends 100,000 messages", 8),
    guest_image("keeper_el0", ("keeper", "system_secrets_el0"), "EL0", "a service with secrets"),
    guest_image("keeper_el1", ("keeper", "system_secrets_el1"), "EL1", "a service with secrets"),
)

DEFAULT_IMAGE = "hypervisor"  # what `run` boots: the fullest stack there is


def all_images(root: Path) -> tuple[Image, ...]:
    """Return every image that the checkout can build."""
    partitions = _partition_names(root)
    hypervisor = Image(
        name="hypervisor",
        description="the hypervisor of the normal world",
        level="NS-EL2",
        entry_modules=("hypervisor.main",),
        linker_script=Path("linker_scripts", "hypervisor.ld"),
        relocatable=True,
        other_stacks=((PANIC_ENTRY, "PANIC_STACK_SIZE"),),
    )
    measure = replace(
        hypervisor,
        name="measure",
        description="the hypervisor, with the partitions of bench ffa",
        partitions=MEASURING_PARTITIONS,
    )
    programs = (*partitions, *MEASURING_PARTITIONS)
    return (hypervisor, measure, *(_partition_image(name, index) for index, name in enumerate(programs)), *GUESTS)


def find_image(root: Path, name: str) -> Image:
    """Return the named image, or raise ToolError B203."""
    by_name = {image.name: image for image in all_images(root)}
    if name not in by_name:
        names = ", ".join(by_name)
        raise ToolError("B203", f"there is no image '{name}'{did_you_mean(name, by_name)}", fix=f"images are: {names}")
    return by_name[name]


def link_constants(image: Image, platform: Platform) -> Mapping[str, int]:
    """Return what the image's linker script wants to know."""
    if image.linker_script == GUEST_SCRIPT:
        guest = importlib.import_module(GUEST_STACKS_MODULE)
        return {
            "CPU_COUNT": image.cpu_count,
            "GUARD_SIZE": int(guest.GUARD_SIZE),
            "STACK_SIZE": int(guest.STACK_SIZE),
            "FAULT_STACK_SIZE": int(guest.FAULT_STACK_SIZE),
        }
    if image.level == "EL0":
        return {"PARTITION_BASE": image.partition_base, "STACK_SIZE": PARTITION_STACK_SIZE_BYTES}
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


def _partition_image(name: str, index: int) -> Image:
    return Image(
        name=name,
        description="a partition",
        level="EL0",
        entry_modules=(f"hypervisor.partitions.{name}",),
        linker_script=Path("linker_scripts", "partition.ld"),
        partition_base=PARTITION_BASE + index * PARTITION_DISTANCE,
    )


def _partition_names(root: Path) -> tuple[str, ...]:
    """Return the partitions of the list, none where there is no list. The list's other keys are the hypervisor's."""
    try:
        content = tomllib.loads((root / PARTITIONS_FILE).read_text(encoding="utf-8"))
        return tuple(sorted(str(row["program"]) for row in content["partition"]))
    except FileNotFoundError:
        return ()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ToolError(
            "B205",
            f"the list of partitions is not as expected: {error}",
            where=PARTITIONS_FILE,
            fix='write a table [[partition]] for each, with at least program = "NAME"',
        ) from None
