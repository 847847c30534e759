"""`image`: archives that Debian's cpio reads and that repeat exactly; wrong manifests and their lines."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.compiler.cli.conftest import Tool
from tests.host.boot.defects import FOLDER, IMAGES
from tests.tools import debian_tool


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A folder with a manifest that is right and everything that it names."""
    for source in FOLDER.glob("*.dts"):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    for name, size in IMAGES.items():
        (tmp_path / name).write_bytes(bytes(size))
    return tmp_path


@pytest.mark.parametrize(("form", "magic"), [("bin", b"\xc7\x71"), ("odc", b"070707"), ("newc", b"070701")])
def test_an_initrd_in_each_format(tool: Tool, sound: Path, form: str, magic: bytes) -> None:
    contents: list[bytes] = []
    for name in ("first.img", "second.img"):
        said = tool("image", "--manifest", str(sound / "manifest.dts"), "-o", str(sound / name), "--format", form)
        assert (said.returncode, said.stderr) == (0, "")
        contents.append((sound / name).read_bytes())
    assert contents[0] == contents[1]
    assert contents[0].startswith(magic)
    listed = subprocess.run([debian_tool("cpio"), "-it", "--quiet"], input=contents[0], capture_output=True, check=True)
    names = ["manifest.dtb", "linux.bin", "rootfs.cpio", "echo.bin", "echo.dtb", "storage.bin", "storage.dtb"]
    assert listed.stdout.decode().split() == [*names, "plain.bin"]


def test_what_is_shown(tool: Tool, sound: Path) -> None:
    said = tool("image", "--manifest", str(sound / "manifest.dts"), "-o", str(sound / "x.img"))
    rows = [line.split() for line in said.stdout.splitlines()]
    assert ["vm1", "linux", "EL1,", "primary", "all", "the", "rest", "12.0", "KiB", "0"] in rows
    assert ["vm3", "storage", "EL0", "1", "2048.0", "KiB", "8192", "bytes", "2"] in rows
    assert "warning: echo: load-address 0x50000000 is ignored; the hypervisor places it" in said.stdout
    assert f"{sound / 'x.img'} (" in said.stdout


CHANGES = [
    (
        "manifest.dts",
        ("mem_size = <0x100000>;", "mem_size = <0x1234>;"),
        "manifest.dtb: /hypervisor/vm2: mem_size is 0x1234, not a multiple of 4096; round it up to 0x2000",
        20,
    ),
    ("manifest.dts", ("vcpu_count = <2>;", ""), "manifest.dtb: /hypervisor/vm2: vcpu_count is missing; add it", 15),
    ("manifest.dts", ("hypervisor {", "hyp {"), "manifest.dtb: /: has no node hypervisor; add it", 3),
    (
        "storage.dts",
        ("<0x201>", "<0x800>"),
        "storage.dtb: /services/read: messaging-method is 0x800; give bits of 0x607",
        15,
    ),
]


@pytest.mark.parametrize(("file", "change", "message", "line"), CHANGES, ids=lambda value: str(value)[:30])
def test_what_the_hypervisor_would_refuse(
    tool: Tool, sound: Path, file: str, change: tuple[str, str], message: str, line: int
) -> None:
    source = sound / file
    source.write_text(source.read_text().replace(change[0], change[1], 1))
    said = tool("image", "--manifest", str(sound / "manifest.dts"), "-o", str(sound / "x.img"))
    assert said.returncode == 1
    assert said.stderr == f"error[B208]: {message}\n  --> {source}:{line}\n"
    assert not (sound / "x.img").exists()


def test_a_tree_that_nobody_can_read_is_refused_as_a_whole(tool: Tool, sound: Path) -> None:
    (sound / "echo.dts").unlink()
    (sound / "echo.dtb").write_bytes(b"no tree, but text of more than forty bytes, so that a header would fit")
    said = tool("image", "--manifest", str(sound / "manifest.dts"), "-o", str(sound / "x.img"))
    assert said.returncode == 1
    assert said.stderr.startswith("error[B208]: echo.dtb: begins with 0x6e6f2074, not with 0xd00dfeed of a device tree")


def test_where_it_cannot_be_written(tool: Tool, sound: Path) -> None:
    (sound / "file").write_text("no folder")
    said = tool("image", "--manifest", str(sound / "manifest.dts"), "-o", str(sound / "file" / "x.img"))
    assert said.returncode == 2
    assert said.stderr.startswith("error[B102]: cannot write: File exists")
