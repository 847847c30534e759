"""The same sources give the same bytes: in folders of other names, at another time, under another hash seed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import copy_sources


@pytest.mark.parametrize("platform", ["qemu", "fvp"])
def test_two_checkouts_give_the_same_bytes(platform: str, tmp_path: Path) -> None:
    roots = [tmp_path / "a", tmp_path / "another folder" / "with a longer path"]
    running: list[subprocess.Popen[bytes]] = []
    for seed, root in enumerate(roots):
        root.mkdir(parents=True)
        copy_sources(root)
        command = [sys.executable, str(root / "build.py"), "build", "-p", platform]
        environment = os.environ | {"PYTHONHASHSEED": str(seed)}
        running.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
    for process in running:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()
    first, second = ({file.name: file.read_bytes() for file in (root / "build" / platform).iterdir()} for root in roots)
    assert {f"{image}.{suffix}" for image in ("hypervisor",) for suffix in ("elf", "bin")} <= set(first)
    assert [name for name in first if first[name] != second[name]] == []
    assert set(first) == set(second)
    assert not [name for name, content in first.items() if str(tmp_path).encode() in content]
