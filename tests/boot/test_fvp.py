"""The FVP's image, byte for byte as it is built, starts in Unicorn: to its first console line, in both modes."""

import subprocess
import sys
from functools import cache

import pytest

from compiler.driver.paths import ROOT
from compiler.driver.platforms import load_platform
from tests.emulated import unicorn_api as uc
from tests.emulated.el2 import HCR_E2H, SCTLR_M, SCTLR_WXN, Startup

PLATFORM = load_platform(ROOT, "fvp")
MEMORY_SIZE = 16 << 20
WITH_VHE, WITHOUT_VHE = {"ID_AA64MMFR1_EL1": 1 << 8}, {"ID_AA64MMFR1_EL1": 0}
UPPER_HALF = 0xFFFF_FF80_0000_0000


@cache
def image() -> bytes:
    """Built in a process of its own: this one may have imported the programs for another platform."""
    command = [sys.executable, "-m", "compiler.cli", "build", "-p", PLATFORM.name, "-i", "hypervisor"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return (ROOT / "build" / PLATFORM.name / "hypervisor.bin").read_bytes()


def machine(features: dict[str, int], base: int = PLATFORM.image_base) -> Startup:
    return Startup(image(), base, MEMORY_SIZE, PLATFORM.pl011_base, features)


@pytest.mark.parametrize(
    ("features", "line", "offset"),
    [
        (WITH_VHE, "EL2 with E2H, partitions by stage 1, at 0xffffff8088000000", UPPER_HALF),
        (WITHOUT_VHE, "EL2 without E2H, partitions by stage 2, at 0x88000000", 0),
    ],
    ids=["vhe", "tge"],
)
def test_the_image_starts_up_to_its_first_line(features: dict[str, int], line: str, offset: int) -> None:
    started = machine(features)
    assert started.run_to_line() == f"Tantalum hypervisor on fvp: {line}\r\n"
    assert bool(started.registers["HCR_EL2"] & HCR_E2H) == bool(offset)
    assert started.registers["SCTLR_EL2"] & (SCTLR_M | SCTLR_WXN) == SCTLR_M | SCTLR_WXN
    assert PLATFORM.image_base + offset <= started.program_counter < PLATFORM.image_base + offset + len(image())
    # The exact map is in force: code cannot be written, the console is no code.
    assert started.translate(started.program_counter) == (
        (started.program_counter - offset) & -0x400,
        uc.PROT_READ | uc.PROT_EXEC,
    )
    console = PLATFORM.pl011_base
    assert started.translate(console + offset) == (console, uc.PROT_READ | uc.PROT_WRITE)


@pytest.mark.parametrize(("features", "offset"), [(WITH_VHE, UPPER_HALF), (WITHOUT_VHE, 0)], ids=["vhe", "tge"])
def test_the_image_runs_where_it_is_loaded(features: dict[str, int], offset: int) -> None:
    base = PLATFORM.image_base + 0x123_5000
    started = machine(features, base)
    assert started.run_to_line().endswith(f", at {base + offset:#x}\r\n")
    assert started.translate(started.program_counter) is not None


def test_a_console_elsewhere_is_noticed() -> None:
    started = Startup(image(), PLATFORM.image_base, MEMORY_SIZE, PLATFORM.pl011_base + 0x1_0000, WITH_VHE)
    with pytest.raises(AssertionError, match="WRITE_UNMAPPED"):
        started.run_to_line()
