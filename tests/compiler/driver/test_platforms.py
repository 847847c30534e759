"""Platform files: those here say what the machines have, and bad ones are refused with the remedy."""

import shutil
from pathlib import Path

import pytest

from compiler.driver.errors import ToolError
from compiler.driver.paths import ROOT
from compiler.driver.platforms import PLATFORMS_FOLDER, load_platform, platform_names


def test_qemu_virt() -> None:
    platform = load_platform(ROOT, "qemu")
    assert platform.pl011_base == 0x0900_0000
    assert (platform.distributor_base, platform.redistributor_base) == (0x0800_0000, 0x080A_0000)
    assert platform.dram_base == 0x4000_0000
    assert platform.image_base == 0x4000_1000  # behind QEMU's own page of code
    assert platform.runner.machine == "virt,virtualization=on,gic-version=3"


def test_fvp_base_revc() -> None:
    platform = load_platform(ROOT, "fvp")
    assert platform.pl011_base == 0x1C09_0000
    assert (platform.distributor_base, platform.redistributor_base) == (0x2F00_0000, 0x2F10_0000)
    assert (platform.dram_base, platform.cpu_count_max, platform.affinity_field) == (0x8000_0000, 8, 1)


def test_every_platform_of_the_checkout_is_valid() -> None:
    names = platform_names(ROOT)
    assert {"qemu", "fvp"} <= set(names)
    assert [load_platform(ROOT, name).name for name in names] == names


def altered_qemu(root: Path, old: str, new: str) -> Path:
    """Return a root whose qemu platform file has one text replaced."""
    folder = root / PLATFORMS_FOLDER / "qemu"
    shutil.copytree(ROOT / PLATFORMS_FOLDER / "qemu", folder)
    file = folder / "platform.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return root


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "pl011_base = 0x0900_0000",
            "pl011_base = 0x0900_0004",
            "console.pl011_base is 0x9000004; expected a page-aligned address below 2^48",
        ),
        (
            "image_base = 0x4000_1000",
            "image_base = 0x4000_1800",
            "memory.image_base is 0x40001800; expected a page-aligned address below 2^48",
        ),
        ("count_max = 8", 'count_max = "8"', "cpu.count_max is '8'; expected an integer from 1 to 64"),
        ("count_max = 8", "count_max = true", "cpu.count_max is True; expected an integer from 1 to 64"),
        ("count_max = 8\n", "", "cpu.count_max is nothing; expected an integer from 1 to 64"),
        ("count_max = 8", "count_mx = 8", "cpu.count_max is nothing; expected an integer from 1 to 64"),
        ("[cpu]", "[cpu]\nclock = 1", "unknown key cpu.clock"),
        ("[cpu]", "[cpus]", "cpu.count_max is nothing; expected an integer from 1 to 64"),
        ("[run]", "colour = 1\n[run]", "unknown key errata.colour"),
        ('name = "qemu"', 'name = "virt"', 'name is "virt"; expected "qemu", as its folder is called'),
        ('name = "qemu"', 'name = "qemu"\ncpu = 3', "the platform file is not valid TOML: "),
        ('runner = "qemu"', 'runner = "kvm"', 'run.runner is \'kvm\'; expected "qemu" or "fvp"'),
        ("arguments = []", "arguments = [1]", "run.arguments is [1]; expected a list of strings"),
        (
            "image_base = 0x4000_1000",
            "image_base = 0x8000_0000",
            "memory.image_base is 0x80000000; expected an address inside DRAM, 0x40000000 to 0x7fffffff",
        ),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    root = altered_qemu(tmp_path, old, new)
    with pytest.raises(ToolError) as caught:
        load_platform(root, "qemu")
    assert caught.value.code == "B202"
    assert caught.value.what.startswith(message)
    assert caught.value.where == "hypervisor/platform/qemu/platform.toml"


def test_a_section_that_is_no_table(tmp_path: Path) -> None:
    file = tmp_path / PLATFORMS_FOLDER / "x" / "platform.toml"
    file.parent.mkdir(parents=True)
    file.write_text('name = "x"\ndescription = "x"\ncpu = 1\n')
    with pytest.raises(ToolError, match=r"cpu is 1; expected a table, written \[cpu\]"):
        load_platform(tmp_path, "x")


def test_an_unknown_platform_names_the_near_one() -> None:
    with pytest.raises(ToolError) as caught:
        load_platform(ROOT, "qeum")
    assert caught.value.render() == (
        "error[B201]: there is no platform 'qeum'; did you mean 'qemu'?\n"
        "  = help: platforms are: fvp, qemu; each is a file hypervisor/platform/NAME/platform.toml"
    )
