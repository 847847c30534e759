"""Guests in assembly that tell the host what they find, and the archives that hold them: all made by Debian's tools."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from compiler.driver.paths import ROOT
from compiler.driver.platforms import load_platform
from compiler.driver.runner import RunOptions, run_command
from tests.boot.machine import Outcome, hypervisor
from tests.tools import debian_tool

SOURCES = Path(__file__).parent / "contract"
PARTITION_MANIFEST = """/dts-v1/;
/ {{
    compatible = "arm,ffa-manifest-1.0";
    ffa-version = <0x00010002>;
    uuid = <{number} 2 3 4>;
    execution-ctx-count = <1>;
    exception-level = <0>;
    messaging-method = <3>;
    notification-support;
}};
"""
TIMEOUT_SECONDS = 60


@dataclass
class Contract:
    """A folder with the files of an archive, and what the guests write when they run there."""

    folder: Path
    memory_sizes: list[int] = field(default_factory=list[int])
    """Of each secondary, in bytes."""
    probes: list[int] = field(default_factory=list[int])
    """Addresses that the primary tries to read."""
    ramdisk: bytes | None = None
    primary_header: bytes = b""
    """What the primary's image begins with in the place of its first instructions."""

    def assemble(self, name: str, source: str, **constants: object) -> bytes:
        """A raw image of a source."""
        text = "".join(f"        .set {key}, {value}\n" for key, value in constants.items() if isinstance(value, int))
        text += "".join(f"#define {key} {value}\n" for key, value in constants.items() if not isinstance(value, int))
        file = self.folder / f"{name}.S"
        file.write_text(text + (SOURCES / source).read_text())
        elf = file.with_suffix(".elf")
        linker = ["-nostdlib", "-static", "-Wl,--build-id=none,-Ttext=0"]
        command = [debian_tool("aarch64-linux-gnu-gcc"), *linker, f"-Wa,-I{SOURCES}", "-o", str(elf), str(file)]
        subprocess.run(command, check=True)
        image = file.with_suffix(".bin")
        subprocess.run([debian_tool("aarch64-linux-gnu-objcopy"), "-O", "binary", elf, image], check=True)
        return image.read_bytes()

    def compile_tree(self, name: str, source: str) -> None:
        """A file of the archive from a device tree's source."""
        command = [debian_tool("dtc"), "-q", "-I", "dts", "-O", "dtb", "-o", str(self.folder / name)]
        subprocess.run(command, input=source.encode(), check=True)

    def make(self) -> None:
        """Write all files but the archive."""
        probes = ", ".join(map(hex, self.probes)) or "0"
        counts = {"PROBE_COUNT": len(self.probes), "SECONDARY_COUNT": len(self.memory_sizes)}
        image = self.assemble("primary", "primary.s", PROBES=probes, **counts)
        (self.folder / "primary").write_bytes(image)
        nodes = '    vm1 { debug_name = "first"; kernel_filename = "primary"; '
        if self.ramdisk is not None:
            (self.folder / "ramdisk").write_bytes(self.ramdisk)
            nodes += 'ramdisk_filename = "ramdisk"; '
        nodes += "};\n"
        for number, size in enumerate(self.memory_sizes, 2):
            name = f"s{number}"
            constants = {"NAME": f'"{name}.memory"', "NAME_SIZE": len(name) + 7, "MEMORY_SIZE": size}
            (self.folder / name).write_bytes(self.assemble(f"image{number}", "secondary.s", **constants))
            self.compile_tree(f"{name}.dtb", PARTITION_MANIFEST.format(number=number))
            nodes += f'    vm{number} {{ debug_name = "{name}"; is_ffa_partition; hyp_loaded; vcpu_count = <1>; '
            nodes += f'mem_size = <{size:#x}>; kernel_filename = "{name}"; fdt_filename = "{name}.dtb"; }};\n'
        self.write_manifest(f'/dts-v1/;\n/ {{ hypervisor {{ compatible = "hafnium,hafnium";\n{nodes}}}; }};\n')

    def write_manifest(self, source: str) -> None:
        """Replace the manifest."""
        (self.folder / "manifest.dts").write_text(source)
        self.compile_tree("manifest.dtb", source)

    def pack(self, archive_format: str = "bin") -> Path:
        """The archive of all files that a manifest may name, by GNU cpio."""
        numbers = range(2, 2 + len(self.memory_sizes))
        names = ["manifest.dtb", "primary", *(f"s{number}{suffix}" for number in numbers for suffix in ("", ".dtb"))]
        names += ["ramdisk"] if self.ramdisk is not None else []
        archive = self.folder / "archive.cpio"
        command = [debian_tool("cpio"), "--quiet", "-o", "-H", archive_format]
        made = subprocess.run(
            command, input="\n".join(names).encode(), cwd=self.folder, check=True, capture_output=True
        )
        archive.write_bytes(made.stdout)
        return archive

    def command(self, cpu: str = "max", cpu_count: int = 1, initrd: Path | None = None) -> list[str]:
        """QEMU's, with the archive."""
        elf = hypervisor()
        options = RunOptions(cpu_count=cpu_count, cpu=cpu)
        command = run_command(load_platform(ROOT, "qemu"), elf, elf.with_suffix(".bin"), options, initrd or self.pack())
        return [debian_tool(command[0]), *command[1:]]

    def run(self, command: list[str]) -> Outcome:
        """Boot with the command; the guests write into the folder."""
        result = subprocess.run(
            command,
            cwd=self.folder,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        console = (result.stdout + result.stderr).decode(errors="replace").replace("\r", "")
        return Outcome(result.returncode, console)
