"""Builds images as the build tool does, and boots them on QEMU."""

import fcntl
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from compiler.driver.images import Image, find_image
from compiler.driver.paths import ROOT
from compiler.driver.pipeline import build
from compiler.driver.platforms import Platform, load_platform
from compiler.driver.runner import RunOptions, run_command
from compiler.driver.stages import CompilerStages, Profile, Target
from compiler.driver.timing import PhaseLog
from tests.tools import debian_tool

TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Outcome:
    """How a run ended: QEMU's status and what was on the console."""

    status: int
    console: str

    @property
    def lines(self) -> list[str]:
        return self.console.splitlines()

    def line(self, pattern: str) -> str:
        """The first line that the pattern matches somewhere; fails with the whole console where there is none."""
        found = [line for line in self.lines if re.search(pattern, line)]
        assert found, f"no line matches {pattern!r} in:\n{self.console}"
        return found[0]


@cache
def platform(name: str = "qemu") -> Platform:
    return load_platform(ROOT, name)


@cache
def hypervisor(profile: Profile = Profile.RELEASE) -> Path:
    """The hypervisor's ELF file."""
    return _build(find_image("hypervisor"), profile)


@cache
def guest(name: str, profile: Profile = Profile.RELEASE) -> Path:
    """The ELF file of a guest of `hypervisor/guests`."""
    return _build(find_image(name), profile)


@cache
def test_image(name: str) -> Path:
    """The ELF file of the image that `tests/boot/images/<name>.py` is the entry module of."""
    image = Image(
        name=f"test-{name}",
        description="a test",
        level="NS-EL2",
        entry_modules=(f"tests.boot.images.{name}",),
        linker_script=Path("linker_scripts", "hypervisor.ld"),
        relocatable=True,
    )
    return _build(image, Profile.RELEASE)


def _build(image: Image, profile: Profile) -> Path:
    """Build and keep a copy: artefacts of both profiles go to the same place, and tests may run side by side."""
    folder = ROOT / "build" / "boot-tests" / profile.value
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        artefacts = build(Target(ROOT, image, platform(), profile), CompilerStages(), PhaseLog()).artefacts
        for suffix in ("bin", "elf"):
            copy = folder / f".{artefacts[suffix].name}"
            shutil.copyfile(artefacts[suffix], copy)
            copy.replace(folder / artefacts[suffix].name)  # whole: another test may be booting the one before
    return folder / artefacts["elf"].name


def boot(elf: Path, cpu: str = "max", cpu_count: int = 1) -> Outcome:
    """Run an image until it ends QEMU."""
    debian_tool("qemu-system-aarch64")
    command = run_command(platform(), elf, elf.with_suffix(".bin"), RunOptions(cpu_count=cpu_count, cpu=cpu))
    result = subprocess.run(
        command, capture_output=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_SECONDS, check=False
    )
    return Outcome(result.returncode, result.stdout.decode(errors="replace") + result.stderr.decode(errors="replace"))
