"""The platform that an image is built for: the constants of `<name>/platform.toml` that code uses.

The build names the platform in the environment variable TANTALUM_PLATFORM. The build tool checks the file in full;
here only what an image needs is read.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from compiler.language import BuildError, PhysAddr, u64


@dataclass(frozen=True)
class Platform:
    """Constants of one platform; addresses are physical."""

    name: str
    cpu_count_max: u64
    affinity_shift: u64
    """Position in MPIDR_EL1 of the field that holds the number of a CPU."""
    image_base: PhysAddr
    uart_base: PhysAddr
    uart_clock_hz: u64
    distributor_base: PhysAddr
    redistributor_base: PhysAddr
    repeat_tlb_invalidation: bool


def load_platform(name: str) -> Platform:
    """The platform of that name; BuildError where there is none."""
    file = Path(__file__).parent / name / "platform.toml"
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BuildError(f"TANTALUM_PLATFORM is {name!r}, but there is no {file}") from None
    return Platform(
        name=content["name"],
        cpu_count_max=u64(content["cpu"]["count_max"]),
        affinity_shift=u64(8 * content["cpu"]["affinity_field"]),
        image_base=PhysAddr(content["memory"]["image_base"]),
        uart_base=PhysAddr(content["console"]["pl011_base"]),
        uart_clock_hz=u64(content["console"]["clock_hz"]),
        distributor_base=PhysAddr(content["interrupts"]["distributor_base"]),
        redistributor_base=PhysAddr(content["interrupts"]["redistributor_base"]),
        repeat_tlb_invalidation=content["errata"]["repeat_tlb_invalidation"],
    )


PLATFORM = load_platform(os.environ.get("TANTALUM_PLATFORM", "qemu"))
