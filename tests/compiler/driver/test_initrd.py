"""Initrds from manifests: what goes in, from where, and messages where something is missing."""

import subprocess
from pathlib import Path

import pytest

from compiler.driver.errors import ToolError
from compiler.driver.images import DEFAULT_MANIFEST, find_image
from compiler.driver.initrd import make_initrd, named_files
from compiler.driver.paths import ROOT
from compiler.driver.platforms import load_platform
from compiler.driver.stages import CompilerStages, Profile, Target
from compiler.driver.timing import PhaseLog
from tests.tools import debian_tool

HYPERVISOR = Target(ROOT, find_image("hypervisor"), load_platform(ROOT, "qemu"), Profile.RELEASE)
MANIFEST = """
/dts-v1/;
/ {{
    hypervisor {{
        compatible = "hafnium,hafnium";
        vm1 {{ debug_name = "one"; kernel_filename = "{kernel}"; }};
        vm2 {{
            debug_name = "two"; vcpu_count = <1>; mem_size = <{size}>;
            kernel_filename = "{kernel}"; fdt_filename = "{tree}";
        }};
    }};
}};
"""
TREE = '/dts-v1/; / { description = "a partition"; };'


def make(folder: Path, kernel: str, tree: str) -> dict[str, bytes]:
    """Pack a manifest of this folder; the files of the archive."""
    manifest = folder / "packed-by-test.dts"
    manifest.write_text(MANIFEST.format(kernel=kernel, tree=tree, size="0x100000"))
    archive = make_initrd(HYPERVISOR, manifest, CompilerStages(), PhaseLog()).file
    extracted = folder / "extracted"
    extracted.mkdir()
    command = [debian_tool("cpio"), "--quiet", "-i"]
    subprocess.run(command, input=archive.read_bytes(), cwd=extracted, check=True)
    archive.unlink()
    return {path.name: path.read_bytes() for path in extracted.iterdir()}


def test_files_beside_the_manifest_are_packed_once(tmp_path: Path) -> None:
    (tmp_path / "kernel").write_bytes(b"instructions")
    (tmp_path / "tree.dts").write_text(TREE)
    files = make(tmp_path, "kernel", "tree.dtb")
    assert files.keys() == {"manifest.dtb", "kernel", "tree.dtb"}
    assert files["kernel"] == b"instructions"
    assert files["manifest.dtb"][:4] == files["tree.dtb"][:4] == b"\xd0\x0d\xfe\xed"


def test_guests_are_built(tmp_path: Path) -> None:
    (tmp_path / "tree.dtb").write_bytes(b"as it is")
    files = make(tmp_path, "echo_el0.bin", "tree.dtb")
    assert files["tree.dtb"] == b"as it is"
    assert files["echo_el0.bin"][0x38:0x3C] == b"ARM\x64"


@pytest.mark.parametrize(
    ("kernel", "tree", "missing", "fix"),
    [
        ("nowhere.bin", "tree.dtb", "nowhere.bin", "name the .bin of an image: hypervisor,"),
        ("kernel", "nowhere.dtb", "nowhere.dtb", "put nowhere.dtb or nowhere.dts into"),
    ],
)
def test_a_file_that_is_missing_is_named(tmp_path: Path, kernel: str, tree: str, missing: str, fix: str) -> None:
    (tmp_path / "kernel").write_bytes(b"instructions")
    (tmp_path / "tree.dts").write_text(TREE)
    with pytest.raises(ToolError) as caught:
        make(tmp_path, kernel, tree)
    assert (caught.value.code, caught.value.what) == ("B207", f"the manifest names {missing}, which is nowhere")
    assert fix in str(caught.value.fix)


def test_what_dtc_says_is_shown(tmp_path: Path) -> None:
    manifest = tmp_path / "bad.dts"
    manifest.write_text("/dts-v1/; / { hypervisor {")
    for file, said in ((manifest, "dtc does not accept it"), (tmp_path / "absent.dts", "there is no manifest")):
        with pytest.raises(ToolError, match=said) as caught:
            named_files(file)
        assert caught.value.code == "B206"


@pytest.mark.parametrize("file", sorted((ROOT / DEFAULT_MANIFEST).parent.glob("*.dts")), ids=lambda file: file.stem)
def test_every_file_of_our_manifests_is_there(file: Path) -> None:
    for name in named_files(file):
        built = name.endswith(".bin") and find_image(name.removesuffix(".bin"))
        assert built or (file.parent / name).with_suffix(".dts").is_file()
