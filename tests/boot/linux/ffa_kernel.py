"""A small Linux with the arm_ffa driver, which Debian's own kernel leaves out, and a module that talks to partitions.

It is built from Debian's kernel source with Debian's compiler: one job at the lowest priority, five minutes. Kernel and
module are kept in the build cache for as long as their configuration and source stay the same.
"""

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.boot.linux import packages
from tests.tools import debian_tool

SOURCE_PACKAGE = "linux-source-6.12"  # its driver has version 1.1, notifications and long direct requests
SOURCE_ARCHIVE = "linux-source.tar.xz"
MODULE_FOLDER = Path(__file__).parent / "ffa_module"
MODULE_SOURCES = ("Kbuild", "ffa_check.c")
CONFIGURATION = MODULE_FOLDER / "kernel.config"
MODULE = "ffa_check.ko"
TOOLS = ("aarch64-linux-gnu-gcc", "make", "bc", "bison", "flex", "tar", "xz")
TIMEOUT_SECONDS = 3600


@dataclass(frozen=True)
class FfaKernel:
    """The kernel's image and the module."""

    image: Path
    module: Path


def ffa_kernel() -> FfaKernel:
    """Build what is not in the cache; a test that cannot have it fails with the reason."""
    for tool in TOOLS:
        debian_tool(tool)
    folder = packages.CACHE / "ffa-kernel"
    with packages.locked():
        try:
            source = _source(folder)
        except packages.FetchError as error:
            pytest.fail(str(error), pytrace=False)
        image = _build_kernel(source, folder)
        return FfaKernel(image, _build_module(source, folder))


def _source(folder: Path) -> Path:
    """The unpacked source."""
    source = folder / "source"
    if not source.exists():
        packages.update()
        packages.fetch(SOURCE_PACKAGE, {SOURCE_ARCHIVE: "./usr/src/*.tar.xz"}, folder)
        partial = folder / "source.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        _run(["tar", "xf", folder / SOURCE_ARCHIVE, "--strip-components=1", "-C", partial])
        (folder / SOURCE_ARCHIVE).unlink()
        partial.rename(source)
    return source


def _build_kernel(source: Path, folder: Path) -> Path:
    output = folder / "output"
    image = output / "arch" / "arm64" / "boot" / "Image"
    if not _is_current(image, CONFIGURATION):
        _make(source, output, f"KCONFIG_ALLCONFIG={CONFIGURATION}", "allnoconfig")
        _make(source, output, "Image", "modules")
        _remember(image, CONFIGURATION)
    return image


def _build_module(source: Path, folder: Path) -> Path:
    build = folder / "module"
    sources = [MODULE_FOLDER / name for name in MODULE_SOURCES]
    module = build / MODULE
    if not _is_current(module, CONFIGURATION, *sources):
        shutil.rmtree(build, ignore_errors=True)
        build.mkdir()
        for file in sources:
            shutil.copy(file, build)
        _make(source, folder / "output", f"M={build}", "modules")
        _remember(module, CONFIGURATION, *sources)
    return module


def _make(source: Path, output: Path, *arguments: str) -> None:
    options = ["ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-", f"O={output}"]
    _run(["nice", "-n", "19", "make", "-s", "-j1", "-C", source, *options, *arguments])


def _run(command: list[str | Path]) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "ARCH")}
    result = subprocess.run(
        command,
        env={**environment, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if result.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))} failed:\n{result.stdout[-4000:]}", pytrace=False)


def _digest(*inputs: Path) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in inputs)).hexdigest()


def _is_current(product: Path, *inputs: Path) -> bool:
    """Whether it was built from these inputs."""
    note = product.with_suffix(".inputs")
    return product.exists() and note.exists() and note.read_text() == _digest(*inputs)


def _remember(product: Path, *inputs: Path) -> None:
    product.with_suffix(".inputs").write_text(_digest(*inputs))
