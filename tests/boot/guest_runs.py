"""Boots the hypervisor with the guests of a manifest."""

import fcntl
import shutil
import subprocess
from functools import cache
from pathlib import Path

from compiler.driver.images import DEFAULT_MANIFEST, find_image
from compiler.driver.initrd import make_initrd
from compiler.driver.paths import ROOT
from compiler.driver.runner import RunOptions, run_command
from compiler.driver.stages import CompilerStages, Profile, Target
from compiler.driver.timing import PhaseLog
from tests.boot.machine import Outcome, hypervisor, platform
from tests.tools import debian_tool

MANIFESTS = ROOT / DEFAULT_MANIFEST.parent
TIMEOUT_SECONDS = 180


@cache
def initrd(manifest: Path, profile: Profile = Profile.RELEASE) -> Path:
    """A copy of the archive of a manifest: tests may run side by side, and pack the same one."""
    target = Target(ROOT, find_image("hypervisor"), platform(), profile)
    folder = ROOT / "build" / "boot-tests" / profile.value
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        file = make_initrd(target, manifest, CompilerStages(), PhaseLog()).file
        copy = folder / f".{file.name}"
        shutil.copyfile(file, copy)
        copy.replace(folder / file.name)
    return folder / file.name


def boot_guests(manifest: Path, cpu: str = "max", cpu_count: int = 1, profile: Profile = Profile.RELEASE) -> Outcome:
    """Run the guests of a manifest until the primary switches the machine off."""
    debian_tool("qemu-system-aarch64")
    elf = hypervisor(profile)
    options = RunOptions(cpu_count=cpu_count, cpu=cpu)
    command = run_command(platform(), elf, elf.with_suffix(".bin"), options, initrd(manifest, profile))
    result = subprocess.run(
        command, capture_output=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_SECONDS, check=False
    )
    return Outcome(result.returncode, (result.stdout + result.stderr).decode(errors="replace").replace("\r", ""))
