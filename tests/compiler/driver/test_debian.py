"""Debian packages: what is missing, who may install it, and the command for those who may not."""

import os
import subprocess
from pathlib import Path

import pytest

from compiler.driver import debian
from compiler.driver.errors import ToolError
from tests.tools import PACKAGES


def fake_program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An otherwise empty PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("TANTALUM_INSTALL", raising=False)
    return tmp_path


def test_missing_programs_in_table_order(path: Path) -> None:
    fake_program(path, "clang", "")
    missing = [program.name for program in debian.missing_programs(["test", "run"])]
    assert missing == [program.name for program in debian.PROGRAMS if program.name != "clang"]
    assert [program.name for program in debian.missing_programs(["run"])] == ["qemu-system-aarch64", "dtc"]


def test_without_rights_the_error_has_the_command(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    fake_program(path, "apt-get", "exit 1")
    with pytest.raises(ToolError) as caught:
        debian.require(["run"], "running an image")
    assert caught.value.render() == (
        "error[B401]: running an image needs Debian packages that are not installed: qemu-system-arm, "
        "device-tree-compiler\n"
        "  = help: run: sudo apt-get update && sudo apt-get install qemu-system-arm device-tree-compiler"
    )


def test_installing_can_be_forbidden(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANTALUM_INSTALL", "never")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    fake_program(path, "apt-get", f"echo called > {path}/called")
    with pytest.raises(ToolError):
        debian.require(["run"], "running an image")
    assert not (path / "called").exists()


def test_root_installs_after_an_update_where_lists_are_absent(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    log = path / "log"
    fake_program(
        path,
        "apt-get",
        f'echo "$DEBIAN_FRONTEND $*" >> {log}; [ "$3" = update ] || [ -e {path}/lists ]; '
        f'status=$?; [ "$3" = update ] && : > {path}/lists; exit $status',
    )
    debian.install(["qemu-system-arm"], "running an image")
    options = "noninteractive -o DPkg::Lock::Timeout=120"
    install = f"{options} install --yes --no-install-recommends qemu-system-arm"
    assert log.read_text().splitlines() == [install, f"{options} update", install]


def test_a_failing_installation_says_what_apt_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    fake_program(path, "apt-get", "echo E: Unable to locate package; exit 100")
    with pytest.raises(ToolError, match="apt-get could not install dtc: E: Unable to locate package") as caught:
        debian.install(["dtc"], "testing")
    assert caught.value.code == "B402"


def test_passwordless_sudo_is_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    fake_program(path, "apt-get", "")
    fake_program(path, "sudo", f'echo "$*" >> {path}/log')
    debian.install(["dtc"], "testing")
    assert (path / "log").read_text().splitlines()[1].startswith("-n DEBIAN_FRONTEND=noninteractive apt-get ")


def test_tests_and_tool_agree_on_packages() -> None:
    for program in debian.PROGRAMS:
        assert PACKAGES[program.name] == program.package


def test_ci_installs_every_package() -> None:
    script = (Path(__file__).parents[3] / ".ci" / "run").read_text()
    assert all(f" {program.package} " in script.replace("\n", " ") for program in debian.PROGRAMS)
    assert subprocess.run(["/bin/bash", "-n", Path(__file__).parents[3] / ".ci" / "run"], check=False).returncode == 0
